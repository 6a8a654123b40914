"""Figures for notebooks: one change, one patch, the first matches of a search."""
