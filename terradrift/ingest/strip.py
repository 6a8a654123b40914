"""Tiles side by side that are read in one window, and the images they become."""

import threading
from collections.abc import Collection, Iterator
from concurrent.futures import Future
from functools import partial

import numpy as np
from numpy.typing import NDArray

from terradrift.chip import TileImage
from terradrift.errors import SourceError
from terradrift.grid import TILE_PATCHES, Grid, parse_id
from terradrift.ingest.acquisition import Acquisition
from terradrift.ingest.compose import Layer, tile_image
from terradrift.ingest.files import Files
from terradrift.ingest.frame import Frame
from terradrift.ingest.lanes import Lanes
from terradrift.ingest.plan import Plan, Unit
from terradrift.ingest.plausible import implausible
from terradrift.ingest.window import (
    Slots,
    blank,
    by_file,
    check_bands,
    read_bands,
    read_clear,
)

_STRIP_BYTES = 24 << 20
"""Reflectance of one scene in a strip. Below 32 MiB the allocator keeps and reuses it."""


def side_by_side(plan: Plan, grid: Grid) -> Iterator[list[Unit]]:
    """Units that follow each other side by side, on one day and with the same scenes."""
    pixel_bytes = 4 * max(1, len(plan.bands))
    most = max(1, _STRIP_BYTES // (pixel_bytes * (grid.patch_px * TILE_PATCHES) ** 2))
    strip: list[Unit] = []
    for unit in plan.units:
        if strip and (len(strip) == most or not _follows(strip[-1], unit)):
            yield strip
            strip = []
        strip.append(unit)
    if strip:
        yield strip


def _follows(before: Unit, unit: Unit) -> bool:
    epsg, row, col = parse_id(before.tile)
    beside = parse_id(unit.tile) == (epsg, row, col + 1)
    return beside and before.day == unit.day and before.scene_ids == unit.scene_ids


class Strip:
    """Units side by side on one day, with what has been read of them so far."""

    def __init__(self, units: list[Unit], plan: Plan, grid: Grid, halo_px: int) -> None:
        self._units, self._bands = units, plan.bands
        self._grid, self._halo = grid, halo_px
        self._rows = _reach([unit.ground.rows for unit in units])
        self._cols = _reach([unit.ground.cols for unit in units])
        self._parts = [_Part(plan.acquisitions[name]) for name in units[0].scene_ids]
        self._futures: list[Future[None]] = []

    def start(self, lanes: Lanes, bad: Collection[str]) -> None:
        """Queue what is to be read, but of no scene in `bad`."""
        frame = self._frame()
        for part in self._parts:
            if part.scene.scene_id not in bad:
                self._futures += part.start(lanes, frame)

    def wait(self, judged: set[str]) -> dict[str, str]:
        """Wait for all reads; gives scenes that failed and why.

        Scenes not yet in `judged` are looked at once whether their reflectance can be true.
        """
        for future in self._futures:
            future.result()
        found: dict[str, str] = {}
        for part in self._parts:
            name = part.scene.scene_id
            if part.failures:
                found[name] = part.failures[min(part.failures)]
            elif part.layer is not None and name not in judged:
                verdict = implausible(part.layer)
                if verdict is not None:
                    judged.add(name)
                if verdict:
                    found[name] = verdict
        return found

    def images(self, bad: Collection[str]) -> Iterator[TileImage]:
        """The images of the units, without the scenes in `bad`; none where all are bad."""
        layers = [p.layer for p in self._parts if p.scene.scene_id not in bad]
        read = [layer for layer in layers if layer is not None]
        if not read:
            return
        for unit in self._units:
            box = self._box(unit)
            cut = [layer.cut(box) for layer in read]
            yield tile_image(unit, cut, self._bands, self._grid, halo_px=self._halo)

    def _frame(self) -> Frame:
        px = self._grid.patch_px
        gsd = self._grid.patch_size / px
        (bottom, top), (left, right) = self._rows, self._cols
        corner = (left * px - self._halo) * gsd, (top * px + self._halo) * gsd
        size = (
            (top - bottom) * px + 2 * self._halo,
            (right - left) * px + 2 * self._halo,
        )
        return Frame.north_up(self._units[0].ground.epsg, gsd, corner, size)

    def _box(self, unit: Unit) -> tuple[slice, slice]:
        """Rows and columns of the strip's pixels that are the unit's image."""
        px, around = self._grid.patch_px, 2 * self._halo
        bottom, top = _reach([unit.ground.rows])
        left, right = _reach([unit.ground.cols])
        down = slice((self._rows[1] - top) * px, (self._rows[1] - bottom) * px + around)
        across = slice(
            (left - self._cols[0]) * px, (right - self._cols[0]) * px + around
        )
        return down, across


class _Part:
    """One scene's share of a strip."""

    def __init__(self, scene: Acquisition) -> None:
        self.scene = scene
        self.layer: Layer | None = None
        self.failures: dict[int, str] = {}
        """What went wrong, by number of the job."""
        self._lock = threading.Lock()
        self._left = 0

    def start(self, lanes: Lanes, frame: Frame) -> list[Future[None]]:
        """Queue a job per file."""
        try:
            check_bands(self.scene)
        except SourceError as error:
            self.failures[0] = str(error)
            return []
        jobs = [
            (href, partial(self._read, number, href, slots, frame))
            for number, (href, slots) in enumerate(by_file(self.scene).items())
        ]
        if self.scene.mask is not None:
            jobs.append((self.scene.mask.href, partial(self._mask, len(jobs), frame)))
        self._left = len(jobs)
        return [lanes.submit(href, run) for href, run in jobs]

    def _read(
        self, number: int, href: str, slots: Slots, frame: Frame, files: Files
    ) -> None:
        layer = self._layer(frame)
        try:
            clear = read_bands(
                files, self.scene, href, slots=slots, target=frame, out=layer.pixels
            )
        except SourceError as error:
            self.failures[number] = str(error)
        else:
            self._meet(layer, clear)

    def _mask(self, number: int, frame: Frame, files: Files) -> None:
        layer = self._layer(frame)
        try:
            clear = read_clear(files, self.scene, frame)
        except SourceError as error:
            self.failures[number] = str(error)
        else:
            self._meet(layer, clear)

    def _layer(self, frame: Frame) -> Layer:
        """What is read into; made with the first file, so that waiting takes no memory."""
        with self._lock:
            if self.layer is None:
                shape = len(self.scene.bands), frame.height, frame.width
                pixels = np.empty(shape, np.float32)
                self.layer = Layer(self.scene, pixels, np.ones(shape[1:], bool))
            return self.layer

    def _meet(self, layer: Layer, clear: NDArray[np.bool_]) -> None:
        """Take what a file does not have out of what is clear; the last one blanks it."""
        with self._lock:
            np.logical_and(layer.clear, clear, out=layer.clear)
            self._left -= 1
            last = self._left == 0
        if last:
            blank(layer.pixels, layer.clear)


def _reach(axes: list[NDArray[np.int64]]) -> tuple[int, int]:
    """First and one past the last of the numbers."""
    return int(min(a.min() for a in axes)), int(max(a.max() for a in axes)) + 1
