"""Regimes of ground in an archive: read, fitted, placed, judged, drawn."""
