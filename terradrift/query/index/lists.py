"""Make lists of codes: centroids from a sample, then all rows in blocks, then recall."""

from __future__ import annotations

import math
import warnings
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from terradrift.query.index import bins, codes, measured
from terradrift.query.index.coded import Coded, encode
from terradrift.query.index.codes import ROWS
from terradrift.query.index.rows import widen
from terradrift.store import arrays
from terradrift.threads import single_blas

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from numpy.typing import NDArray

    from terradrift.query.index.covered import Covered
    from terradrift.query.index.flat import Flat
    from terradrift.query.index.frame import Frame

BLOCK = 2048
"""Rows placed and coded at a time."""
_PER_LIST = 96
"""Rows of the sample per centroid."""
_SPARE = 5
"""Times as many rows as are asked with, of which those can be spared for that."""
_ROUNDS = 8
_SEED = 0


def count(rows: int) -> int:
    """Lists for that many rows: about half their root, a power of two."""
    return 1 << max(0, round(math.log2(max(rows, 1)) / 2 - 1))


@dataclass(frozen=True, eq=False)
class _Placed:
    """How rows come to their place: at length 1 in the space, turned."""

    frame: Frame
    flats: list[Flat]
    basis: NDArray[np.float32]

    def rows(
        self, at: slice | NDArray[np.int64]
    ) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Rows (n, r) and their lengths (n,) in the space; those of no direction are zeros."""
        d = self.frame.dimensions
        lengths = np.sum([flat.lengths[at] for flat in self.flats], axis=0)
        wide = np.empty((len(lengths), d * len(self.flats)), np.float32)
        for c, flat in enumerate(self.flats):
            part = wide[:, c * d : (c + 1) * d]
            widen(flat.vectors[at], self.frame.means[c], part)
        wide[np.isnan(lengths)] = 0
        placed = wide @ self.basis
        found = np.sqrt(np.einsum("nd,nd->n", placed, placed))
        placed /= np.where(found > 0, found, np.float32(1))[:, None]
        found[np.isnan(lengths)] = np.nan
        placed[np.isnan(lengths)] = 0
        return placed, found


def write(
    path: Path,
    covered: Covered,
    frame: Frame,
    flats: list[Flat],
    *,
    threads: int,
    advance: Callable[[int], None],
) -> None:
    """Write the lists of all rows of `flats`; `advance` counts them.

    Memory holds the codes, about r / 8 + 16 bytes a row, and a few blocks.

    Raises:
        ArchiveError: no room on the disk.
    """
    rng = np.random.default_rng(_SEED)
    rotation = _rotation(frame.width, rng)
    placed = _Placed(frame, flats, frame.basis(rotation))
    with single_blas():
        sample, asked, pool = _sample(placed, covered.rows, rng)
        lists = min(count(covered.rows), len(sample))
        centroids = _centroids(sample, lists)
        del sample
        truth = measured.questions(
            (asked, placed.rows(asked)[0]), (pool, placed.rows(pool)[0]), centroids, rng
        )
        coded = _encode(
            placed, centroids, truth, covered.rows, threads=threads, advance=advance
        )
    filled = -(-coded.sizes(lists) // ROWS)
    starts = np.concatenate([[0], np.cumsum(filled)])
    blocks, words = int(starts[-1]), coded.codes.shape[1]
    # Blocks first, so that each lies in whole lines of the cache.
    shapes: dict[str, tuple[type[np.generic], tuple[int, ...]]] = {
        "codes": (np.uint8, (blocks, words, 8 * ROWS)),
        "factors": (np.float32, (blocks, 2, ROWS)),
        "positions": (np.int32, (blocks, ROWS)),
        "starts": (np.int64, (lists + 1,)),
        "centroids": (np.float32, centroids.shape),
        "rotation": (np.float32, rotation.shape),
        "lengths": (np.float32, (covered.rows,)),
    }
    said = {
        "kind": codes.KIND,
        "columns": "+".join(frame.columns),
        "space": frame.label,
        "covered": covered.text,
    }
    most = len(truth.ks(int((coded.list >= 0).sum()))) * bins.most(len(truth.at))
    shapes["measured"] = (np.float64, (most, measured.COLUMNS))
    with arrays.room(path, shapes, said) as room:
        room["starts"][:], room["lengths"][:] = starts, coded.lengths
        room["centroids"][:], room["rotation"][:] = centroids, rotation
        coded.lay_out(room, starts)
        done = codes.view(room)
        found = truth.measure(frame, flats, done, coded.list)
        room["measured"][:] = 0
        room["measured"][: len(found)] = found


def _rotation(width: int, rng: np.random.Generator) -> NDArray[np.float32]:
    """A random orthogonal matrix (width, width), the same on every machine but for rounding."""
    turned, scale = np.linalg.qr(rng.standard_normal((width, width)))
    return np.ascontiguousarray((turned * np.sign(np.diag(scale))).T, np.float32)


def _sample(
    placed: _Placed, rows: int, rng: np.random.Generator
) -> tuple[NDArray[np.float32], NDArray[np.int64], NDArray[np.int64]]:
    """Placed rows to find centroids with, and positions of rows to measure recall with.

    Those are by chance, and a pool to choose from.

    They are others, but where few rows of the sample have a direction: none can be spared.
    """
    both = measured.QUERIES + measured.POOL
    wanted = max(_PER_LIST * count(rows), both) + both
    at = np.sort(rng.choice(rows, min(rows, wanted), replace=False))
    found, lengths = placed.rows(at)
    real = np.flatnonzero(lengths > 0)
    asked = rng.permutation(real)[:both]
    used = lengths > 0
    if len(real) >= _SPARE * both:
        used[asked] = False
    chance, pool = asked[: measured.QUERIES], asked[measured.QUERIES :]
    used_rows = found if used.all() else found[used]
    return used_rows, np.sort(at[chance]), np.sort(at[pool])


def _centroids(sample: NDArray[np.float32], lists: int) -> NDArray[np.float32]:
    """(lists, r) means of k-means; fewer lists where fewer rows differ leave some alike."""
    from sklearn.cluster import KMeans
    from sklearn.exceptions import ConvergenceWarning

    if lists == 0:
        return np.zeros((0, sample.shape[1]), np.float32)
    model = KMeans(
        lists, init="random", n_init=1, max_iter=_ROUNDS, random_state=_SEED, tol=0
    )
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)
        model.fit(sample)
    return np.ascontiguousarray(model.cluster_centers_, np.float32)


def _encode(
    placed: _Placed,
    centroids: NDArray[np.float32],
    truth: measured.Truth,
    rows: int,
    *,
    threads: int,
    advance: Callable[[int], None],
) -> Coded:
    width = placed.frame.width
    words = (width + 63) // 64
    coded = Coded(
        np.full(rows, -1, np.int32),
        np.zeros((rows, words), np.uint64),
        np.zeros((rows, 2), np.float32),
        np.full(rows, np.nan, np.float32),
    )
    turned = np.ascontiguousarray(centroids.T)
    halves = 0.5 * np.einsum("kd,kd->k", centroids, centroids)

    def task(start: int) -> int:
        part = slice(start, min(start + BLOCK, rows))
        found, coded.lengths[part] = placed.rows(part)
        real = coded.lengths[part] > 0
        if len(centroids) and real.any():
            near = found @ turned
            near -= halves
            list_ = near.argmax(axis=1).astype(np.int32)
            encode(found, list_, centroids, coded.codes[part], coded.factors[part])
            coded.list[part] = np.where(real, list_, -1)
            truth.add(start, found, real)
        return part.stop - part.start

    with ThreadPoolExecutor(threads) as pool:
        for done in pool.map(task, range(0, rows, BLOCK)):
            advance(done)
    return coded
