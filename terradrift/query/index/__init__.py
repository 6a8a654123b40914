"""What makes searches fast: vectors and their codes in files beside the tables."""
