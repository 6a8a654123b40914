"""Copies of vectors by row id, for who needs vectors and no search: means of many rows."""

from __future__ import annotations

import weakref
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from terradrift.errors import ArchiveError
from terradrift.query.index import files, flat
from terradrift.query.index.covered import covered
from terradrift.query.index.rows import widen

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import lance
    from numpy.typing import NDArray

    from terradrift.query.index.covered import Covered
    from terradrift.query.index.flat import Flat

BLOCK = 1024
"""Rows given at a time."""


@dataclass(frozen=True, eq=False)
class Copied:
    """Some columns of a version of a table, as far as they are copied."""

    columns: tuple[str, ...]
    flats: tuple[Flat, ...]
    covered: Covered
    live: NDArray[np.bool_]
    """(f,), which fragments the version has as they were."""

    def split(
        self, row_ids: NDArray[np.uint64]
    ) -> tuple[NDArray[np.int64], NDArray[np.uint64]]:
        """Positions of those of the ascending ids that are copied, and the other ids."""
        positions = self.covered.positions(row_ids, self.live)
        others = np.setdiff1d(row_ids, self.covered.row_ids(positions), True)
        return positions, others

    def blocks(
        self, positions: NDArray[np.int64]
    ) -> Iterator[dict[str, NDArray[np.float32]]]:
        """(n, d) of each column, NaN where a vector is null or not finite."""
        for start in range(0, len(positions), BLOCK):
            at = positions[start : start + BLOCK]
            found = {}
            for name, one in zip(self.columns, self.flats, strict=True):
                rows = one.vectors[at]
                wide = np.empty(rows.shape, np.float32)
                widen(rows, np.zeros(rows.shape[1], np.float32), wide)
                wide[np.isnan(one.lengths[at])] = np.nan
                found[name] = wide
            yield found


_Key = tuple[tuple[str, ...], int]
_OPENED: weakref.WeakKeyDictionary[lance.LanceDataset, dict[_Key, Copied | None]] = (
    weakref.WeakKeyDictionary()
)


def opened(table: lance.LanceDataset, columns: Sequence[str]) -> Copied | None:
    """The newest copies of all `columns` of an archive's table; None where one is missing.

    A file that cannot be read is as good as none: a search that needs it says so.
    """
    place = Path(table.uri)
    try:
        changed = (place.parent / files.FOLDER).stat().st_mtime_ns
    except OSError:
        return None
    key = (tuple(columns), changed)
    kept = _OPENED.get(table, {})
    if key not in kept:
        # What was found before the folder changed is of no use any more.
        kept = {one: held for one, held in kept.items() if one[1] == changed}
        kept[key] = _find(place, table, key[0])
        _OPENED[table] = kept
    return kept[key]


def _find(
    place: Path, table: lance.LanceDataset, columns: tuple[str, ...]
) -> Copied | None:
    for digest in files.digests(place.parent, place.stem):
        paths = [files.flat(place.parent, place.stem, one, digest) for one in columns]
        if not all(path.exists() for path in paths):
            continue
        try:
            now = covered(table).fragments
            read = [flat.read(path) for path in paths]
        except ArchiveError:
            continue
        held = read[0][1]
        if any(other != held for _, other in read):
            continue
        live = np.array([part in now for part in held.fragments], bool)
        return Copied(columns, tuple(one for one, _ in read), held, live)
    return None
