"""A bounded sample of the archive: who may be an analogue, and what is a common step.

The pool holds the reduced histories of at most so many patches, chosen by a seeded hash of
their ids, so that neither the order of blocks nor where they are cut matters.
"""

import hashlib
import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.own import own
from terradrift.detect.settings import Settings
from terradrift.series import Series
from terradrift.space import Space, placed

_SAMPLE_ROWS = 16384
_SAMPLE_PER_PATCH = 16
_LEAST_SCALE = 0.1
"""Least standard deviation of a feature, as a share of the median one."""
Blocks = Callable[[], Iterator[Series]]


@dataclass(frozen=True, slots=True, eq=False)
class Basis:
    """Principal components of a sample of clear observations, standardised and squashed."""

    center: NDArray[np.float32]
    """(d,), mean of the sample."""
    scale: NDArray[np.float32]
    """(d,), standard deviation of the sample."""
    mean: NDArray[np.float32]
    """(d,), mean of the squashed sample."""
    axes: NDArray[np.float32]
    """(d, r), orthonormal columns."""

    def reduce(
        self, vectors: NDArray[np.floating], clear: NDArray[np.bool_]
    ) -> NDArray[np.float32]:
        """(n, t, d) to (n, t, r); zeros where not clear."""
        out = np.zeros((*clear.shape, self.axes.shape[1]), np.float32)
        for row in range(len(clear)):  # one patch at a time: no float32 copy of a block
            seen = clear[row]
            squashed = squash(vectors[row, seen], self.center, self.scale)
            out[row, seen] = (squashed - self.mean) @ self.axes
        return out


@dataclass(frozen=True, eq=False)
class Pool:
    """Reduced histories of `m` patches over all `t` days of the archive."""

    patch_ids: NDArray[np.str_]
    """(m,), sorted."""
    days: NDArray[np.datetime64]
    """(t,), datetime64[D], ascending."""
    vectors: NDArray[np.float32]
    """(m, t, r), zeros where not clear."""
    clear: NDArray[np.bool_]
    """(m, t)"""
    z: NDArray[np.float32]
    """(m, t), robust z of their drift from their own past, NaN where not known."""

    @cached_property
    def square(self) -> float:
        """Mean squared length of the clear vectors."""
        seen = max(int(self.clear.sum()), 1)
        total = float(np.einsum("mtr,mtr->", self.vectors, self.vectors))
        return max(total / seen, 1e-30)

    def __len__(self) -> int:
        return len(self.patch_ids)

    def on(self, days: NDArray[np.datetime64]) -> NDArray[np.int64]:
        """Position of each of `days` among the pool's."""
        return np.searchsorted(self.days, days)

    def find(self, patch_ids: NDArray[np.str_]) -> NDArray[np.int64]:
        """Position of each patch in the pool, -1 where it is not a member."""
        if len(self) == 0:
            return np.full(len(patch_ids), -1)
        at = np.minimum(np.searchsorted(self.patch_ids, patch_ids), len(self) - 1)
        return np.where(self.patch_ids[at] == patch_ids, at, -1)


def usable(series: Series, settings: Settings) -> NDArray[np.bool_]:
    """(n, t), which observations are clear enough to be scored."""
    with np.errstate(invalid="ignore"):
        clear: NDArray[np.bool_] = series.clear_percent >= settings.min_clear
    return clear


def priority(patch_id: str, seed: int) -> int:
    """A number that orders patches at random, the same in every run with the seed."""
    digest = hashlib.blake2b(f"{seed}:{patch_id}".encode(), digest_size=8).digest()
    return int.from_bytes(digest)


def fit(
    blocks: Blocks, settings: Settings
) -> tuple[Basis, NDArray[np.datetime64]] | None:
    """Components of a sample of clear observations, and all days of the archive.

    None where no observation is clear.
    """
    kept: list[tuple[int, str, NDArray[np.float32]]] = []
    days: NDArray[np.datetime64] = np.empty(0, "datetime64[D]")
    most = _SAMPLE_ROWS // _SAMPLE_PER_PATCH
    for series in blocks():
        clear = usable(series, settings)
        days = np.union1d(days, series.days[clear.any(axis=0)])
        for row, patch_id in enumerate(series.patch_ids):
            if not clear[row].any():
                continue
            entry = (-priority(str(patch_id), settings.seed), str(patch_id))
            if len(kept) == most and entry < kept[0][:2]:
                continue
            seen = np.flatnonzero(clear[row])
            take = seen[
                np.linspace(0, len(seen) - 1, min(len(seen), _SAMPLE_PER_PATCH)).astype(
                    int
                )
            ]
            item = (*entry, series.vectors[row, take].astype(np.float32))
            (heapq.heappushpop if len(kept) == most else heapq.heappush)(kept, item)
    if not kept:
        return None
    sample = np.concatenate([rows for _, _, rows in sorted(kept, key=lambda k: k[:2])])
    return components(sample, settings.dimensions), days


