"""Vectors before they are rounded for the store, and ways to store them in fewer bytes."""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from terradrift.embed import run as embedding
from terradrift.series import Series

SAMPLE = 5_000
"""Observations that scales, means and components are fitted on."""
KEPT = 64
"""Principal components that are stored."""
CLIP = 0.999
"""Of int8: the share of a dimension's distances to its mean that the scale covers."""

Coder = Callable[[NDArray[np.float32]], NDArray[np.float32]]
"""(n, d) vectors to what is read back after they were stored, (n, d) or, of signs, +-1."""


@dataclass(frozen=True)
class Storage:
    """One way to store vectors."""

    name: str
    size: Callable[[int], int]
    """Bytes of a vector of d numbers."""
    fit: Callable[[NDArray[np.float32]], Coder]
    """Of a sample (m, d)."""


@contextmanager
def kept() -> Iterator[dict[str, list[tuple[Any, ...]]]]:
    """By model, patches, times and float32 vectors that are embedded meanwhile.

    Rows are where vectors become float16, so they are listened to there.
    """
    given: dict[str, list[tuple[Any, ...]]] = {}
    rows = embedding.rows

    def listening(
        image: Any, usable: Any, vectors: Any, card: Any, run_id: str
    ) -> object:
        part = image.patch_ids[usable], image.times[usable], vectors.copy()
        given.setdefault(card.name, []).append(part)
        return rows(image, usable, vectors, card, run_id)

    embedding.rows = listening
    try:
        yield given
    finally:
        embedding.rows = rows


def in_single(series: Sequence[Series], given: list[tuple[Any, ...]]) -> list[Series]:
    """The series with the vectors that their float16 ones were rounded from.

    Raises:
        ValueError: they were not.
    """
    at = {
        (str(patch), time): (part, row)
        for part, (patches, times, _) in enumerate(given)
        for row, (patch, time) in enumerate(
            zip(patches, times.astype("datetime64[us]").astype(np.int64), strict=True)
        )
    }
    made = []
    for block in series:
        vectors = np.zeros(block.vectors.shape, np.float32)
        times = block.times.astype(np.int64)
        for row, column in np.argwhere(~np.isnat(block.times)):
            part, source = at[str(block.patch_ids[row]), times[row, column]]
            vectors[row, column] = given[part][2][source]
        if not np.array_equal(vectors.astype(np.float16), block.vectors):
            raise ValueError("what was embedded is not what is stored")
        made.append(replace(block, vectors=vectors))
    return made


def stored(series: Sequence[Series], code: Coder) -> list[Series]:
    """The series as they are read back; zeros where there is no observation."""
    made = []
    for block in series:
        seen = ~np.isnat(block.times)
        rows = code(block.vectors[seen])
        vectors = np.zeros((*seen.shape, rows.shape[1]), np.float32)
        vectors[seen] = rows
        made.append(replace(block, vectors=vectors))
    return made


def _float16(_sample: NDArray[np.float32]) -> Coder:
    return lambda rows: rows.astype(np.float16).astype(np.float32)


def _int8(share: float) -> Callable[[NDArray[np.float32]], Coder]:
    def fit(sample: NDArray[np.float32]) -> Coder:
        mean = sample.mean(axis=0)
        reach = np.quantile(np.abs(sample - mean), share, axis=0)
        step = np.where(reach > 0, reach / 127, 1).astype(np.float32)

        def code(rows: NDArray[np.float32]) -> NDArray[np.float32]:
            whole = np.clip(np.rint((rows - mean) / step), -127, 127).astype(np.int8)
            return mean + step * whole.astype(np.float32)

        return code

    return fit


def principal(
    sample: NDArray[np.float32], count: int
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.float64]]:
    """Mean (d,), axes (d, count or d) and shares of variance (d,), largest first."""
    mean = sample.mean(axis=0, dtype=np.float64)
    apart = sample - mean
    values, axes = np.linalg.eigh(apart.T @ apart)
    values = np.maximum(values[::-1], 0)
    leading = axes[:, ::-1][:, :count]
    return mean.astype(np.float32), leading.astype(np.float32), values / values.sum()


def _pca(sample: NDArray[np.float32]) -> Coder:
    mean, axes, _ = principal(sample, KEPT)

    def code(rows: NDArray[np.float32]) -> NDArray[np.float32]:
        held = ((rows - mean) @ axes).astype(np.float16)
        return mean + held.astype(np.float32) @ axes.T

    return code


def _signs(sample: NDArray[np.float32]) -> Coder:
    mean = sample.mean(axis=0)
    return lambda rows: np.where(rows > mean, 1, -1).astype(np.float32)


def _levels(sample: NDArray[np.float32]) -> Coder:
    mean = sample.mean(axis=0)
    away = np.abs(sample - mean).mean(axis=0)
    return lambda rows: (mean + np.where(rows > mean, away, -away)).astype(np.float32)


FLOAT32 = Storage("float32", lambda d: 4 * d, lambda _sample: lambda rows: rows)
STORAGES = (
    Storage("float16", lambda d: 2 * d, _float16),
    Storage("int8", lambda d: d, _int8(CLIP)),
    Storage("int8, largest", lambda d: d, _int8(1.0)),
    Storage(f"PCA-{KEPT}", lambda _d: 2 * KEPT, _pca),
    Storage("binary", lambda d: -(-d // 8), _signs),
    Storage("binary, levels", lambda d: -(-d // 8), _levels),
)
"""Two of int8: steps such that 99.9 % or all of the sample are covered. Two of binary:
signs read back as +-1, so that all is compared about the mean, or as two levels about it."""
