"""SQL on the archive: views, functions, and what statements may do."""
