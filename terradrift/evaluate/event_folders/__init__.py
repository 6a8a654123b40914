"""How good a method is on event folders: the published protocol, and plain measures beside it."""
