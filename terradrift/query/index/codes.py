"""Lists of 1-bit codes of vectors in a space, in one file with the vectors' lengths there.

Vectors of length 1 are turned by a random rotation and shared out to the nearest of a few
hundred centroids (an inverted file: Jegou, Douze and Schmid 2011, "Product quantization for
nearest neighbor search"). Of v, a row less its centroid c, the signs are kept and two
numbers, |v|^2 / sum |v_i| and <v, c>: of q the estimate <c, q> + <v, c> +
(|v|^2 / sum |v_i|) <sign(v), q - c> is unbiased, and its error known (RaBitQ: Gao and Long
2024, arXiv:2405.12497).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np

from terradrift.query.index import files, kernel
from terradrift.query.index.protocol import Recall
from terradrift.query.index.sound import sound

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from numpy.typing import NDArray

    from terradrift.query.index.covered import Covered

KIND = "codes/3"
ROWS = 8
"""Rows of a block, whose words lie side by side."""


@dataclass(frozen=True, eq=False)
class Lists:
    """Codes by list, `b` blocks of 8 rows in all; w = (r + 63) // 64."""

    rotation: NDArray[np.float32]
    """(r, r), orthogonal; its rows are the axes that vectors are told by."""
    centroids: NDArray[np.float32]
    """(lists, r), turned by the rotation."""
    starts: NDArray[np.int64]
    """(lists + 1,), first block of each."""
    codes: NDArray[np.uint64]
    """(b, w, 8), bit i of word j: number 64 j + i is above that of the centroid."""
    factors: NDArray[np.float32]
    """(b, 2, 8); of no row: 0 and minus infinity."""
    positions: NDArray[np.int32]
    """(b, 8), where the row's vector stands; of no row: -1."""
    lengths: NDArray[np.float32]
    """(n,) by position, in the space; 0 and NaN have no direction and are in no list."""
    measured: NDArray[np.float64]
    """(m, 6): k, then as `bins.Part`: the parts of each k, the nearest first. In the file
    zeros follow, as its size is set before."""

    @property
    def width(self) -> int:
        """Numbers of a vector in the space."""
        return int(self.centroids.shape[1])

    @property
    def count(self) -> int:
        """Lists."""
        return len(self.centroids)

    @cached_property
    def halves(self) -> NDArray[np.float32]:
        """(lists,) half the squared length of each centroid."""
        found: NDArray[np.float32] = 0.5 * np.einsum(
            "kd,kd->k", self.centroids, self.centroids
        )
        return found

    @cached_property
    def addresses(self) -> tuple[int, ...]:
        """Of the arrays, in the order in which the kernel takes them."""
        return (
            kernel.at(self.codes, np.uint64),
            kernel.at(self.factors, np.float32),
            kernel.at(self.positions, np.int32),
            kernel.at(self.starts, np.int64),
            kernel.at(self.centroids, np.float32),
            kernel.at(self.halves, np.float32),
            kernel.at(self.rotation, np.float32),
            kernel.at(self.lengths, np.float32),
        )

    @property
    def reach(self) -> int:
        """The greatest k that recall was measured at; 0: none."""
        return int(self.measured[:, 0].max(initial=0))

    @cached_property
    def _parts(self) -> dict[int, list[tuple[float, int, Recall]]]:
        found: dict[int, list[tuple[float, int, Recall]]] = {}
        for k, far, probes, value, queries, error in self.measured.tolist():
            told = Recall(value, int(k), int(queries), error)
            found.setdefault(int(k), []).append((far, int(probes), told))
        return found

    def parts(self, k: int) -> list[tuple[float, int, Recall]]:
        """The parts of the k measured next above, the nearest first.

        Of each: how far its queries are at most, how many lists to probe, the recall.

        Raises:
            ValueError: `k` is beyond the reach.
        """
        for at, found in self._parts.items():
            if k <= at:
                return found
        raise ValueError(f"k must be at most {self.reach}, got {k}")

    @property
    def recalls(self) -> tuple[Recall, ...]:
        """The least recall of any part, of each k."""
        parts = self._parts.values()
        return tuple(
            min((one[2] for one in found), key=lambda told: told.value)
            for found in parts
        )


def view(found: Mapping[str, NDArray[Any]]) -> Lists:
    """The arrays of a file as lists."""
    words = (found["rotation"].shape[0] + 63) // 64
    return Lists(
        rotation=found["rotation"],
        centroids=found["centroids"],
        starts=found["starts"],
        codes=found["codes"].view(np.uint64).reshape(-1, words, ROWS),
        factors=found["factors"],
        positions=found["positions"],
        lengths=found["lengths"],
        measured=found["measured"][found["measured"][:, 0] != 0],
    )


def read(path: Path) -> tuple[Lists, Covered]:
    """The lists, mapped.

    Raises:
        ArchiveError: the file is damaged, or not such a file.
    """
    found, _, covered = files.read(path, KIND)
    with files.foreign(path):
        lists = view(found)
        files.expect(path, sound(lists, covered.rows), "lists that fit each other")
    return lists, covered
