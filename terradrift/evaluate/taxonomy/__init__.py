"""Regimes against what is true of the ground, and against themselves (protocol P5)."""
