"""Checks files against published specifications; knows nothing of archives and models."""

from terradrift.conform.finding import Finding

__all__ = ["Finding"]
