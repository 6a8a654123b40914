"""One change, one event or one patch: what is known of it, and its history."""
