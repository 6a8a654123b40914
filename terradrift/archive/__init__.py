"""The Python front door: one object, the verbs, and the rooms joined behind it."""

from terradrift.archive.front import Archive
from terradrift.archive.opening import create, open_archive

open = open_archive  # noqa: A001 - `terradrift.open(path)` is what a user types

__all__ = ["Archive", "create", "open"]
