"""Rows of the archive out of vectors and the image that they were made from (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from terradrift import schema
from terradrift.chip import INDICES
from terradrift.embed import indices

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from terradrift.chip import TileImage
    from terradrift.embed.protocol import ModelCard

_FLOAT16_MAX = float(np.finfo(np.float16).max)


def rows(
    image: TileImage,
    usable: NDArray[np.intp],
    vectors: NDArray[np.float32],
    card: ModelCard,
    run_id: str,
) -> pa.RecordBatch:
    """Rows of `schema.embeddings` for the patches `usable` and their (n, d) `vectors`.

    Raises:
        ValueError: a number is beyond float16, in which vectors are stored.
    """
    largest = float(np.abs(vectors).max(initial=0))
    if largest > _FLOAT16_MAX:
        raise ValueError(
            f"model {card.name} gives numbers up to {largest:g}; vectors are stored as "
            f"float16, at most {_FLOAT16_MAX:g}"
        )
    count = len(usable)
    columns = {
        "patch_id": pa.array(image.patch_ids[usable], pa.string()),
        "datetime": pa.array(
            image.times[usable].astype("datetime64[us]"), schema.INSTANT
        ),
        "tile": pa.repeat(pa.scalar(image.tile), count),
        "scene_id": pa.array(image.scene_ids, pa.string()).take(
            pa.array(image.patch_scenes[usable])
        ),
        "clear_percent": pa.array(image.clear_percent[usable], pa.float32()),
        **_index_columns(image, usable),
        "embedding": pa.FixedSizeListArray.from_arrays(
            pa.array(vectors.astype(np.float16).reshape(-1)), card.dimensions
        ),
        "run_id": pa.repeat(pa.scalar(run_id), count),
    }
    table = schema.embeddings(card.dimensions)
    return pa.RecordBatch.from_arrays(
        [columns[name] for name in table.names], schema=table
    )


def _index_columns(image: TileImage, usable: NDArray[np.intp]) -> dict[str, pa.Array]:
    """Spectral indices of the mean clear reflectance; null where bands are missing."""
    there = indices.available(image.bands)
    bands = indices.needed(image.bands)
    means = patch_means(image, bands)[:, usable] if there else None
    return {
        name: pa.array(indices.index(name, means, bands, axis=0), from_pandas=True)
        if means is not None and name in there
        else pa.nulls(len(usable), pa.float32())
        for name in INDICES
    }


def patch_means(image: TileImage, bands: tuple[str, ...]) -> NDArray[np.float32]:
    """(band, n) mean reflectance of `bands` over the clear pixels of each patch.

    NaN for a patch without any. A pixel is NaN in all bands or in none.
    """
    halo, size = image.halo_px, image.patch_px
    _, y, x = image.pixels.shape
    inner = image.pixels[:, halo : y - halo, halo : x - halo]
    chosen = inner[[image.bands.index(band) for band in bands]]
    clear = np.isfinite(chosen).all(axis=0)
    chosen[:, ~clear] = 0
    total = _patch_sums(chosen, size)
    count = _patch_sums(np.asarray(clear, np.float32)[None], size)
    mean = np.full(total.shape, np.nan, np.float32)
    np.divide(total, count, out=mean, where=count > 0)
    found: NDArray[np.float32] = mean[:, image.rows, image.cols]
    return found


def _patch_sums(values: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """(band, rows, cols) sums of (band, y, x) over squares of `size` pixels."""
    band, y, x = values.shape
    # A product adds short rows several times as quickly as a reduction.
    across = np.matmul(
        values.reshape(band, y, x // size, size), np.ones((size, 1), np.float32)
    )
    sums: NDArray[np.float32] = across.reshape(band, y // size, size, -1).sum(axis=2)
    return sums
