"""The nearest by codes: estimates, and the cosines of those that may be near, from vectors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from terradrift.query.index import kernel

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from terradrift.query.index.codes import Lists
    from terradrift.query.index.exact import Vectors
    from terradrift.query.index.frame import Turned
    from terradrift.query.search.nearest import Query

SPREADS = 2.0
"""Standard deviations by which an estimate may be too small before its row is passed over."""
PER_FACTOR = 0.6
"""Of an estimate's deviation beside factor and |q - c|: sqrt(1 - 0.64) / 1, where 0.8 is
<sign(v), v> / (|v| sqrt(r)) of a vector in a random direction (Gao and Long 2024, 3.2)."""
LEVELS = 15


@dataclass(frozen=True, slots=True, eq=False)
class Probed:
    """Rows found, in no order, and what it took."""

    positions: NDArray[np.int64]
    cosines: NDArray[np.float32]
    read: int
    """Rows whose codes were read, rounded up to blocks."""
    compared: int
    """Rows whose vectors were."""
    lists: int

    def far(self, which: int) -> float:
        """Distance of the `which`-th nearest (from 1); infinity where fewer are found."""
        if len(self.cosines) < which:
            return float("inf")
        at = len(self.cosines) - which
        return 1 - float(np.partition(self.cosines, at)[at])


def probe(
    vectors: Vectors,
    lists: Lists,
    query: Query,
    k: int,
    probes: int,
    *,
    allowed: NDArray[np.uint64] | None = None,
    spreads: float = SPREADS,
    way: int = 0,
) -> Probed:
    """Nearly all of the k nearest rows.

    Args:
        vectors: of the rows.
        lists: of the same rows.
        query: in the space.
        k: rows wanted.
        probes: lists to look at, the nearest centroids first; more where fewer than `k`
            rows are found in them.
        allowed: a bit per row, in words of 64; None: all rows.
        spreads: see `SPREADS`.
        way: as of `rows.dots`.

    Raises:
        ValueError: the processor lacks what `way` asks for.
    """
    turned = vectors.frame.turn(query.vectors)
    unit = query.vectors.ravel()
    unit = unit / np.sqrt(unit @ unit)
    width = spreads * PER_FACTOR
    call = kernel.opened("probe")
    if call is None:
        seen = _Seen(vectors, lists, turned, lists.rotation @ unit, allowed)
        return _probe(seen, k, probes, width)
    rows = [flat.address for flat in vectors.flats]
    found, cosines = np.empty(k, np.int32), np.empty(k, np.float32)
    looked = np.zeros(3, np.int64)
    count = call(
        *lists.addresses,
        lists.count,
        probes,
        kernel.at(unit, np.float32),
        lists.width,
        rows[0],
        rows[1] if len(rows) > 1 else None,
        kernel.at(turned.vectors, np.float32),
        vectors.frame.dimensions,
        turned.offset,
        None if allowed is None else kernel.at(allowed, np.uint64),
        k,
        width,
        way,
        kernel.at(found, np.int32),
        kernel.at(cosines, np.float32),
        kernel.at(looked, np.int64),
    )
    if count == -1:
        raise MemoryError(f"no memory left for the {k} nearest")
    if count < 0:
        raise ValueError(f"this processor cannot take the way {way}")
    return Probed(found[:count].astype(np.int64), cosines[:count], *looked.tolist())


@dataclass(frozen=True, slots=True, eq=False)
class _Seen:
    """What the twin of the kernel is handed, as there."""

    vectors: Vectors
    lists: Lists
    turned: Turned
    asked: NDArray[np.float32]
    """(r,) the query of length 1, rotated."""
    allowed: NDArray[np.uint64] | None


def _probe(seen: _Seen, k: int, probes: int, width: float) -> Probed:
    """The twin: the least that counts is told once a list, not once a block."""
    positions, cosines = np.empty(0, np.int64), np.empty(0, np.float32)
    read = compared = done = 0
    near = seen.lists.centroids @ seen.asked - seen.lists.halves
    for at in np.argsort(-near, kind="stable").tolist():
        if done >= probes and len(positions) >= k:
            break
        done += 1
        first, last = seen.lists.starts[at : at + 2].tolist()
        bar = cosines.min() if len(cosines) == k else -np.inf
        hits = estimates(seen.lists, at, seen.asked, width) > bar
        rows = seen.lists.positions[first:last][hits].astype(np.int64)
        if seen.allowed is not None:
            word, bit = np.divmod(rows, 64)
            rows = rows[
                (seen.allowed[word] >> bit.astype(np.uint64)) & np.uint64(1) > 0
            ]
        positions = np.concatenate([positions, rows])
        cosines = np.concatenate([cosines, _cosines(seen, rows)])
        if len(cosines) > k:
            best = np.argpartition(-cosines, k - 1)[:k]
            positions, cosines = positions[best], cosines[best]
        read += 8 * (last - first)
        compared += len(rows)
    return Probed(positions, cosines, read, compared, done)


def estimates(
    lists: Lists,
    at: int,
    asked: NDArray[np.float32],
    width: float,
) -> NDArray[np.float32]:
    """(blocks, 8) the most that the cosines of a list's rows with `asked` may be.

    The query less the centroid is taken in 16 levels. With `width` 0: the estimates.
    """
    first, last = lists.starts[at : at + 2].tolist()
    apart = asked - lists.centroids[at]
    low = apart.min()
    step = (apart.max() - low) / np.float32(LEVELS)
    level = np.floor((apart - low) / step + np.float32(0.5)) if step > 0 else 0 * apart
    words = lists.codes[first:last].transpose(0, 2, 1)  # (blocks, 8, words)
    packed = np.ascontiguousarray(words).astype("<u8").view(np.uint8)
    bits = np.unpackbits(packed, axis=-1, bitorder="little")[..., : lists.width]
    above = bits.astype(np.float32) @ (low + step * level)
    factor, rest = lists.factors[first:last].transpose(1, 0, 2)
    length = np.linalg.norm(apart)
    found: NDArray[np.float32] = (
        lists.centroids[at] @ asked
        + rest
        + factor * (2 * above - apart.sum() + width * length)
    )
    return found


def _cosines(seen: _Seen, rows: NDArray[np.int64]) -> NDArray[np.float32]:
    products = np.zeros(len(rows), np.float32)
    for flat, vector in zip(seen.vectors.flats, seen.turned.vectors, strict=True):
        products += flat.vectors[rows].astype(np.float32) @ vector
    found: NDArray[np.float32] = (
        products - np.float32(seen.turned.offset)
    ) / seen.vectors.lengths[rows]
    return found
