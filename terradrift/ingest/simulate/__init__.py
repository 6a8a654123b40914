"""Sentinel-2-like series with changes of known kind, place and date."""

from terradrift.ingest.simulate.run import simulate

__all__ = ["simulate"]
