"""Embed a stream of tile images: read ahead, compute in threads, give rows in order."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from terradrift import schema
from terradrift import threads as cores
from terradrift.chip import INDICES
from terradrift.embed import chips, contract, indices
from terradrift.embed import device as devices
from terradrift.embed.ahead import ahead, in_order
from terradrift.embed.blend import Blend
from terradrift.embed.past import with_past
from terradrift.embed.protocol import Placeable

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping
    from contextlib import AbstractContextManager

    from numpy.typing import NDArray

    from terradrift.chip import TileImage
    from terradrift.embed.past import Dated
    from terradrift.embed.protocol import Embedder, ModelCard

_AHEAD = 2
"""Images read before they are asked for."""

_GPU_WORKERS = 2
"""One copies while the other computes."""

_FLOAT16_MAX = float(np.finfo(np.float16).max)


@dataclass(frozen=True, slots=True, eq=False)
class Embedded:
    """The rows of one tile on one day; possibly none."""

    tile: str
    scene_ids: tuple[str, ...]
    batch: pa.RecordBatch
    """Of `schema.embeddings`."""


def embed(
    images: Iterator[TileImage],
    embedder: Embedder,
    *,
    run_id: str,
    device: str = "auto",
    threads: int,
    min_clear: float = 1.0,
    allow_mismatch: bool = False,
    wanted: Callable[[TileImage], bool] | None = None,
    visits: Mapping[str, int] | None = None,
) -> Iterator[Embedded]:
    """Embed every image, one after the other, in order.

    Patches of less than `min_clear` percent, and those the model gives no vector for, get
    no row. At most `threads + 4` images are in memory. Closing the iterator stops the
    threads. Nothing is read before the first row is asked for.

    A model whose card has several dates is given the images of the same tile on the days
    before, so these must come in order of time; one image less than dates is kept of each
    tile, and let go once as many images of the tile as `visits` says have come. An image
    for which `wanted` is false serves as such a past only and gives nothing.

    Raises:
        ValueError: the device cannot be had; later: images lack bands, do not fit, are not
            what the model was made for (unless `allow_mismatch`), hold no reflectance, or
            come out of order.
    """
    chosen, where = _placed(embedder, device)
    one = partial(
        _one,
        embedder=chosen,
        run_id=run_id,
        device=where,
        min_clear=min_clear,
        allow_mismatch=allow_mismatch,
    )
    before = partial(
        with_past, dates=embedder.card.dates, wanted=wanted, visits=visits or {}
    )
    return _stream(images, before, one, where, cores.resolve(threads))


def metadata(
    card: ModelCard,
    bands: tuple[str, ...],
    *,
    level: str | None = None,
    gsd: float | None = None,
) -> dict[str, str]:
    """What names the model in the metadata of a table, for images that have `bands`.

    `level` and `gsd` are those of the images; where they are not what the model was made
    for, the line of preprocessing says so. None: not looked at.

    Raises:
        ValueError: the card refuses to go without the bands that are missing.
    """
    return {
        "model": card.name,
        "revision": card.revision,
        "licence": card.licence,
        "weights_sha256": card.weights_sha256,
        "bands": ",".join(card.bands),
        "preprocessing": contract.preprocessing(card, bands, level=level, gsd=gsd),
        "quantization": "float16",
        "source": card.source,
        "level": card.level,
        "gsd": "any" if card.gsd is None else f"{card.gsd:g}",
    }


def _placed(embedder: Embedder, device: str) -> tuple[Embedder, str]:
    if isinstance(embedder, Placeable):
        where = devices.resolve(device)
        return embedder.to(where), where
    if device not in ("auto", "cpu"):
        devices.resolve(device)
        raise ValueError(
            f"model {embedder.card.name} computes on the CPU only, got device {device!r}; "
            "pass --device auto"
        )
    return embedder, "cpu"


def _stream(
    images: Iterator[TileImage],
    before: Callable[[Iterator[TileImage]], Iterator[Dated]],
    one: Callable[[Dated], Embedded],
    device: str,
    threads: int,
) -> Iterator[Embedded]:
    workers = threads if device == "cpu" else _GPU_WORKERS
    with ExitStack() as stack:
        if device == "cpu":
            stack.enter_context(cores.single_blas())
        if "torch" in sys.modules:
            stack.enter_context(_torch_threads(1))
        executor = stack.enter_context(ThreadPoolExecutor(workers, "terradrift-embed"))
        coming = stack.enter_context(ahead(images, _AHEAD))
        yield from in_order(one, before(coming), executor, workers + 1)


@contextmanager
def _torch_threads(count: int) -> Generator[None]:
    """Threads within one operation of torch, for this thread and those made inside."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(count)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _computing(card: ModelCard, device: str) -> AbstractContextManager[object]:
    """Own stream of the worker and bfloat16 where the card calls it safe, on CUDA."""
    if device == "cpu":
        return nullcontext()
    import torch

    stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    stack = ExitStack()
    stack.enter_context(torch.cuda.stream(stream))
    stack.enter_context(torch.autocast("cuda", torch.bfloat16, enabled=card.bf16))
    return stack


def _one(
    dated: Dated,
    *,
    embedder: Embedder,
    run_id: str,
    device: str,
    min_clear: float,
    allow_mismatch: bool,
) -> Embedded:
    image, card = dated.image, embedder.card
    contract.check(
        card,
        bands=image.bands,
        level=image.level,
        gsd=image.gsd,
        allow_mismatch=allow_mismatch,
    )
    contract.check_reflectance(image)
    wanted = np.flatnonzero(
        (image.clear_percent >= min_clear) & (image.clear_percent > 0)
    )
    blend = Blend(image, card.dimensions)
    with _computing(card, device):
        for cut in chips.cut(image, card, wanted, dated.past):
            found = embedder.embed(cut.chips)
            _check_shape(card, cut, found.shape)
            blend.add(cut, found)
    vectors = blend.vectors(wanted)
    there = ~np.isnan(vectors).any(axis=1)
    return Embedded(
        tile=image.tile,
        scene_ids=image.scene_ids,
        batch=_rows(image, wanted[there], vectors[there], card, run_id),
    )


def _check_shape(card: ModelCard, cut: chips.Cut, got: tuple[int, ...]) -> None:
    places = cut.places
    tokens = places.weights_y.shape[1], places.weights_x.shape[1]
    one = card.token_stride is None
    if got != (len(places), *(() if one else tokens), card.dimensions):
        raise ValueError(
            f"model {card.name} promises {card.dimensions} numbers per vector, gave {got} "
            f"for {len(places)} chips{'' if one else f' of {tokens[0]} x {tokens[1]} tokens'}"
        )


def _rows(
    image: TileImage,
    usable: NDArray[np.intp],
    vectors: NDArray[np.float32],
    card: ModelCard,
    run_id: str,
) -> pa.RecordBatch:
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
