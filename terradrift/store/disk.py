"""What the disk said, in one line."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from terradrift.errors import ArchiveError

_REASONS = {
    "No space left on device": "no space left on the device; free some and run again",
    "File too large": "a file grew too large for this process or file system",
    "Read-only file system": "the file system is read-only",
    "Permission denied": "permission denied",
    "Too many open files": "too many open files; raise the limit (ulimit -n)",
    "Input/output error": "the disk gave an input/output error",
}


@contextmanager
def doing(root: Path, what: str) -> Iterator[None]:
    """Turn what Lance could not do inside the block into one clear line.

    Raises:
        ArchiveError: instead of any OSError; a commit that failed changed nothing.
    """
    try:
        yield
    except OSError as error:
        raise ArchiveError(
            f"cannot {what} in {root}: {_reason(error)}; "
            "nothing that was stored is changed"
        ) from error


def _reason(error: OSError) -> str:
    """The system's own words; Lance adds its source files and more."""
    text = str(error)
    for words, said in _REASONS.items():
        if words in text:
            return said
    return text.splitlines()[0] if text else type(error).__name__
