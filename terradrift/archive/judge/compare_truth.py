"""What labels say of the patches of archives, and of the cells of a common grid."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from terradrift.archive import judged
from terradrift.evaluate.compare.models import Shares
from terradrift.evaluate.cover import Cover, Patches, cover
from terradrift.evaluate.fields import Reading
from terradrift.evaluate.labels import read_vector
from terradrift.evaluate.rasters import SUFFIXES, read_raster
from terradrift.grid import Grid
from terradrift.store.tables import Store


def truths(
    stores: Sequence[Store],
    labels: Path,
    reading: Reading,
    period: tuple[np.datetime64, np.datetime64],
) -> tuple[dict[str, Shares], tuple[str, ...]]:
    """What labels say of each archive's patches, by its root."""
    found_of, notes = dict[str, Shares](), tuple[str, ...]()
    for store in stores:
        patches, _ = judged.patches(store)
        found, said = shares(patches.cells, patches.size, labels, reading, period)
        found_of[str(store.root)] = found
        notes = notes or said
    return found_of, notes


def shares(
    cells: NDArray[np.int64],
    size: int,
    labels: Path,
    reading: Reading,
    period: tuple[np.datetime64, np.datetime64],
) -> tuple[Shares, tuple[str, ...]]:
    """What labels say of squares of the grid of `size` metres."""
    patches = Patches(_ids(cells, size), cells, size)
    found = _cover(labels, reading, patches, period)
    return Shares.of(cells, size, found.changed, found.unknown), found.notes


def _cover(
    labels: Path,
    reading: Reading,
    patches: Patches,
    period: tuple[np.datetime64, np.datetime64],
) -> Cover:
    if labels.suffix.lower() in SUFFIXES:
        return read_raster(labels, reading, patches, period)
    return cover(patches, read_vector(labels, reading), period=period)


def _ids(cells: NDArray[np.int64], size: int) -> NDArray[np.str_]:
    ids = np.empty(len(cells), f"<U{len(f'{10**9}_{size}m_') + 24}")
    for code in np.unique(cells[:, 0]).tolist():
        here = cells[:, 0] == code
        ids[here] = Grid(patch_size=size).patch_ids(
            code, cells[here, 1], cells[here, 2]
        )
    return ids


def order(cells: NDArray[np.int64], wanted: NDArray[np.int64]) -> NDArray[np.int64]:
    """(k,) rows of `cells` (n, 3) that are `wanted` (k, 3)."""
    both = np.concatenate([cells, wanted])
    _, number = np.unique(both, axis=0, return_inverse=True)
    number = number.ravel()
    place = np.full(int(number.max()) + 1, -1)
    place[number[: len(cells)]] = np.arange(len(cells))
    return np.asarray(place[number[len(cells) :]])


def where(store: Store, ground: Shares) -> str:
    """Which ground an archive is of, in a few words."""
    codes = ", ".join(f"EPSG:{code}" for code in np.unique(ground.cells[:, 0]).tolist())
    row, col = ground.cells[0, 1:].tolist()
    return f"{store.root} in {codes} around {col * ground.size:,} {row * ground.size:,}"
