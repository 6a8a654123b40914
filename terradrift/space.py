"""The space that vectors of a model are compared in: as they are, centred, or whitened (pure).

Vectors of networks that end in a normalisation share one large component, so that all pairs
have a cosine of 0.8 to 0.99 and what differs between places is lost in the rest. Taking the
archive's own mean off (`centre`) removes it; `whiten` also makes all directions equally
loud, as in Su et al. 2021, "Whitening sentence representations for better semantics and
faster retrieval", arXiv:2103.15316, with shrinkage. `triplet` is learned from the regimes of a
taxonomy (`detect.taxonomy.refine`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

Name = Literal["centre", "whiten", "triplet"]
NAMES: tuple[Name, ...] = ("centre", "whiten")
"""Those that `fit` makes."""
LEARNED = "triplet"
"""What `taxonomy --refine` learns: its lengths mean something, and are not to be undone."""
RAW = "raw"
"""What vectors as they are stored are called."""

SHRINKAGE = 0.1
"""Share of the mean variance that is added to every variance before whitening."""
_LEAST = 1e-6
"""Directions of less than this share of the largest variance are noise of the arithmetic."""


@dataclass(frozen=True, slots=True, eq=False)
class Space:
    """A stored linear map of one model's vectors, fitted on one archive."""

    name: Name
    version: int
    """Counts the fits of that name on the archive, from 1."""
    mean: NDArray[np.float32]
    """(d,), of the vectors it was fitted on."""
    matrix: NDArray[np.float32] | None
    """(d, r), applied after the mean is taken off; None: left as it is."""
    observations: int
    """Vectors that it was fitted on."""
    last_day: np.datetime64 | None = None
    """The last day of these vectors, datetime64[D]; None: not known."""

    @property
    def label(self) -> str:
        """Name and version, such as `whiten/2`."""
        return f"{self.name}/{self.version}"

    @property
    def learned(self) -> bool:
        """Whether it was learned from clusters, by `terradrift taxonomy --refine`."""
        return self.name == LEARNED

    @property
    def fitted_on(self) -> str:
        """The days that it was fitted on, as `space_fitted_on` of a table tells them."""
        return "not known" if self.last_day is None else f"up to {self.last_day}"

    def knew(self, day: np.datetime64) -> str:
        """A note where this space knew days after `day`, or may have; empty where not.

        For what is to be judged by days up to `day` alone (datetime64[D]).
        """
        if self.last_day is None:
            return (
                f"{self.label} does not say which days it was fitted on: it may know days "
                f"after {day}"
            )
        if self.last_day <= day:
            return ""
        return f"{self.label} was fitted on days {self.fitted_on}: it knows days after {day}"

    def place(self, vectors: NDArray[np.floating]) -> NDArray[np.float32]:
        """Vectors (..., d) in this space, (..., r)."""
        return self.step(vectors - self.mean)

    def step(self, deltas: NDArray[np.floating]) -> NDArray[np.float32]:
        """Differences (..., d) of vectors in this space, (..., r)."""
        wide = np.asarray(deltas, np.float32)
        if self.matrix is None:
            return wide
        found: NDArray[np.float32] = wide @ self.matrix
        return found


def placed(
    vectors: NDArray[np.floating], clear: NDArray[np.bool_], space: Space | None
) -> NDArray[np.floating]:
    """Histories (n, t, d) in the space, (n, t, r), zeros where not clear; as they are in none."""
    if space is None:
        return vectors
    width = vectors.shape[-1] if space.matrix is None else space.matrix.shape[1]
    out = np.zeros((*clear.shape, width), np.float32)
    for row in range(len(clear)):  # one patch at a time: no float32 copy of a block
        out[row, clear[row]] = space.place(vectors[row, clear[row]])
    return out


@dataclass
class Moments:
    """Sums over vectors, batch by batch, in float64."""

    dimensions: int
    turned: bool = True
    """Whether products are summed too, which take nearly all of the time."""
    count: int = 0
    total: NDArray[np.float64] = field(init=False)
    products: NDArray[np.float64] = field(init=False)

    def __post_init__(self) -> None:
        self.total = np.zeros(self.dimensions)
        self.products = np.zeros((self.dimensions, self.dimensions))

    def add(self, vectors: NDArray[np.floating]) -> None:
        """Take (n, d) finite vectors."""
        wide = vectors.astype(np.float64)
        self.count += len(wide)
        self.total += wide.sum(axis=0)
        if self.turned:
            self.products += wide.T @ wide

    @property
    def mean(self) -> NDArray[np.float64]:
        """Mean of each number, (d,)."""
        return self.total / max(self.count, 1)

    @property
    def covariance(self) -> NDArray[np.float64]:
        """Covariances, (d, d)."""
        return self.products / max(self.count, 1) - np.outer(self.mean, self.mean)


def fit(
    name: str, batches: Iterable[NDArray[np.floating]], dimensions: int, version: int
) -> Space:
    """The space of that name for vectors that come in batches (n, d).

    Raises:
        ValueError: no such space, fewer than two vectors, or all are the same.
    """
    if name not in NAMES:
        raise ValueError(f"a space is one of {', '.join((RAW, *NAMES))}, got {name!r}")
    moments = Moments(dimensions, turned=name != "centre")
    for batch in batches:
        moments.add(batch)
    if moments.count < 2:
        raise ValueError(
            f"a space is fitted on at least two vectors, got {moments.count}"
        )
    mean = moments.mean.astype(np.float32)
    if name == "centre":
        return Space("centre", version, mean, None, moments.count)
    return Space("whiten", version, mean, _whitening(moments), moments.count)


def _whitening(moments: Moments) -> NDArray[np.float32]:
    """(d, r) principal components, each divided by its shrunken standard deviation."""
    values, vectors = np.linalg.eigh(moments.covariance)
    values, vectors = values[::-1], vectors[:, ::-1]
    # Sums of squares of large numbers leave this much of nothing.
    smallest = max(_LEAST * values[0], 1e-12 * float(moments.mean @ moments.mean))
    real = int((values > smallest).sum())
    if real == 0:
        raise ValueError("a space is fitted on vectors that differ; all are the same")
    values, vectors = values[:real], vectors[:, :real]
    largest = np.abs(vectors).argmax(axis=0)
    sign = np.where(vectors[largest, np.arange(real)] < 0, -1.0, 1.0)
    scale = np.sqrt(values + SHRINKAGE * values.mean())
    return np.ascontiguousarray(vectors * (sign / scale), np.float32)
