"""What makes SQL fast: the narrow columns of large tables in files beside them."""
