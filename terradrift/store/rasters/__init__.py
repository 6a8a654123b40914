"""Rasters of embeddings, one vector a pixel and a date a file, as patches with dates."""
