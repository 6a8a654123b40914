"""How a table's columns are laid out in a file: what is stored once, and the order of rows.

`rows` holds what differs from row to row, `moments` each date with its scene once, and
`places` each patch with its tile and geometry once; the box of a patch, which compresses to
nothing, stays beside the rows, so that blocks of rows know where they lie. Rows lie along a
Hilbert curve over the ground, then in time, so that neighbours compress and a box is in few
blocks.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from terradrift.query.lance_scan import is_vector
from terradrift.store import hilbert, names

PLACE = ("longitude", "latitude", "bbox", "geometry")
"""Columns of `patches` that are shown beside rows of patches."""

BESIDE = ("longitude", "latitude", "bbox")
"""Those of them that stand in `rows`."""

_DATED = ("embeddings", "scores", "anomalies")
"""Tables of one row per patch and date."""

_TIMES = {"changes": "onset", "alerts": "detected"}
"""Others of many rows for each of few dates."""

_PLAIN = ("patches", "events", "patch_changes", "regimes")
"""Others that lie on the ground."""

_BITS = 24
"""Cells per axis of the curve: 2 ** 24 around the Earth are 2.4 m at most."""


@dataclass(frozen=True, slots=True)
class Form:
    """Where each column of a table stands in its file; vectors are in none."""

    rows: tuple[str, ...]
    moments: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    """Of the table itself; `PLACE` is added, in `rows` and here."""


def covers(table: str) -> bool:
    """Whether there are files of that table."""
    return names.kind(table) in (*_DATED, *_TIMES, *_PLAIN)


def of(table: str, schema: pa.Schema) -> Form:
    """The form of `table`, which has these columns.

    Raises:
        ValueError: there are no files of that table.
    """
    plain = tuple(field.name for field in schema if not is_vector(field.type))
    base = names.kind(table)
    if base in _DATED:
        moments = tuple(name for name in ("datetime", "scene_id") if name in plain)
        rows = tuple(name for name in plain if name not in (*moments, "tile"))
        return Form(rows, moments, ("patch_id", "tile"))
    if base in _TIMES:
        rows = tuple(name for name in plain if name != _TIMES[base])
        return Form(rows, (_TIMES[base],))
    if base not in _PLAIN:
        raise ValueError(
            f"expected a table that lies on the ground, got {table}; its rows are read "
            "from Lance"
        )
    return Form(plain)


def along(
    longitude: NDArray[np.float64], latitude: NDArray[np.float64]
) -> NDArray[np.int64]:
    """(n,) place on a Hilbert curve over the Earth; -1 where a place is NaN."""
    side = 1 << _BITS
    known = np.isfinite(longitude) & np.isfinite(latitude)
    x, y = (
        np.clip((np.where(known, at, 0.0) / 360 + 0.5) * side, 0, side - 1)
        for at in (longitude, latitude)
    )
    found = hilbert.distance(x.astype(np.int64), y.astype(np.int64), bits=_BITS)
    return np.where(known, found, -1)
