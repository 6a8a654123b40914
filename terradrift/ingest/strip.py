"""Tiles side by side that are read in one window, and the images they become."""

from collections.abc import Collection, Iterator
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from terradrift.chip import TileImage
from terradrift.grid import Grid
from terradrift.ingest.compose import tile_image
from terradrift.ingest.frame import Frame
from terradrift.ingest.lanes import Lanes
from terradrift.ingest.part import Part
from terradrift.ingest.plan import Plan, Unit
from terradrift.ingest.plausible import implausible
from terradrift.ingest.walk import Walk


def side_by_side(plan: Plan, grid: Grid) -> Iterator[list[Unit]]:
    """Units that follow each other in one strip, on one day and with the same scenes."""
    walk = Walk.of(grid, len(plan.bands))
    for _, units in groupby(
        plan.units, lambda unit: (unit.day, unit.scene_ids, walk.strip(unit.tile))
    ):
        yield list(units)


class Strip:
    """Units side by side on one day, with what has been read of them so far."""

    def __init__(self, units: list[Unit], plan: Plan, grid: Grid, halo_px: int) -> None:
        self._units, self._bands = units, plan.bands
        self._grid, self._halo = grid, halo_px
        self._rows = _reach([unit.ground.rows for unit in units])
        self._cols = _reach([unit.ground.cols for unit in units])
        self._parts = [Part(plan.acquisitions[name]) for name in units[0].scene_ids]
        self._started: list[Part] = []

    def start(self, lanes: Lanes, bad: Collection[str]) -> None:
        """Queue what is to be read, but of no scene in `bad`."""
        frame = self._frame()
        for part in self._parts:
            if part.scene.scene_id not in bad:
                part.start(lanes, frame)
                self._started.append(part)

    def wait(self, judged: set[str]) -> dict[str, str]:
        """Wait for all reads; gives scenes that failed and why.

        Scenes not yet in `judged` are looked at once whether their reflectance can be true.
        """
        found: dict[str, str] = {}
        for part in self._started:
            part.done.result()
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


def _reach(axes: list[NDArray[np.int64]]) -> tuple[int, int]:
    """First and one past the last of the numbers."""
    return int(min(a.min() for a in axes)), int(max(a.max() for a in axes)) + 1
