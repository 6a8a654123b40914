"""JSON Schemas; see README.md for what is from where."""
