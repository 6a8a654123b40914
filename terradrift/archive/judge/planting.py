"""Tiles of an archive as a study of planted changes wants them: images, and how one is swapped."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from terradrift.archive.choosing import Choice
from terradrift.chip import INDICES, TileImage
from terradrift.detect.image.protocol import ImageDetector
from terradrift.detect.settings import Settings
from terradrift.embed.protocol import Embedder
from terradrift.embed.run import embed as embed_stream
from terradrift.errors import ArchiveError
from terradrift.evaluate.injected import study
from terradrift.evaluate.injected.study import Ground
from terradrift.ingest import plan as planning
from terradrift.ingest.read import read
from terradrift.series import Series
from terradrift.store.series import blocks, tiles, vectors_of
from terradrift.store.tables import Store

_STACK_BYTES = 512 << 20
_CLEAR_SHARE = 0.7
"""Share of a tile's patches that must be clear on a date for it to be planted into."""


@dataclass(frozen=True, slots=True, eq=False)
class Grounds:
    """Tiles as the study wants them."""

    store: Store
    choice: Choice
    embedder: Embedder
    plan: study.Plan
    threads: int
    detectors: Mapping[str, ImageDetector]
    """Methods on pixels, by name."""

    def tiles(
        self, most: int
    ) -> list[tuple[str, list[Series], NDArray[np.datetime64]]]:
        """Tiles with the most patches, their series, and the days that can be judged."""
        found = []
        for tile in tiles(self.store, self.choice.stored):
            series = list(blocks(self.store, self.choice.stored, [tile]))
            if len(days := able_days(series, self.plan)):
                found.append((tile, series, days))
        found.sort(key=lambda each: (-sum(map(len, each[1])), each[0]))
        if not found:
            raise ArchiveError(
                f"{self.store.root}: no date is clear on {_CLEAR_SHARE:.0%} of a tile with "
                f"{self.plan.min_history} clear dates before it; ingest more, or lower "
                "--min-history"
            )
        return found[:most]

    def of(self, tile: str, series: list[Series], days: list[np.datetime64]) -> Ground:
        """The tile's images, and how a frame of it is put into its series."""
        images = list(self._images(tile))
        shapes = [(image.pixels.shape, tuple(image.patch_ids)) for image in images]
        usual = max(shapes, key=shapes.count)
        alike = [
            (image.times.max().astype("datetime64[D]"), image)
            for image, shape in zip(images, shapes, strict=True)
            if shape == usual
        ]
        step = max(
            1, -(-sum(image.pixels.nbytes for _, image in alike) // _STACK_BYTES)
        )
        kept = [
            (day, image)
            for at, (day, image) in enumerate(alike)
            if at % step == 0 or day in days
        ]
        return Ground(
            days=np.array([day for day, _ in kept]),
            stack=np.stack([_clear_patches(image) for _, image in kept]),
            images={day: image for day, image in kept if day in days},
            replace=lambda image: self._replaced(series, image),
            side=kept[0][1].patch_px,
            detectors=self.detectors,
        )

    def _images(self, tile: str) -> Iterator[TileImage]:
        store = self.store
        scenes, patches = (
            store.scan(name).read_all() for name in ("scenes", "patches")
        )
        held = store.settings
        whole = planning.plan(scenes, patches, held.grid, held.bands, ())
        some = sorted(
            (unit for unit in whole.units if unit.tile == tile),
            key=lambda unit: unit.day,
        )
        plan = replace(whole, units=tuple(some))
        return read(
            plan,
            held.grid,
            halo_px=self.embedder.card.context_px,
            threads=self.threads,
            skip_bad=True,
            on_bad=lambda _scene, _reason: None,
        )

    def _replaced(self, series: list[Series], image: TileImage) -> list[Series]:
        """The series up to the image's day, with its vectors instead of those stored."""
        day = image.times.max().astype("datetime64[D]")
        made = next(
            embed_stream(
                iter([image]),
                self.embedder,
                run_id="",
                threads=1,
                allow_mismatch=self.choice.how.allow_mismatch,
            )
        ).batch
        ids = np.array(made["patch_id"].to_pylist(), np.str_)
        vectors = vectors_of(made["embedding"])
        numbers = np.column_stack(
            [_floats(made, name) for name in ("clear_percent", *INDICES)]
        )
        order = np.argsort(ids)
        out = []
        for part in series:
            until = int(np.searchsorted(part.days, day, side="right"))
            at = np.minimum(
                np.searchsorted(ids[order], part.patch_ids), max(len(ids) - 1, 0)
            )
            here = ids[order][at] == part.patch_ids
            rows = order[at[here]]
            cut = _until(part, until)
            cut.vectors[here, -1] = vectors[rows]
            cut.clear_percent[here, -1] = numbers[rows, 0]
            cut.indices[here, -1] = numbers[rows, 1:]
            cut.clear_percent[~here, -1] = np.nan
            out.append(cut)
        return out


def _clear_patches(image: TileImage) -> NDArray[np.float32]:
    """(band, y, x) pixels without halo, of patches that are clear enough to be judged."""
    halo, side = image.halo_px, image.patch_px
    _, y, x = image.pixels.shape
    inner = image.pixels[:, halo : y - halo, halo : x - halo]
    clear = np.zeros(((y - 2 * halo) // side, (x - 2 * halo) // side), bool)
    clear[image.rows, image.cols] = image.clear_percent >= Settings().min_clear
    fine = np.repeat(np.repeat(clear, side, axis=0), side, axis=1)
    return np.where(fine, inner, np.float32(np.nan))


def _until(part: Series, until: int) -> Series:
    """Copies of the first dates."""
    return Series(
        part.patch_ids,
        part.cells,
        part.days[:until],
        part.times[:, :until].copy(),
        part.vectors[:, :until].copy(),
        part.clear_percent[:, :until].copy(),
        part.indices[:, :until].copy(),
    )


def able_days(series: list[Series], plan: study.Plan) -> NDArray[np.datetime64]:
    """Days that can be judged: most of the tile is clear, with a past."""
    counts: dict[np.datetime64, int] = {}
    every = sum(map(len, series))
    for part in series:
        clear = np.nan_to_num(part.clear_percent) >= Settings().min_clear
        for day, count in zip(part.days, clear.sum(axis=0), strict=True):
            counts[day] = counts.get(day, 0) + int(count)
    seen = sorted(day for day, count in counts.items() if count >= _CLEAR_SHARE * every)
    shared = set.intersection(*(set(part.days.tolist()) for part in series))
    able = [day for day in seen[plan.min_history :] if day.item() in shared]
    return np.array(able, "datetime64[D]")


def spread(able: NDArray[np.datetime64], count: int) -> list[np.datetime64]:
    """`count` of the days, or all, spread over them."""
    steps = np.linspace(0, len(able) - 1, min(count, len(able)))
    return [able[int(step)] for step in steps]


def _floats(batch: pa.RecordBatch, name: str) -> NDArray[np.float32]:
    values: NDArray[np.float32] = batch[name].to_numpy(zero_copy_only=False)
    return values.astype(np.float32)
