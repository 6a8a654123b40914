"""Temporal inpainting on an archive: training, its files, and the detector."""
