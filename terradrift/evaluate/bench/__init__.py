"""Detectors and models beside one another on one set of patches."""
