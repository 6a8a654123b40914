"""Names and heads of the files of an index, under `<archive>/index/`."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from terradrift.errors import ArchiveError
from terradrift.query.index.covered import Covered
from terradrift.store import arrays

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

FOLDER = "index"
FLAT, CODES = "flat", "codes"
ENDING = "safetensors"

_REMEDY = "run terradrift index to make it anew"


def flat(root: Path, table: str, column: str, digest: str) -> Path:
    """The copy of a column's vectors."""
    return root / FOLDER / f"{table}.{column}.{digest}.{FLAT}.{ENDING}"


def codes(
    root: Path, table: str, columns: tuple[str, ...], label: str, digest: str
) -> Path:
    """Lengths and codes of columns in a space."""
    space = label.replace("/", "-")
    name = f"{table}.{'+'.join(columns)}.{space}.{digest}.{CODES}.{ENDING}"
    return root / FOLDER / name


@dataclass(frozen=True, slots=True)
class Name:
    """What the name of a file says."""

    path: Path
    table: str
    columns: str
    """With `+` between them."""
    space: str | None
    """The label of the space; None: a copy of vectors."""
    digest: str

    @property
    def what(self) -> str:
        """The same for files that replace each other."""
        return f"{self.table} {self.columns} {self.space}"


def parse(path: Path) -> Name | None:
    """What a file's name says; None where it is not of ours."""
    match path.name.split("."):
        case [table, columns, digest, kind, ending] if (kind, ending) == (FLAT, ENDING):
            return Name(path, table, columns, None, digest)
        case [table, columns, space, digest, kind, ending] if (kind, ending) == (
            CODES,
            ENDING,
        ):
            label = space.replace("-", "/")
            return Name(path, table, columns, label, digest)
    return None


def digests(root: Path, table: str) -> list[str]:
    """What the files of a table cover, the newest first."""
    found = (root / FOLDER).glob(f"{table}.*.{ENDING}")
    made: dict[str, int] = {}
    for path in found:
        if (name := parse(path)) is None:
            continue
        digest = name.digest
        made[digest] = max(made.get(digest, 0), path.stat().st_mtime_ns)
    return sorted(made, key=lambda digest: -made[digest])


def read(
    path: Path, kind: str
) -> tuple[dict[str, NDArray[Any]], dict[str, str], Covered]:
    """Arrays, mapped; what is said of them; and the rows that they are of.

    Raises:
        ArchiveError: the file is damaged, or of another kind or version.
    """
    with foreign(path):
        found, said = arrays.read(path, _REMEDY)
        expect(path, said.get("kind") == kind, f"the kind {kind}", said.get("kind"))
        # Of a plain array a slice costs a tenth of what it costs of a memmap.
        plain = {name: np.asarray(one) for name, one in found.items()}
        return plain, said, Covered.parse(said["covered"])


def expect(path: Path, held: bool, what: str, got: object = "something else") -> None:
    """Say what is wrong with a file, and what to do.

    Raises:
        ArchiveError: `held` is false.
    """
    if not held:
        raise ArchiveError(f"expected {what} in {path}, got {got}; {_REMEDY}")


@contextmanager
def foreign(path: Path) -> Iterator[None]:
    """What a file that we did not write makes of our reading, in one line.

    Raises:
        ArchiveError: instead.
    """
    try:
        yield
    except ArchiveError:
        raise
    except (KeyError, ValueError, TypeError, AttributeError, OSError) as error:
        told = " ".join(str(error).split()) or "something else"
        expect(path, held=False, what="an index", got=f"what cannot be read: {told}")