def squash(
    rows: NDArray[np.floating], center: NDArray[np.float32], scale: NDArray[np.float32]
) -> NDArray[np.float32]:
    """Tanh of standardised (m, d) rows.

    Features with heavy tails (a kernel that answers to roofs and clouds only) would
    otherwise decide every distance alone.
    """
    standard = (rows.astype(np.float32) - center) / scale
    squashed: NDArray[np.float32] = np.tanh(standard)
    return squashed


def components(sample: NDArray[np.float32], dimensions: int) -> Basis:
    """The leading principal components of squashed (m, d) rows, each with a fixed sign."""
    center = sample.mean(axis=0, dtype=np.float64).astype(np.float32)
    scale = sample.std(axis=0, dtype=np.float64)
    # A feature that hardly varies must not become as loud as the others.
    scale = np.maximum(scale, _LEAST_SCALE * np.median(scale))
    scale = np.where(scale > 0, scale, 1.0).astype(np.float32)
    squashed = squash(sample, center, scale).astype(np.float64)
    mean = squashed.mean(axis=0)
    squashed -= mean
    values, vectors = np.linalg.eigh(squashed.T @ squashed / len(sample))
    # Components without variance are noise of the arithmetic.
    real = int((values > 1e-9 * max(values[-1], 1e-30)).sum())
    axes = vectors[:, ::-1][:, : max(1, min(dimensions, real))]
    largest = np.abs(axes).argmax(axis=0)
    axes = axes * np.where(axes[largest, np.arange(axes.shape[1])] < 0, -1.0, 1.0)
    return Basis(
        center,
        scale,
        mean.astype(np.float32),
        np.ascontiguousarray(axes, np.float32),
    )


def gather(
    blocks: Blocks,
    basis: Basis,
    days: NDArray[np.datetime64],
    settings: Settings,
    space: Space | None = None,
) -> Pool:
    """The reduced histories of the pool's patches, and how they judge themselves.

    Cosines to the own past are taken in `space`, where one is given.
    """
    width = max(1, len(days)) * (basis.axes.shape[1] * 4 + 5)
    most = max(
        settings.min_controls + 1, min(settings.pool, settings.pool_bytes // width)
    )
    kept: list[_Member] = []
    for series in blocks():
        clear = usable(series, settings)
        columns = np.searchsorted(days, series.days)
        found = [
            (-priority(str(patch_id), settings.seed), str(patch_id), row)
            for row, patch_id in enumerate(series.patch_ids)
            if clear[row].any()
        ]
        if len(kept) == most:
            found = [item for item in found if item[:2] > kept[0][:2]]
        rows = np.array([row for _, _, row in sorted(found)[-most:]], np.int64)
        if len(rows) == 0:
            continue
        vectors = basis.reduce(series.vectors[rows], clear[rows])
        whole = placed(series.vectors[rows], clear[rows], space)
        z = own(whole, clear[rows], series.days, settings).z
        for key, item in zip(sorted(found)[-most:], range(len(rows)), strict=True):
            seen = np.flatnonzero(clear[rows[item]])
            member = (
                *key[:2],
                _whole(vectors[item, seen], columns[seen], len(days)),
                _whole(clear[rows[item], seen], columns[seen], len(days)),
                _whole(z[item, seen], columns[seen], len(days)),
            )
            (heapq.heappushpop if len(kept) == most else heapq.heappush)(kept, member)
    kept.sort(key=lambda member: member[1])
    return Pool(
        np.array([member[1] for member in kept], dtype=np.str_),
        days,
        *(np.stack([member[part] for member in kept]) for part in (2, 3, 4)),
    )


_Member = tuple[int, str, NDArray[Any], NDArray[Any], NDArray[Any]]


def _whole(values: NDArray[Any], columns: NDArray[np.int64], days: int) -> NDArray[Any]:
    """(k, ...) values at `columns` of (days, ...), zeros elsewhere."""
    whole = np.zeros((days, *values.shape[1:]), values.dtype)
    whole[columns] = values
    return whole
