"""Distance to a no-change set in its own spread, and the same left out of itself (pure).

Squared distance (x - m)' S^-1 (x - m), S the covariance of the set shrunk towards a multiple
of the identity (Ledoit and Wolf 2004), as in `mahalanobis`. Everything comes from inner
products, so all directions count: also those in which the set does not vary, where a plane
fitted to the set alone is blind. Mean, spread and components are of the set and of nothing
later.

The distances of the members are each to the set without it. They follow from one inverse,
by Sherman and Morrison, with the ridge held: leaving out row c of m centred rows takes
m / (m - 1) c c' from their scatter and moves the mean by c / (m - 1).
"""

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.mahalanobis import shrinkage

_FLAT = 1e-12
"""Mean squared distance to the mean below which members are equal."""
_RANK = 1e-10
"""Share of the largest variance below which a component is none."""


@dataclass(frozen=True, slots=True, eq=False)
class Spread:
    """`f` sets of `r` observations, fitted."""

    inner: NDArray[np.float64]
    """(f, r), inner products of the members with the mean."""
    square: NDArray[np.float64]
    """(f,), of the mean with itself."""
    centred: NDArray[np.float64]
    """(f, r, r), inner products of the members around the mean, in the components kept."""
    inverse: NDArray[np.float64]
    """(f, r, r), of (1 - share) centred + share level r I."""
    share: NDArray[np.float64]
    """(f,), 0..1, of the identity."""
    level: NDArray[np.float64]
    """(f,), mean variance of a direction."""
    dimensions: NDArray[np.float64]
    """(f,), directions that count."""
    axes: NDArray[np.float64] | None
    """(f, r, c), members along the components kept, of length 1; None: all count."""
    variance: NDArray[np.float64] | None
    """(f, c), r times the variance along them, infinite where there is none."""

    @classmethod
    def of(
        cls, among: NDArray[np.float64], width: int, components: int | None = None
    ) -> "Spread":
        """Fit sets by the inner products (f, r, r) of their members.

        Args:
            among: (f, r, r), r at least 3.
            width: dimensions of the vectors.
            components: only the plane of so many principal components counts, or of as
                many as there are; None: all of the space.
        """
        r = among.shape[1]
        inner = among.mean(axis=2)
        square = inner.mean(axis=1)
        centred = among - inner[:, :, None] - inner[:, None] + square[:, None, None]
        dimensions = np.full(len(among), float(width))
        axes: NDArray[Any] | None = None
        variance = None
        if components is not None:
            held, axes = np.linalg.eigh(centred)
            held, axes = held[:, ::-1], axes[:, :, ::-1]
            kept = min(components, r - 1, width)
            held, axes = held[:, :kept], axes[:, :, :kept]
            there = held > _RANK * held[:, :1]
            axes = axes * there[:, None]
            centred = (axes * np.where(there, held, 0.0)[:, None]) @ axes.transpose(
                0, 2, 1
            )
            dimensions = np.maximum(there.sum(axis=1), 1).astype(np.float64)
            variance = np.where(there, held, np.inf)
        count = np.full(len(among), float(r))
        share, level = shrinkage(centred, count, dimensions)
        inverse = _inverse(centred, share, share * level * r)
        return cls(
            inner, square, centred, inverse, share, level, dimensions, axes, variance
        )

    @property
    def flat(self) -> NDArray[np.bool_]:
        """(f,), sets whose members are all equal: nothing gives a scale."""
        return np.asarray(self.level * self.dimensions <= _FLAT)

    def distances(
        self,
        of: NDArray[np.int64],
        to: NDArray[np.float64],
        length: NDArray[np.float64],
    ) -> NDArray[np.float64]:
        """(q,) distance per dimension of observations, NaN of a set that is `flat`.

        Args:
            of: (q,), number of the set.
            to: (q, r), inner products with its members.
            length: (q,), with themselves.
        """
        middle = to.mean(axis=1)
        across = to - self.inner[of] - (middle - self.square[of])[:, None]
        away = length - 2 * middle + self.square[of]
        if self.axes is not None and self.variance is not None:
            along = np.einsum("qr,qrc->qc", across, self.axes[of])
            away = (along**2 / self.variance[of]).sum(axis=1)
            across = np.asarray(np.einsum("qc,qrc->qr", along, self.axes[of]))
        solved = np.einsum("qr,qrs,qs->q", across, self.inverse[of], across)
        share, flat = self.share[of], self.flat[of]
        ridge = np.where(flat, 1.0, share * self.level[of])
        squared = np.maximum(away - (1 - share) * solved, 0.0) / ridge
        root = np.sqrt(squared / self.dimensions[of])
        return np.where(flat, np.nan, root)

    def left_out(self) -> NDArray[np.float64]:
        """(f, r) distance per dimension of each member to the others; NaN where `flat`."""
        r = self.centred.shape[1]
        share = self.share[:, None]
        inverse = _inverse(self.centred, self.share, self.share * self.level * (r - 1))
        own = np.einsum("frs,fsr->fr", self.centred, inverse)
        more = r / (r - 1)
        squared = more**2 * (r - 1) * own / (1 - more * (1 - share) * own)
        root = np.sqrt(np.maximum(squared, 0.0) / self.dimensions[:, None])
        return np.where(self.flat[:, None], np.nan, root)


def _inverse(
    centred: NDArray[np.float64],
    share: NDArray[np.float64],
    ridge: NDArray[np.float64],
) -> NDArray[np.float64]:
    """(f, r, r) of (1 - share) centred + ridge I; of the identity where there is no ridge."""
    eye = np.eye(centred.shape[1])
    safe = np.where(ridge > 0, ridge, 1.0)
    inside = (1 - share)[:, None, None] * centred + safe[:, None, None] * eye
    return np.asarray(np.linalg.inv(inside), np.float64)
