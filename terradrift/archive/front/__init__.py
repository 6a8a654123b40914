"""The front door: the verbs of an archive, room by room."""

from terradrift.archive.front.archive import Archive
from terradrift.archive.front.base import DEFAULT_MODEL

__all__ = ["DEFAULT_MODEL", "Archive"]
