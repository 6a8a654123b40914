"""Which rows an archive takes: one place for each patch, one row for each patch and day.

Nothing here depends on the order of files or rows.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terradrift.store.majortom.held import NEAR
from terradrift.store.published.cells import numbered
from terradrift.store.published.gather import Gathered
from terradrift.store.sameday import US_PER_DAY
from terradrift.store.tables import Store

_BATCH = 1 << 16


@dataclass(frozen=True, slots=True, eq=False)
class Chosen:
    """What stays."""

    rows: NDArray[np.int64]
    """Rows that stay, by patch and day."""
    fresh: NDArray[np.int64]
    """One row of each patch that the archive does not hold."""
    collided: int
    """Left out: another centre is nearer to the middle of their patch, or has it already."""
    again: int
    """Left out: the same place on the same day, from another file or row."""


def choose(found: Gathered, store: Store | None) -> Chosen:
    """Of centres in one patch the nearest to its middle stays, on all dates.

    A patch that the archive holds keeps its own. Of rows of one centre and day the clearest
    stays, then the earliest, then that of the first scene by name: as the store has it of
    scenes of one day.

    Args:
        found: all rows.
        store: the archive; None: it is yet to be made.
    """
    light = found.light
    key, lon, lat = light["key"], light["lon"], light["lat"]
    order = np.lexsort((lat, lon, light["off"], key))
    first = np.ones(len(order), bool)
    first[1:] = np.diff(key[order]) != 0
    patch = np.empty(len(order), np.int32)
    patch[order] = np.cumsum(first, dtype=np.int32) - 1
    winner = order[first]
    del order, first
    center = np.column_stack([lon[winner], lat[winner]])
    held = _held(store, key[winner])
    known = ~np.isnan(held[:, 0])
    center[known] = held[known]
    east = np.abs(lon - center[patch, 0])
    near = np.maximum(np.minimum(east, 360 - east), np.abs(lat - center[patch, 1]))
    rows = np.flatnonzero(near <= NEAR)
    del east, near
    collided = len(key) - len(rows)
    rows = _once(found, rows, patch)
    fresh = np.empty(len(winner), np.int64)
    fresh[patch[rows][::-1]] = rows[::-1]
    seen = np.zeros(len(winner), bool)
    seen[patch[rows]] = True
    again = len(key) - collided - len(rows)
    return Chosen(rows, fresh[seen & ~known], collided, again)


def _once(
    found: Gathered, rows: NDArray[np.int64], patch: NDArray[np.int32]
) -> NDArray[np.int64]:
    """Of `rows` one for each patch and day, by patch and day."""
    light = found.light
    times = light["time"][rows]
    day = times // US_PER_DAY
    place = patch[rows].astype(np.int64) * (1 << 31) + (day + (1 << 30))
    name = np.argsort(np.argsort(np.array(found.scenes))).astype(np.int32)
    clear = -np.nan_to_num(light["clear"][rows], nan=-1.0)
    order = np.lexsort((name[light["scene"][rows]], times, clear, place))
    first = np.ones(len(order), bool)
    first[1:] = np.diff(place[order]) != 0
    return np.asarray(rows[order[first]])


def _held(store: Store | None, asked: NDArray[np.int64]) -> NDArray[np.float64]:
    """(n, 2) degrees of the centres that the archive has of patches; NaN where it has none.

    Args:
        store: the archive, or None.
        asked: (n,), ascending.
    """
    found = np.full((len(asked), 2), np.nan)
    if store is None or not store.exists("patches") or not len(asked):
        return found
    for batch in store.scan(
        "patches", ["crs", "row", "col", "longitude", "latitude"], batch_size=_BATCH
    ):
        code = numbered(batch)
        spot = np.searchsorted(asked, code).clip(max=len(asked) - 1)
        same = asked[spot] == code
        found[spot[same], 0] = batch.column("longitude").to_numpy()[same]
        found[spot[same], 1] = batch.column("latitude").to_numpy()[same]
    return found
