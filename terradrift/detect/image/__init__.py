"""Detectors on pixels: how unusual the last frame of a stack is, pixel by pixel."""
