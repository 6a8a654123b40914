"""Files and folders that appear under their name whole, or not at all.

What is under way lies in a hidden folder `.part-...` beside the target, whose lock file is
held with `flock`: it dies with its process, so the next one knows a leftover from the work
of somebody who still writes.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from terradrift.errors import ArchiveError

PREFIX = ".part-"
_LOCK = ".lock"
_OLD = ".old"

MANIFEST = "_manifest.json"
"""What an exported folder says of itself; readers of data skip names with a `_` first."""

_MARK = b"terradrift"
_KEYS = (b"change_id", b"event_id", b"patch_id", b"label_id")
"""Columns that tell a text of ours, which has no place for a mark."""
_SNIFFED = 1 << 16


@contextmanager
def whole(target: Path) -> Iterator[Path]:
    """A path to write a file or a folder to; it is at `target` when the block ends well.

    What was at `target` is replaced, and stays where the block raises. Leftovers of
    killed exports into the same folder are removed first.

    Raises:
        OSError: the folder of `target` is not there, or cannot be written.
    """
    clean(target.parent)
    folder, lock = _begin(target.parent)
    try:
        made = folder / target.name
        yield made
        if target.is_dir() and not target.is_symlink():
            target.rename(folder / _OLD)
        made.replace(target)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def clean(folder: Path) -> None:
    """Remove what killed exports left in `folder`; what is being written stays.

    One that was killed between the two renames by which a folder is replaced was whole,
    and is put under its name.
    """
    for left in folder.glob(f"{PREFIX}*"):
        # Without the lock file it is not ours, or begins at this moment.
        with suppress(OSError):
            lock = os.open(left / _LOCK, os.O_RDWR)
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                if (left / _OLD).exists():
                    _put(left, folder)
                shutil.rmtree(left, ignore_errors=True)
            finally:
                os.close(lock)


def _put(left: Path, folder: Path) -> None:
    for made in left.iterdir():
        if made.name not in (_LOCK, _OLD) and not (folder / made.name).exists():
            made.rename(folder / made.name)


def free(target: Path, *, folder: bool, overwrite: bool) -> None:
    """See that `target` may be written: what is there already is not lost by chance.

    A file that an export wrote is replaced, another one with `overwrite` alone. A folder
    is replaced with `overwrite`, and only where an export wrote it.

    Raises:
        ArchiveError: it may not; the message says what to do.
    """
    if not target.parent.is_dir():
        raise ArchiveError(
            f"cannot write {target}: No such file or directory; make the folder first"
        )
    if not os.path.lexists(target):
        return
    if target.is_dir() != folder:
        there, wanted = ("folder", "file") if target.is_dir() else ("file", "folder")
        raise ArchiveError(
            f"expected a {wanted} to write, {target} is a {there}; choose another name"
        )
    if folder:
        if not any(target.iterdir()):
            return
        if not _folder_is_ours(target):
            raise ArchiveError(
                f"{target} holds files that no export wrote; choose another name"
            )
        if not overwrite:
            raise ArchiveError(
                f"{target} holds an export already; pass --overwrite to replace it"
            )
    elif not overwrite and not _file_is_ours(target):
        raise ArchiveError(
            f"{target} is there and no export wrote it; choose another name, or pass "
            "--overwrite to replace it"
        )


def _begin(parent: Path) -> tuple[Path, int]:
    while True:
        folder = Path(tempfile.mkdtemp(prefix=PREFIX, dir=parent))
        lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o666)
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Whoever cleans may have come between the file and its lock.
        if (folder / _LOCK).exists():
            return folder, lock
        os.close(lock)


def _folder_is_ours(folder: Path) -> bool:
    return any(
        _MARK in _ends(folder / name)
        for name in (MANIFEST, "zarr.json")
        if (folder / name).is_file()
    )


def _file_is_ours(path: Path) -> bool:
    ends = _ends(path)
    return _MARK in ends or any(key in ends for key in _KEYS)


def _ends(path: Path) -> bytes:
    """The first and the last bytes of a file."""
    with path.open("rb") as file:
        first = file.read(_SNIFFED)
        file.seek(max(len(first), path.stat().st_size - _SNIFFED))
        return first + file.read(_SNIFFED)
