"""A real series in which one hamlet goes and another comes, for the search for the opposite.

Made of the two series of Flanders, with and without inserted hamlets: where the large hamlet
was inserted on 16 May 2018, its block of village pixels stands before that day and the
untouched ground from it on, each of the same acquisition. The small one comes in August as
inserted.
"""

import shutil
from pathlib import Path

import numpy as np
import rasterio
from numpy.typing import NDArray

BLOCK = (slice(6, 18), slice(48, 60))
"""Rows and columns of the large hamlet."""
DAY = "2018-05-16"


def make(untouched: Path, inserted: Path, out: Path) -> Path:
    """The series in a folder of its own; what it took from the others is copied.

    Raises:
        ValueError: the inserted block stands nowhere else in its scene.
    """
    if (out / "catalog.json").exists():
        return out
    shutil.copytree(inserted, out)
    village = _source(untouched, inserted)
    for path in sorted([*out.glob("images/*.tif"), *out.glob("masks/*.tif")]):
        with rasterio.open(untouched / path.relative_to(out)) as plain:
            ground = plain.read()
        taken = BLOCK if _day(path) >= DAY else village
        with rasterio.open(path) as image:
            profile, values = image.profile, image.read()
            tags = [image.tags(band) for band in range(1, image.count + 1)]
            names, whole = image.descriptions, image.tags()
        values[:, *BLOCK] = ground[:, *taken]
        with rasterio.open(path, "w", **profile) as image:
            image.write(values)
            image.update_tags(**whole)
            for band, name in enumerate(names, 1):
                image.set_band_description(band, name or "")
                image.update_tags(band, **tags[band - 1])
    return out


def _day(path: Path) -> str:
    stamp = path.name.split("_")[1][:8]
    return f"{stamp[:4]}-{stamp[4:6]}-{stamp[6:]}"


def _source(untouched: Path, inserted: Path) -> tuple[slice, slice]:
    """Rows and columns that the large hamlet was copied from."""
    last = max(inserted.glob("images/*.tif"), key=_day)
    wanted, ground = (
        _values(root / "images" / last.name) for root in (inserted, untouched)
    )
    wanted = wanted[:, *BLOCK]
    height, width = wanted.shape[1:]
    for top in range(ground.shape[1] - height + 1):
        for left in range(ground.shape[2] - width + 1):
            place = slice(top, top + height), slice(left, left + width)
            if np.array_equal(ground[:, *place], wanted):
                return place
    raise ValueError(f"the inserted block of {last.name} stands nowhere in {untouched}")


def _values(path: Path) -> NDArray[np.uint16]:
    with rasterio.open(path) as image:
        values: NDArray[np.uint16] = image.read()
    return values
