"""Cosines in a space from vectors as they are stored: no row is ever moved (pure).

Every space is linear, S(v) = (v - mean) M, so <S(v), s> = <v, M s> - <mean, M s>: a query s
is brought to the stored vectors once, and of a row only the length |S(v)| is kept.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from terradrift.query.search.nearest import STEP
from terradrift.space import RAW

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from terradrift.space import Space


@dataclass(frozen=True, slots=True, eq=False)
class Turned:
    """A query brought to where rows are stored: cosine = (<row, vectors> - offset) / length."""

    vectors: NDArray[np.float32]
    """(columns, d)."""
    offset: float


@dataclass(frozen=True, eq=False)
class Frame:
    """The columns that are compared, end to end, and the space."""

    columns: tuple[str, ...]
    dimensions: int
    """Of one column's vectors, as stored."""
    space: Space | None

    @property
    def label(self) -> str:
        """The space's label; a step has no place, so where nothing turns it is as it was."""
        if self.space is None or (self.space.matrix is None and not self._placed.any()):
            return RAW
        return self.space.label

    @property
    def width(self) -> int:
        """Numbers of the columns' vectors in the space."""
        matrix = None if self.space is None else self.space.matrix
        one = self.dimensions if matrix is None else matrix.shape[1]
        return one * len(self.columns)

    @property
    def _placed(self) -> NDArray[np.bool_]:
        return np.array([name != STEP for name in self.columns])

    @cached_property
    def means(self) -> NDArray[np.float32]:
        """(columns, d) what is taken off each column's vectors."""
        mean = 0.0 if self.space is None else self.space.mean
        return np.where(self._placed[:, None], mean, np.zeros(self.dimensions)).astype(
            np.float32
        )

    @cached_property
    def stretch(self) -> float:
        """The most by which the space lengthens a vector."""
        if self.space is None or self.space.matrix is None:
            return 1.0
        return float(np.linalg.norm(self.space.matrix, 2))

    @cached_property
    def _matrix(self) -> NDArray[np.float64] | None:
        matrix = None if self.space is None else self.space.matrix
        return None if matrix is None else matrix.astype(np.float64)

    def turn(self, vectors: NDArray[np.float32]) -> Turned:
        """A query (columns, width / columns) in the space, not zero, at length 1."""
        unit = vectors.astype(np.float64)
        unit /= np.linalg.norm(unit)
        if self._matrix is not None:
            # Not by a BLAS, which would wake its threads for so little.
            unit = np.einsum("dr,cr->cd", self._matrix, unit)
        return Turned(unit.astype(np.float32), float((unit * self.means).sum()))

    def basis(self, rotation: NDArray[np.float32]) -> NDArray[np.float32]:
        """(columns d, width) into the space and onto the rows of `rotation` (width, width)."""
        if self.space is None or self.space.matrix is None:
            return np.ascontiguousarray(rotation.T)
        parts = rotation.T.reshape(len(self.columns), -1, self.width)
        turned: NDArray[np.float32] = np.matmul(self.space.matrix, parts)
        return np.ascontiguousarray(turned.reshape(-1, self.width))
