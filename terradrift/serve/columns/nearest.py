"""The change at a place on the map."""

import numpy as np
from numpy.typing import NDArray

from terradrift.serve.columns import mercator, squares
from terradrift.serve.columns.changes import Changes


def at(
    changes: Changes,
    passes: NDArray[np.bool_],
    longitude: float,
    latitude: float,
    metres: float,
) -> int | None:
    """Where the change stands whose patch is nearest, of those that pass.

    A patch that holds the place is at distance 0; of equally near ones the strongest change.
    Distances are those to the box of the patch. None where nothing is within `metres`.
    """
    x = int(mercator.x_of(np.array([longitude]))[0])
    y = int(mercator.y_of(np.array([latitude]))[0])
    unit = mercator.unit_m(latitude)
    reach = int(metres / unit) + 1
    rows, shift = changes.squares.touching(x - reach, y - reach, x + reach, y + reach)
    kept = passes[rows]
    rows, shift = rows[kept], shift[kept]
    low, high = squares.bounds(changes.squares.corners[rows])
    place = np.array([x, y])
    moved = np.stack([shift, np.zeros_like(shift)], axis=1)
    apart = np.maximum(np.maximum(low + moved - place, place - high - moved), 0)
    away = np.hypot(apart[:, 0], apart[:, 1])
    near = np.flatnonzero(away * unit <= metres)
    if not len(near):
        return None
    first = near[np.lexsort((changes.rank[rows[near]], away[near]))[0]]
    return int(rows[first])
