"""What is shown of a change: which ground around it, and on which dates (pure).

Dates are chosen by what is stored of clear fractions alone, so they are the same whether
the scenes can still be read or not.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import numpy as np
from numpy.typing import NDArray

from terradrift.archive.pixels_of import Place
from terradrift.grid import Grid
from terradrift.report import words

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
BESIDE = 6
"""Nearest dates of the same side that a date is held against; with fewer than 4 it is not."""
_LEAST_BESIDE = 4
_GREEN = 0.75
"""Quantile of their NDVI: where clouds are common, half of them may be clouded too."""
DIMMER = 0.3
"""Loss of NDVI, of all the ground around, that weeks do not make but clouds and snow do."""


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


@dataclass(frozen=True, slots=True)
class Seen:
    """A date on which a patch was observed, and the patches around it."""

    clear_percent: float
    """0..100, of the patch."""
    around: float
    """0..100, of the patches around that are held."""
    ndvi: float
    """Mean of those that were seen; NaN where the archive has none."""


def side(
    own: datetime,
    seen: Mapping[datetime, Seen],
    between: tuple[datetime | None, datetime | None],
) -> Side:
    """The change's own date, or where it is clouded around the patch, a clear one near it.

    Masks miss clouds, so a date that looks unlike those beside it counts as clouded too.

    Args:
        own: `date_before` or `date_after`.
        seen: the dates of the patch's observations.
        between: first and last instant of the same side; None is open.
    """
    first, last = between
    others = {
        at: one
        for at, one in seen.items()
        if one.clear_percent >= CLEAR_PERCENT
        and abs(at - own) <= NEAR
        and (first is None or at >= first)
        and (last is None or at <= last)
    }
    here = seen.get(own, Seen(0.0, 0.0, math.nan))
    why = _wrong(own, here, others)
    if why is None:
        return Side(own, here.around, None)
    good = [at for at, one in others.items() if _wrong(at, one, others) is None]
    if good:
        chosen = min(good, key=lambda at: (abs(at - own), at))
        return Side(
            chosen, others[chosen].around, f"{why}; this is the nearest clear date"
        )
    chosen = max(
        others, key=lambda at: (others[at].around, -abs(at - own)), default=own
    )
    if chosen == own:
        return Side(own, here.around, f"{why}; no date near it is clearer")
    return Side(chosen, others[chosen].around, f"{why}; this is the clearest near it")


def _wrong(at: datetime, one: Seen, others: Mapping[datetime, Seen]) -> str | None:
    """What is wrong with a date as a picture; None: nothing."""
    if one.around < WINDOW_CLEAR_PERCENT:
        return f"on {words.day(at)} {one.around:.0f} % of the ground around was clear"
    beside = sorted(
        (other for other in others if other != at), key=lambda other: abs(other - at)
    )
    values = [others[other].ndvi for other in beside[:BESIDE]]
    if len(values) < _LEAST_BESIDE or not np.isfinite([*values, one.ndvi]).all():
        return None
    usual = float(np.quantile(values, _GREEN))
    if one.ndvi > usual - DIMMER:
        return None
    return (
        f"on {words.day(at)} all the ground around was less green than on the dates beside it "
        f"(NDVI {one.ndvi:.2f}, then {usual:.2f}), as under snow or a cloud that no mask told"
    )


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
