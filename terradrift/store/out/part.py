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

PREFIX = ".part-"
_LOCK = ".lock"
_OLD = ".old"


@contextmanager
def whole(target: Path) -> Iterator[Path]:
    """A path to write a file or a folder to; it is at `target` when the block ends well.

    What was at `target` is replaced, and stays where the block raises. Leftovers of
    killed exports into the same folder are removed first.

    Raises:
        OSError: the folder of `target` is not there, or cannot be written.
    """
    clean(target.parent)
    folder, lock = begin(target.parent)
    try:
        made = folder / target.name
        yield made
        if target.is_dir() and not target.is_symlink():
            target.rename(folder / _OLD)
        made.replace(target)
    finally:
        if (folder / _OLD).exists():
            _put(folder, target.parent)  # where the second of the renames did not come
        end(folder, lock)


def begin(parent: Path, prefix: str = PREFIX) -> tuple[Path, int]:
    """A new folder in `parent` and its lock, held until `end` or the end of the process."""
    while True:
        folder = Path(tempfile.mkdtemp(prefix=prefix, dir=parent))
        lock = os.open(folder / _LOCK, os.O_RDWR | os.O_CREAT, 0o666)
        fcntl.flock(lock, fcntl.LOCK_EX)
        # Whoever cleans may have come between the file and its lock.
        if (folder / _LOCK).exists():
            return folder, lock
        os.close(lock)


def end(folder: Path, lock: int) -> None:
    """Remove a folder of `begin` with what it holds, its lock last, and give that free.

    A process that is killed here leaves what the next `clean` still knows.
    """
    try:
        with suppress(OSError):
            for left in sorted(folder.iterdir(), key=lambda one: one.name != _OLD):
                if left.is_dir() and not left.is_symlink():
                    shutil.rmtree(left, ignore_errors=True)
                elif left.name != _LOCK:
                    left.unlink()
        shutil.rmtree(folder, ignore_errors=True)
    finally:
        os.close(lock)


def clean(folder: Path, prefix: str = PREFIX) -> None:
    """Remove what killed processes left in `folder`; what is being written stays.

    One that was killed between the two renames by which a folder is replaced was whole,
    and is put under its name. Folders of other users are not looked into.
    """
    for left in folder.glob(f"{prefix}*"):
        # Without the lock file it is not ours, or begins at this moment.
        with suppress(OSError):
            if left.is_symlink() or left.stat().st_uid != os.getuid():
                continue
            _remove(left, folder, os.open(left / _LOCK, os.O_RDWR))


def _remove(left: Path, folder: Path, lock: int) -> None:
    """Remove one of the folders in `folder`, where nobody holds its lock."""
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        if (left / _OLD).exists():
            _put(left, folder)
    except OSError:
        os.close(lock)
    else:
        end(left, lock)


def _put(left: Path, folder: Path) -> None:
    for made in left.iterdir():
        if made.name not in (_LOCK, _OLD) and not (folder / made.name).exists():
            made.rename(folder / made.name)
