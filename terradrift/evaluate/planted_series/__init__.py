"""Changes planted into series of vectors."""
