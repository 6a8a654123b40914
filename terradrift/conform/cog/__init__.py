"""Cloud-Optimised GeoTIFF: the layout of the file, and that GDAL reads it."""
