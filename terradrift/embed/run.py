"""Embed a stream of tile images: read ahead, compute in threads, give rows in order."""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from terradrift import threads as cores
from terradrift.embed import chips, contract, dark
from terradrift.embed import device as devices
from terradrift.embed.ahead import ahead, in_order
from terradrift.embed.blend import Blend
from terradrift.embed.contract import Origin
from terradrift.embed.past import with_past
from terradrift.embed.protocol import Placeable
from terradrift.embed.rows import rows

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping
    from contextlib import AbstractContextManager

    import pyarrow as pa

    from terradrift.chip import TileImage
    from terradrift.embed.past import Dated
    from terradrift.embed.protocol import Embedder, ModelCard

_AHEAD = 2
"""Images read before they are asked for."""

_GPU_WORKERS = 2
"""One copies while the other computes."""


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

    Patches of less than `min_clear` percent, and those the model gives no vector for,
    get no row. At most `threads + 4` images are in memory, and for a model of several
    dates those that are kept. Closing the iterator stops the threads. Nothing is read
    before the first row is asked for.

    A model whose card has several dates is given the images of the same tile on the
    days before, so these must come in order of time; one image less than dates is kept
    of each tile, and let go once as many images of the tile as `visits` says have come.
    An image for which `wanted` is false serves as such a past only and gives nothing.

    Raises:
        ValueError: the device cannot be had; later: images lack bands, do not fit, are
            not what the model was made for (unless `allow_mismatch`), hold no
            reflectance, or come out of order.
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
    return _stream(dark.refused(images), before, one, where, cores.resolve(threads))


def metadata(
    card: ModelCard,
    bands: tuple[str, ...],
    origin: Origin | None = None,
) -> dict[str, str]:
    """What names the model in the metadata of a table, for images that have `bands`.

    Where their origin is not what the model was made for, the line of preprocessing
    says so. None: not looked at.

    Raises:
        ValueError: the card refuses to go without the bands that are missing.
    """
    return {
        "model": card.name,
        "revision": card.revision,
        "licence": card.licence,
        "weights_sha256": card.weights_sha256,
        "bands": ",".join(card.bands),
        "preprocessing": contract.preprocessing(card, bands, origin),
        "quantization": "float16",
        "source": card.source,
        "level": card.level,
        "gsd": "any" if card.gsd is None else f"{card.gsd:g}",
        "sensor": card.sensor,
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


def _computing(device: str) -> AbstractContextManager[object]:
    """A stream of the worker's own, on CUDA; precision is a matter of the embedder."""
    if device == "cpu":
        return nullcontext()
    import torch

    stream = torch.cuda.Stream(device)  # type: ignore[no-untyped-call]
    return torch.cuda.stream(stream)


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
        origin=Origin(level=image.level, gsd=image.gsd),
        allow_mismatch=allow_mismatch,
    )
    contract.check_reflectance(image)
    wanted = np.flatnonzero(
        (image.clear_percent >= min_clear) & (image.clear_percent > 0)
    )
    blend = Blend(image, card.dimensions)
    with _computing(device):
        for cut in chips.cut(image, card, wanted, dated.past, cuda=device != "cpu"):
            found = embedder.embed(cut.chips)
            _check_shape(card, cut, found.shape)
            blend.add(cut, found)
    vectors = blend.vectors(wanted)
    there = ~np.isnan(vectors).any(axis=1)
    return Embedded(
        tile=image.tile,
        scene_ids=image.scene_ids,
        batch=rows(image, wanted[there], vectors[there], card, run_id),
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
