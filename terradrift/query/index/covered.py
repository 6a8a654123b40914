"""Which rows of a table files are of: Lance's fragments, and what tells that they changed."""

import hashlib
import json
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from terradrift.errors import ArchiveError
from terradrift.query.lance_scan import is_vector

if TYPE_CHECKING:
    import lance

    from terradrift.store.layout import Ranges

_OFFSET = np.uint64(32)
"""Bits of a row id below the id of its fragment."""


@dataclass(frozen=True, slots=True)
class Fragment:
    """Rows that were written together."""

    id: int
    rows: int
    """As they were written, deleted ones too."""
    digest: str
    """Of the names of the files with its vectors, and of the one that lists deletions."""


@dataclass(frozen=True)
class Covered:
    """Fragments in the order of their ids; a row's position counts through all their rows."""

    fragments: tuple[Fragment, ...]

    @cached_property
    def digest(self) -> str:
        """Of all fragments: 16 hexadecimal digits."""
        return hashlib.sha256(self.text.encode()).hexdigest()[:16]

    @property
    def text(self) -> str:
        """As JSON, for the head of a file."""
        rows = [(part.id, part.rows, part.digest) for part in self.fragments]
        return json.dumps(rows, separators=(",", ":"))

    @classmethod
    def parse(cls, text: str) -> "Covered":
        """What `text` made JSON of.

        Raises:
            ValueError: it is something else.
        """
        try:
            rows = [Fragment(int(a), int(b), str(c)) for a, b, c in json.loads(text)]
        except TypeError as error:
            raise ValueError(f"expected a list of fragments, got {text:.40}") from error
        return cls(tuple(rows))

    @cached_property
    def starts(self) -> NDArray[np.int64]:
        """(f + 1,) position of the first row of each fragment, and the number of rows."""
        rows = [part.rows for part in self.fragments]
        return np.concatenate([[0], np.cumsum(rows, dtype=np.int64)])

    @property
    def rows(self) -> int:
        """Rows of all fragments."""
        return int(self.starts[-1])

    @cached_property
    def _first(self) -> NDArray[np.uint64]:
        """(f,) id of the first row of each fragment."""
        return np.array([part.id for part in self.fragments], np.uint64) << _OFFSET

    def ranges(self, live: NDArray[np.bool_]) -> "Ranges":
        """Positions of the rows of the fragments that `live` (f,) says, in few ranges."""
        edge = np.diff(np.concatenate([[False], live, [False]]).astype(np.int8))
        at = np.column_stack([np.flatnonzero(edge == 1), np.flatnonzero(edge == -1)])
        ranges: NDArray[np.int64] = self.starts[at]
        return ranges[ranges[:, 0] < ranges[:, 1]]

    def positions(
        self, row_ids: NDArray[np.uint64], live: NDArray[np.bool_]
    ) -> NDArray[np.int64]:
        """Ascending positions of those of the ascending `row_ids` that `live` fragments hold."""
        first = self._first[live]
        last = first + np.diff(self.starts).astype(np.uint64)[live]
        low, high = np.searchsorted(row_ids, first), np.searchsorted(row_ids, last)
        shift = self.starts[:-1][live] - first.astype(np.int64)
        held = [row_ids[a:b] for a, b in zip(low, high, strict=True)]
        found = np.concatenate([*held, np.empty(0, np.uint64)]).astype(np.int64)
        at: NDArray[np.int64] = found + np.repeat(shift, high - low)
        return at

    def row_ids(self, positions: NDArray[np.int64]) -> NDArray[np.uint64]:
        """Ids of the rows at `positions`."""
        at = np.searchsorted(self.starts, positions, side="right") - 1
        found: NDArray[np.uint64] = self._first[at] + (
            positions - self.starts[at]
        ).astype(np.uint64)
        return found


def covered(dataset: "lance.LanceDataset") -> Covered:
    """All fragments of one version of a table.

    Raises:
        ArchiveError: its row ids do not say where rows stand.
    """
    if dataset.has_stable_row_ids:
        raise ArchiveError(
            f"expected a table whose row ids are addresses, {dataset.uri} has stable ones; "
            "copy it into a table without enable_stable_row_ids to index it"
        )
    vectors = {
        field.id()
        for field in dataset.lance_schema.fields()
        if is_vector(dataset.schema.field(field.name()).type)
    }
    parts = sorted(dataset.get_fragments(), key=lambda part: int(part.fragment_id))
    return Covered(
        tuple(
            Fragment(part.fragment_id, part.physical_rows, _digest(part, vectors))
            for part in parts
        )
    )


def _digest(part: "lance.LanceFragment", vectors: set[int]) -> str:
    files = sorted(
        file.path for file in part.data_files() if vectors.intersection(file.fields)
    )
    overlays = map(str, getattr(part.metadata, "overlays", []))
    words = "\n".join([*files, part.deletion_file() or "", *overlays])
    return hashlib.sha256(words.encode()).hexdigest()[:16]
