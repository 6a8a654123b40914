"""The history of a patch as a page draws it, beside what it was judged against."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from terradrift.chip import INDICES
from terradrift.serve.change import band, plain
from terradrift.serve.change.band import Bands
from terradrift.serve.change.rows import Row, Rows
from terradrift.serve.faults import NotThere

MOST_CONTROLS = 12
_SEEN = ("datetime", "clear_percent", *INDICES)
_SCORED = (
    "datetime",
    "drift",
    "z",
    "p_value",
    "reference",
    "n_reference",
    "n_controls",
    "reason",
)
_LEAST = 5
"""Analogues seen on a date, below which their range is not told."""
_WHOLE = 300_000
"""Rows of `scores` up to which bands are of the whole archive; beyond, of the patch's tile."""
_US_PER_DAY = 86_400 * 10**6
_EXPECTED = (
    "the middle nine tenths (5 to 95 %) of the index of the analogues named for the change on "
    "the same date, each counted once; null where fewer than five were seen. They were chosen "
    "on the day of the onset for having run alongside before it, so that they agree before it "
    "is by choice; what they say of later dates is not."
)
_CONTROLS = (
    "the analogues nearest to the patch on the day of the onset, nearest first, by what was "
    "seen before that day"
)


def of_change(rows: Rows, change: Row) -> dict[str, Any]:
    """As `/api/change/{id}/series`."""
    names = list(change["controls"] or [])[:MOST_CONTROLS]
    found = of_patch(rows, change["patch_id"], names)
    for one, moved in zip(found["controls"], rows.moved_too(change), strict=False):
        one["same_event"] = moved
    dates = ("onset", "onset_early", "onset_late", "ended", "date_before", "date_after")
    return {
        **found,
        **{name: plain.instant(change[name]) for name in dates},
    }


def of_patch(rows: Rows, patch: str, controls: Sequence[str] = ()) -> dict[str, Any]:
    """As `/api/patch/{id}/series`; lists are by date, in order of time.

    Raises:
        NotThere: the patch has no observation.
    """
    seen, scored = rows.by_patch("embeddings"), rows.by_patch("scores")
    patches = [patch, *controls]
    light = {} if seen is None else seen.of(patches, _SEEN)
    judged = {} if scored is None else scored.of(patches, _SCORED)
    if patch not in light or not len(light[patch]):
        raise NotThere(f"no observation of the patch {patch:.200} under this model")
    own = light[patch].sort_by("datetime")
    days = _days(own)
    told = _by_day(judged.get(patch), days, _SCORED[1:])
    return {
        "patch_id": patch,
        "times": [plain.instant(at) for at in own["datetime"].to_pylist()],
        "clear": plain.numbers(_floats(own, "clear_percent"), 1),
        **{name: plain.numbers(_floats(own, name)) for name in INDICES},
        **{name: _rounded(told[name]) for name in ("z", "drift", "p_value")},
        "reason": told["reason"],
        "against": told["reference"],
        "n_reference": told["n_reference"],
        "n_controls": told["n_controls"],
        "reference": _band(rows, patch, days, told["reference"]),
        "expected": _expected([light[one] for one in controls if one in light], days),
        "controls": _controls(rows, controls, judged, days),
        "controls_are": _CONTROLS,
    }


def _band(
    rows: Rows, patch: str, days: NDArray[np.int64], references: Sequence[str | None]
) -> dict[str, Any]:
    held = _bands(rows, patch)
    found = [
        band.NOWHERE
        if (among := band.stratum(one)) is None
        else held.get((day, among), band.NOWHERE)
        for day, one in zip(days.tolist(), references, strict=True)
    ]
    return {
        "low": plain.numbers(np.array([one.low for one in found])),
        "high": plain.numbers(np.array([one.high for one in found])),
        "what": band.WHAT,
    }


def _bands(rows: Rows, patch: str) -> Bands:
    """Bands of the archive's dates, or where it is large of those of the patch's tile."""
    scored = rows.by_patch("scores")
    if scored is None:
        return {}
    if rows.generation.once("rows of scores", scored.dataset.count_rows) <= _WHOLE:
        return rows.generation.once(
            "bands",
            lambda: band.bands(scored.dataset.to_table(columns=list(band.COLUMNS))),
        )
    tile = scored.tile_of(patch)
    return rows.tiles.get(tile, lambda: band.bands(scored.tile(tile, band.COLUMNS)))


def _expected(controls: Sequence[pa.Table], days: NDArray[np.int64]) -> dict[str, Any]:
    found: dict[str, Any] = {"what": _EXPECTED}
    seen = np.zeros(len(days), np.int64)
    for name in INDICES:
        values = np.full((len(controls), len(days)), np.nan)
        for row, one in enumerate(controls):
            values[row] = _on(days, one, _floats(one, name))
        count = np.isfinite(values).sum(axis=0)
        enough = count >= _LEAST
        ends = np.full((2, len(days)), np.nan)
        if enough.any():
            ends[:, enough] = np.nanquantile(values[:, enough], (0.05, 0.95), axis=0)
        found[name] = {"low": plain.numbers(ends[0]), "high": plain.numbers(ends[1])}
        seen = np.maximum(seen, count)
    return {**found, "n": seen.tolist()}


def _controls(
    rows: Rows,
    controls: Sequence[str],
    judged: Mapping[str, pa.Table],
    days: NDArray[np.int64],
) -> list[dict[str, Any]]:
    places = rows.places(list(controls))
    found = []
    for patch in controls:
        place = places.get(patch, {})
        told = _by_day(judged.get(patch), days, ("drift", "z"))
        found.append(
            {
                "patch_id": patch,
                "longitude": place.get("longitude"),
                "latitude": place.get("latitude"),
                "drift": _rounded(told["drift"]),
                "z": _rounded(told["z"]),
            }
        )
    return found


def _by_day(
    table: pa.Table | None, days: NDArray[np.int64], columns: Sequence[str]
) -> dict[str, list[Any]]:
    """Columns of a patch's rows on the days asked for; None where it has none that day."""
    if table is None or not len(table):
        return {name: [None] * len(days) for name in columns}
    place = {day: row for row, day in enumerate(_days(table).tolist())}
    at = [place.get(day) for day in days.tolist()]
    taken = table.take(pa.array(at, pa.int64()))
    return {name: taken[name].to_pylist() for name in columns}


def _on(
    days: NDArray[np.int64], table: pa.Table, values: NDArray[np.float64]
) -> NDArray[np.float64]:
    """(t,) values of a patch's rows on the days asked for, NaN where it has none that day."""
    out = np.full(len(days), np.nan)
    _, here, there = np.intersect1d(days, _days(table), return_indices=True)
    out[here] = values[there]
    return out


def _days(table: pa.Table) -> NDArray[np.int64]:
    found: NDArray[np.int64] = (
        table["datetime"].cast(pa.int64()).to_numpy() // _US_PER_DAY
    )
    return found


def _floats(table: pa.Table, name: str) -> NDArray[np.float64]:
    values: NDArray[np.float64] = table[name].to_numpy().astype(np.float64)
    return values


def _rounded(values: Sequence[float | None]) -> list[float | None]:
    return [None if one is None else plain.number(one, 5) for one in values]
