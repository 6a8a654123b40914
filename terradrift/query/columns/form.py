"""How a table's columns are laid out in a file: what is stored once, and the order of rows.

Tables of one row per patch and date are a star: `rows` holds what differs from row to row,
`moments` each date with its scene and `places` each patch with its tile and place, once.
Every other table is `rows` alone. Rows lie along a Hilbert curve over the ground, then in
time, so that neighbours compress and a box is in few row groups.
"""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from terradrift.query.lance_scan import is_vector
from terradrift.store import hilbert, names

PLACE = ("longitude", "latitude", "bbox", "geometry")
"""Columns of `patches` that are shown beside rows of patches."""

DATED = ("embeddings", "scores", "anomalies")
"""Tables of one row per patch and date."""

_TIMES = {
    "changes": "onset",
    "events": "start",
    "alerts": "detected",
    "patch_changes": None,
    "patches": None,
    "regimes": None,
}
"""Other tables that lie on the ground, and the time that orders rows of one place."""

_BITS = 24
"""Cells per axis of the curve: 2 ** 24 around the Earth are 2.4 m at most."""


@dataclass(frozen=True, slots=True)
class Form:
    """Where each column of a table stands in its file; vectors are in none."""

    rows: tuple[str, ...]
    moments: tuple[str, ...] = ()
    places: tuple[str, ...] = ()
    """Of the table itself; `PLACE` stands beside them."""
    time: str | None = None

    @property
    def dated(self) -> bool:
        """Whether the table is a star."""
        return bool(self.moments)


def covers(table: str) -> bool:
    """Whether there are files of that table."""
    base = names.kind(table)
    return base in DATED or base in _TIMES


def of(table: str, schema: pa.Schema) -> Form:
    """The form of `table`, which has these columns.

    Raises:
        ValueError: there are no files of that table.
    """
    plain = tuple(field.name for field in schema if not is_vector(field.type))
    base = names.kind(table)
    if base in DATED:
        moments = tuple(name for name in ("datetime", "scene_id") if name in plain)
        places = ("patch_id", "tile")
        rows = tuple(name for name in plain if name not in moments + places)
        return Form(rows, moments, places)
    if base not in _TIMES:
        raise ValueError(
            f"expected a table that lies on the ground, got {table}; its rows are read "
            "from Lance"
        )
    return Form(plain, time=_TIMES[base])


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
