"""Kinds of change in an archive: fits that are kept, names that last, rows and a picture."""
