"""Figures of columns as they are stored: no first view waits for a database (pure)."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

STEPS = (0, 0.25, 0.5, 0.75, 0.9, 0.97, 0.99, 0.999, 1)
"""Shares of the changes whose scores are told."""

_SIDES = (("xmin", min), ("ymin", min), ("xmax", max), ("ymax", max))


def box(batches: Iterable[pa.RecordBatch]) -> list[float] | None:
    """West, south, east and north of all rows by their `bbox`; None where no row has one."""
    found: list[list[float]] = []
    for batch in batches:
        boxes = batch.column("bbox").drop_null()
        ends = [pc.min_max(pc.struct_field(boxes, name)) for name, _ in _SIDES]
        sides = [
            one[end.__name__].as_py()
            for one, (_, end) in zip(ends, _SIDES, strict=True)
        ]
        if None not in sides:
            found.append(sides)
    if not found:
        return None
    return [
        end(sides)
        for sides, (_, end) in zip(zip(*found, strict=True), _SIDES, strict=True)
    ]


def days(instants: pa.ChunkedArray) -> NDArray[np.int32]:
    """(n,) days since 1970, UTC, of those that are known."""
    known = instants.drop_null().cast(pa.date32(), safe=False)
    return np.asarray(known.cast(pa.int32()).to_numpy(), np.int32)


def months(known: NDArray[np.int32]) -> list[dict[str, Any]]:
    """How many of (n,) days lie in each month that has any: `month` as 2018-05, and `n`."""
    if not len(known):
        return []
    first = int(known.min())
    n = np.bincount(known - first)
    month = (np.arange(len(n)) + first).astype("M8[D]").astype("M8[M]")
    starts = np.flatnonzero(np.diff(month.astype(np.int64), prepend=-1 << 40))
    return [
        {"month": str(month[start]), "n": int(total)}
        for start, total in zip(starts, np.add.reduceat(n, starts), strict=True)
        if total
    ]


def words(column: pa.ChunkedArray) -> list[tuple[str, int]]:
    """Each word and how many rows have it, the most frequent first, then by name."""
    counted = pc.value_counts(column.drop_null()).to_pylist()
    pairs = [(one["values"], one["counts"]) for one in counted]
    return sorted(pairs, key=lambda pair: (-pair[1], pair[0]))


def scores(column: pa.ChunkedArray) -> dict[str, Any]:
    """`low`, `high`, and `steps` that each of `STEPS` of them lie below; None of no score."""
    held = np.asarray(column.drop_null().to_numpy(), np.float32)
    held = held[~np.isnan(held)]
    if not len(held):
        return {"low": None, "high": None, "steps": None}
    steps = [float(one) for one in np.quantile(held, STEPS)]
    return {"low": float(held.min()), "high": float(held.max()), "steps": steps}
