"""Pixels of an archive through time, and detectors on them: windows, maps, rows."""
