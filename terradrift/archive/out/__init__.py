"""The verb `export`: which form, which rows, how they look."""
