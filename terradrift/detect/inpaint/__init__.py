"""Temporal inpainting: the last frame predicted from those before it; the rest is the anomaly."""
