"""Chips of one change: which dates and from where, and their pixels."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np
import pyproj
import shapely
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from terradrift.archive.pixels_of import degrees
from terradrift.archive.thumbnails_read import Windows
from terradrift.archive.thumbnails_shown import Shown
from terradrift.archive.thumbnails_view import Side, View
from terradrift.report import difference, words
from terradrift.serve.change import plain
from terradrift.serve.change.rows import Row, Rows
from terradrift.serve.chips import draw, spectra
from terradrift.serve.faults import NotThere


@dataclass(frozen=True, slots=True)
class Chip:
    """One picture, and what there is to say of it."""

    png: bytes
    meaning: str
    """ASCII."""


def facts(rows: Rows, change: Row, beside: list[Row]) -> dict[str, Any]:
    """`chips` of `/api/change/{id}`: dates, scenes, where from, and what a difference means."""
    shown = rows.pictured.shown(change, beside)
    windows = rows.pictured.windows
    sides = {"before": shown.before, "after": shown.after}
    from_ = {name: _source(windows, one, shown.view) for name, one in sides.items()}
    known = [one for one in from_.values() if one]
    return {
        **{name: plain.instant(one.at if one else None) for name, one in sides.items()},
        "source": ("scenes" if "scenes" in known else "cache") if known else None,
        "sources": from_,
        "bbox": list(degrees(shown.view.place)),
        "metres": shown.view.place.bounds[2] - shown.view.place.bounds[0],
        "gsd": shown.view.place.gsd,
        "scenes": {
            name: _scene(windows, one, shown.view) for name, one in sides.items()
        },
        "notes": _notes(shown, from_),
        "colour": list(windows.pixels.colour),
        "difference": difference.scale(windows.bands).legend(),
    }


def chip(
    rows: Rows, change: Row, beside: list[Row], which: draw.Which, size: int
) -> Chip:
    """One picture of a change.

    Raises:
        NotThere: nothing of it can be read, or nothing in it was clear; the line says which.
    """
    shown = rows.pictured.shown(change, beside)
    windows = rows.pictured.windows
    if not windows.bands:
        raise NotThere("the archive has no scenes of its own to show; it was imported")
    sides = _pixels(windows, shown)
    outline = _outline(rows, change["event_id"], shown.view)
    found = draw.chip(which, sides, windows.bands, shown.view, event=outline, size=size)
    if found is None:
        raise NotThere(_why(shown, sides, which))
    scale = difference.scale(windows.bands)
    bands = ", ".join(windows.pixels.colour)
    told = (
        scale.meaning
        if which == "difference"
        else f"reflectance in {bands}, one stretch"
    )
    return Chip(found, told)


def bands(rows: Rows, change: Row, beside: list[Row]) -> dict[str, Any]:
    """As `/api/change/{id}/spectra`; dates are those of the chips."""
    shown = rows.pictured.shown(change, beside)
    windows = rows.pictured.windows
    found = spectra.spectra(_pixels(windows, shown), windows.bands, shown.view)
    return {
        **found,
        "before": plain.instant(shown.before.at if shown.before else None),
        "after": plain.instant(shown.after.at if shown.after else None),
    }


def _pixels(
    windows: Windows, shown: Shown
) -> tuple[NDArray[np.float32] | None, NDArray[np.float32] | None]:
    before, after = (
        None if one is None else windows.read(one.at, shown.view.place)
        for one in (shown.before, shown.after)
    )
    return before, after


def _source(windows: Windows, side: Side | None, view: View) -> str | None:
    return None if side is None else windows.source(side.at, view.place)


def _scene(windows: Windows, side: Side | None, view: View) -> str | None:
    rows = [] if side is None else windows.pixels.scenes(side.at, view.place)
    return next((str(row["scene_id"]) for row in rows), None)


def _notes(shown: Shown, sources: dict[str, str | None]) -> list[str]:
    """What is not as one would expect, each a sentence."""
    said = []
    for name, one in (("Before", shown.before), ("After", shown.after)):
        if one is None:
            said.append(f"{name}: no clear date.")
        elif one.note:
            said.append(f"{name}: {one.note}.")
        if one is not None and sources[name.lower()] is None:
            said.append(f"{name}: {_gone(one.at)}.")
    return said


def _gone(at: datetime) -> str:
    return (
        f"the scene of {words.day(at)} is out of reach (moved or deleted), and no picture of "
        "it was kept; where scenes are there, terradrift thumbnails keeps some"
    )


def _why(
    shown: Shown,
    sides: tuple[NDArray[np.float32] | None, NDArray[np.float32] | None],
    which: draw.Which,
) -> str:
    wanted = ("before", "after") if which == "difference" else (which,)
    for name, one, pixels in zip(
        ("before", "after"), (shown.before, shown.after), sides, strict=True
    ):
        if name not in wanted:
            continue
        if one is None:
            return f"no clear date {name} the change"
        if pixels is None:
            return _gone(one.at)
    return "no pixel around the patch was clear on the dates that are shown"


def _outline(rows: Rows, event_id: str | None, view: View) -> BaseGeometry | None:
    """The outline of the event in metres of the view's CRS, cut to what is near."""
    if event_id is None:
        return None
    row = rows.event(event_id)
    if row["geometry"] is None or row["n_patches"] == 1:
        return None
    to_metres = pyproj.Transformer.from_crs(4326, view.place.epsg, always_xy=True)

    def moved(points: NDArray[np.float64]) -> NDArray[np.float64]:
        return np.column_stack(to_metres.transform(points[:, 0], points[:, 1]))

    shape = shapely.transform(shapely.from_wkb(row["geometry"]), moved)
    left, bottom, right, top = view.place.bounds
    margin = right - left
    return shapely.clip_by_rect(
        shape, left - margin, bottom - margin, right + margin, top + margin
    )
