"""How much of a disk an archive takes."""

import os
from collections.abc import Iterator
from pathlib import Path


def sizes(root: Path) -> Iterator[int]:
    """Bytes of each file in a folder, at any depth; files that go meanwhile are passed over."""
    for folder, _, names in os.walk(root):
        for name in names:
            try:
                yield os.stat(os.path.join(folder, name)).st_size  # noqa: PTH116, PTH118 - many files, quickly
            except OSError:  # a writer has just removed it
                continue
