"""Where changes were found, missed and falsely told: one map, or one for each area."""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.artist import Artist
from matplotlib.axes import Axes
from matplotlib.collections import PolyCollection
from matplotlib.figure import Figure
from matplotlib.gridspec import SubplotSpec
from matplotlib.patches import Patch
from numpy.typing import NDArray
from scipy import ndimage

from terradrift.evaluate.result import Picture
from terradrift.report import ink

_UNKNOWN, _STILL = "#cfd5da", "#eef0f1"
_WIDE = 5.9
"""Inches of a map; beside it stands the legend."""
_PANELS, _COLUMNS = 8, 4
_COARSE = 50
"""Squares along the longer side of all ground, of which areas are made."""
_IN_A_SQUARE = 3
"""Patches along the side of a square, at least."""
_SPARSE = 0.3
"""Where less of these squares holds patches, areas are drawn one by one."""
_METRES_PER_DEGREE = 111_320.0


@dataclass(frozen=True, slots=True, eq=False)
class Area:
    """Patches that lie together."""

    rows: NDArray[np.int64]
    corners: NDArray[np.float64]
    """(k, 4, 2)"""

    @property
    def low(self) -> NDArray[np.float64]:
        """West and south."""
        lowest: NDArray[np.float64] = self.corners.min((0, 1))
        return lowest

    @property
    def high(self) -> NDArray[np.float64]:
        """East and north."""
        highest: NDArray[np.float64] = self.corners.max((0, 1))
        return highest

    @property
    def narrow(self) -> float:
        """How much shorter a degree of longitude is than one of latitude."""
        return max(math.cos(math.radians(float(self.low[1] + self.high[1]) / 2)), 0.02)

    @property
    def ratio(self) -> float:
        """Height over width on the ground."""
        span = np.maximum(self.high - self.low, 1e-9)
        return float(span[1] / (span[0] * self.narrow))

    @property
    def km(self) -> float:
        """Width."""
        wide = float(self.high[0] - self.low[0]) * self.narrow
        return wide * _METRES_PER_DEGREE / 1000


def areas(picture: Picture) -> list[Area]:
    """One area, or several where patches lie far apart, those with most changes first."""
    if picture.corners is None or len(picture.corners) == 0:
        return []
    whole = Area(np.arange(len(picture.corners)), picture.corners)
    changed = picture.changed
    return sorted(_parts(whole), key=lambda one: -int(changed[one.rows].sum()))


def _parts(whole: Area) -> list[Area]:
    """The area, or where it is mostly empty the areas that it is made of."""
    middle = whole.corners.mean(axis=1)
    span = float(np.maximum(whole.high - whole.low, 1e-9).max())
    # A square holds some patches, or the gaps between its own patches would part an area.
    own = float(np.median(np.ptp(whole.corners, axis=1).max(axis=1)))
    side = int(np.clip(span / own / _IN_A_SQUARE, 1, _COARSE))
    place = ((middle - whole.low) / span * side).astype(int).clip(0, side)
    held = np.zeros((side + 1, side + 1), bool)
    held[place[:, 0], place[:, 1]] = True
    label, count = ndimage.label(held, structure=np.ones((3, 3)))
    box = np.ptp(place, axis=0) + 1
    if count == 1 or held.sum() / box.prod() >= _SPARSE:
        return [whole]
    number = label[place[:, 0], place[:, 1]]
    found = (np.flatnonzero(number == one) for one in range(1, count + 1))
    return [
        part
        for rows in found
        for part in _parts(Area(whole.rows[rows], whole.corners[rows]))
    ]


def layout(panels: list[Area]) -> tuple[int, float]:
    """Rows of maps, and inches that each is high."""
    if len(panels) < 2:
        return len(panels), min(
            max(_WIDE * one.ratio for one in panels), 5.4
        ) + 0.4 if (panels) else 0.0
    shown = panels[:_PANELS]
    return math.ceil(len(shown) / _COLUMNS), 2.3


def draw(
    drawn: Figure,
    place: SubplotSpec,
    picture: Picture,
    panels: list[Area],
    reports: bool,
) -> None:
    """Draw the areas; what is `picture.reported` is told, or as many as changed."""
    shown = panels[:_PANELS]
    rows, _ = layout(panels)
    columns = min(len(shown), _COLUMNS)
    grid = place.subgridspec(rows, columns + 1, width_ratios=[*[1.0] * columns, 0.4])
    if len(shown) == 1:
        grid = place.subgridspec(1, 2, width_ratios=(_WIDE, 8.4 - _WIDE))
    for number, area in enumerate(shown):
        axes = drawn.add_subplot(grid[number // columns, number % columns])
        _area(axes, picture, area)
        title = f"{area.km:,.{2 if area.km < 10 else 0}f} km wide"
        if len(shown) == 1:
            title = f"Patches, north up, {title}"
        axes.set_title(title, loc="left", fontsize=9 if len(shown) == 1 else 8)
    beside = drawn.add_subplot(grid[:, columns])
    beside.set_axis_off()
    heading = "" if reports else "As many patches taken\nas reported as changed"
    if len(panels) > len(shown):
        heading += f"\n{len(shown)} of {len(panels)} areas"
    beside.legend(
        handles=_key(picture, reports=reports),
        title=heading.strip(),
        title_fontsize=8,
        alignment="left",
        frameon=False,
        loc="upper left",
        fontsize=8,
        borderaxespad=0,
    )


def _classes(picture: Picture) -> list[tuple[str, str, NDArray[np.bool_]]]:
    told, changed, unchanged = picture.reported, picture.changed, picture.unchanged
    return [
        ("unchanged", _STILL, unchanged & ~told),
        ("truth unknown", _UNKNOWN, ~changed & ~unchanged),
        ("found", ink.PERSISTENT, changed & told),
        ("missed", ink.INK, changed & ~told),
        ("false alarm", ink.TRANSIENT, unchanged & told),
    ]


def _silent(picture: Picture) -> NDArray[np.bool_]:
    return ~picture.judged & (picture.changed | picture.unchanged)


_HATCHED: dict[str, Any] = {
    "facecolor": "none",
    "edgecolor": ink.FAINT,
    "hatch": "/////",
    "linewidth": 0.0,
}


def _key(picture: Picture, *, reports: bool) -> list[Artist]:
    handles: list[Artist] = [
        Patch(
            facecolor=colour,
            label=f"{name}{', not reported' if reports and colour == _STILL else ''} "
            f"({rows.sum():,})",
        )
        for name, colour, rows in _classes(picture)
        if rows.any()
    ]
    if (silent := _silent(picture)).any():
        handles.append(Patch(**_HATCHED, label=f"not judged ({silent.sum():,})"))
    return handles


def _area(axes: Axes, picture: Picture, area: Area) -> None:
    for _, colour, rows in _classes(picture):
        own = rows[area.rows]
        if own.any():
            axes.add_collection(
                PolyCollection(
                    list(area.corners[own]),
                    facecolor=colour,
                    # Neighbours would show a seam of background between them.
                    edgecolor="face",
                    linewidth=0.2,
                    rasterized=True,
                )
            )
    silent = _silent(picture)[area.rows]
    if silent.any():
        axes.add_collection(
            PolyCollection(list(area.corners[silent]), rasterized=True, **_HATCHED)
        )
    axes.set_xlim(area.low[0], area.high[0])
    axes.set_ylim(area.low[1], area.high[1])
    axes.set_aspect(1 / area.narrow)
    axes.set_anchor("NW")
    axes.set_axis_off()
