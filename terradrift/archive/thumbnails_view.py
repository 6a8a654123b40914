"""What is shown of a change: which ground around it, and on which dates (pure).

Dates are chosen by what is stored of clear fractions alone, so they are the same whether
the scenes can still be read or not.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from terradrift.archive.pixels_of import Place
from terradrift.grid import Grid

ACROSS = 13
"""Patches from side to side, where they are small; always odd, so the patch is in the middle."""
LEAST_ACROSS = 3
MOST_PX = 320
"""Pixels a side, beyond which fewer patches are shown, and then coarser pixels."""
CLEAR_PERCENT = 70.0
"""A patch that is less clear was not seen (as `detect` takes it by default)."""
WINDOW_CLEAR_PERCENT = 70.0
"""Below this the surroundings count as clouded, and another date is looked for."""
NEAR = timedelta(days=60)
"""How far that date may be from the change's own: farther, the season would show."""


@dataclass(frozen=True, slots=True)
class Extent:
    """The patches of an archive in one CRS: lowest and last-but-one row and column."""

    rows: tuple[int, int]
    cols: tuple[int, int]


@dataclass(frozen=True, slots=True)
class View:
    """A square of whole patches around one of them."""

    place: Place
    patch: tuple[float, float, float, float]
    """Left, bottom, right, top of the patch in metres."""
    row: int
    """The grid's row of the southernmost patches."""
    col: int
    """The grid's column of the westernmost patches."""
    across: int
    """Patches a side."""

    @property
    def inside(self) -> tuple[slice, slice]:
        """The pixels (y, x) of the patch."""
        left, _, _, top = self.place.bounds
        west, south, east, north = self.patch
        gsd = self.place.gsd
        y, x = round((top - north) / gsd), round((west - left) / gsd)
        height = max(1, round((north - south) / gsd))
        return slice(y, y + height), slice(x, x + max(1, round((east - west) / gsd)))

    def patch_ids(self, grid: Grid) -> NDArray[np.str_]:
        """(n,) ids of all patches in it, whether the archive has them or not."""
        row, col = np.mgrid[
            self.row : self.row + self.across, self.col : self.col + self.across
        ]
        return grid.patch_ids(self.place.epsg, row.ravel(), col.ravel())


@dataclass(frozen=True, slots=True)
class Side:
    """The date that stands for one side of a change."""

    at: datetime
    clear_percent: float
    """0..100, of the patches around that are held, on that day."""
    note: str | None
    """Why it is not the change's own date, or what is wrong with it; None: nothing."""


def view(grid: Grid, cell: tuple[int, int, int], extent: Extent | None) -> View:
    """The square around `cell` (EPSG, row, column), moved inwards at the archive's edge."""
    epsg, row, col = cell
    size, patch_px = grid.patch_size, grid.patch_px
    across = MOST_PX // patch_px
    across = min(ACROSS, max(LEAST_ACROSS, across - (across + 1) % 2))
    half = across // 2
    low, left = row - half, col - half
    if extent is not None:
        low = _inwards(low, across, extent.rows)
        left = _inwards(left, across, extent.cols)
    times = _coarser(patch_px, across)
    bounds = (
        float(left * size),
        float(low * size),
        float((left + across) * size),
        float((low + across) * size),
    )
    patch = (
        float(col * size),
        float(row * size),
        float((col + 1) * size),
        float((row + 1) * size),
    )
    place = Place(epsg, bounds, size / patch_px * times)
    return View(place, patch, low, left, across)


def side(
    own: datetime,
    seen: Mapping[datetime, float],
    window_clear: Mapping[datetime, float],
    between: tuple[datetime | None, datetime | None],
) -> Side:
    """The change's own date, or where it is clouded around the patch, a clear one near it.

    Args:
        own: `date_before` or `date_after`.
        seen: instants of the patch's observations and how clear each is, in percent.
        window_clear: the same instants and how clear the patches around are.
        between: first and last instant of the same side; None is open.
    """
    first, last = between
    held = window_clear.get(own, 0.0)
    if held >= WINDOW_CLEAR_PERCENT:
        return Side(own, held, None)
    others = [
        at
        for at, clear in seen.items()
        if clear >= CLEAR_PERCENT
        and abs(at - own) <= NEAR
        and (first is None or at >= first)
        and (last is None or at <= last)
    ]
    clear = [at for at in others if window_clear.get(at, 0.0) >= WINDOW_CLEAR_PERCENT]
    told = f"on {own:%Y-%m-%d} {held:.0f} % of the ground around was clear"
    if clear:
        chosen = min(clear, key=lambda at: (abs(at - own), at))
        return Side(
            chosen, window_clear[chosen], f"{told}; this is the nearest clear date"
        )
    chosen = max(
        others, key=lambda at: (window_clear.get(at, 0.0), -abs(at - own)), default=own
    )
    what = (
        "no date near it is clearer"
        if chosen == own
        else "this is the clearest near it"
    )
    return Side(chosen, window_clear.get(chosen, held), f"{told}; {what}")


def _inwards(low: int, across: int, extent: tuple[int, int]) -> int:
    first, end = extent
    if end - first < across:
        return low
    return min(max(low, first), end - across)


def _coarser(patch_px: int, across: int) -> int:
    """By how much pixels are enlarged: a divisor of the patch's, so that they nest."""
    return next(
        times
        for times in range(1, patch_px + 1)
        if patch_px % times == 0
        and (patch_px // times * across <= MOST_PX or times == patch_px)
    )
