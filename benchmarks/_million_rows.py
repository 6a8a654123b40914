"""Rows of the simulated archive of `_million.py`: of one tile, and of all of it."""

from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b

import numpy as np
import pyarrow as pa
import shapely
from _million_plan import (
    GRID,
    GROUNDS,
    KINDS,
    PATHS,
    SEED,
    STAYING,
    Happened,
    Plan,
    Tile,
)

from terradrift import schema
from terradrift.archive import places

MODEL = "simulated"
RUN = "simulated"
DIMENSIONS = 16
BANDS = ("blue", "green", "red", "nir", "swir16", "swir22")
NO_KIND = 0.06
"""Share of changes that are of no kind."""
LEAST_SCORE = 8.0
UNJUDGED = 0.01
CONTROLS = 6

SCHEMAS = {
    "patches": schema.patches(),
    "embeddings": schema.embeddings(DIMENSIONS, model=MODEL, revision="1"),
    "units": schema.units(),
    "scores": schema.scores(),
    "changes": schema.changes(DIMENSIONS),
    "patch_changes": schema.patch_changes(),
    "regimes": schema.regimes(),
}
"""Tables that are written tile by tile."""

_RNG = np.random.default_rng(SEED + 3)
PATH = _RNG.normal(0, 0.25, (len(GROUNDS) * PATHS, DIMENSIONS)) + np.repeat(
    _RNG.normal(0, 0.5, (len(GROUNDS), DIMENSIONS)), PATHS, axis=0
)
STEP = _RNG.normal(0, 0.3, (len(KINDS), DIMENSIONS))
SPECTRAL = np.array([kind[1:] for kind in KINDS])
GREEN = np.repeat([0.72, 0.55, 0.5, 0.2], PATHS)


class Totals:
    """What is added up while tiles go by: squares and the sums of each event."""

    def __init__(self) -> None:
        self.changes = self.patches = 0
        self.kinds = np.zeros(len(KINDS), np.int64)
        self.paths = np.zeros(len(PATH), np.int64)
        self.exemplars: list[list[str]] = [[] for _ in KINDS]
        self.some_of: list[list[str]] = [[] for _ in PATH]
        self.event: list[np.ndarray] = []
        self.corners: list[np.ndarray] = []
        self.score: list[np.ndarray] = []
        self.z: list[np.ndarray] = []
        self.onset: list[np.ndarray] = []
        self.after: list[np.ndarray] = []
        self.spectral: list[np.ndarray] = []
        self.patch: list[np.ndarray] = []


def fitted(given: pa.Table, wanted: pa.Schema) -> pa.Table:
    """`given` in the wanted schema; columns not given are null."""
    count = len(given)
    columns = [
        given[field.name].cast(field.type)
        if field.name in given.column_names
        else pa.nulls(count, field.type)
        for field in wanted
    ]
    return pa.table(columns, schema=wanted)


def of_tile(plan: Plan, tile: Tile, totals: Totals) -> dict[str, pa.Table]:
    """Rows of one tile, by table; `totals` learns of them."""
    rng = np.random.default_rng((SEED, tile.epsg, int(tile.row[0]), int(tile.col[0])))
    count = len(tile.row)
    happened = plan.changes_of(tile)
    path, clearly = plan.regimes(tile)
    ground = _ground(tile)
    base = PATH[path] + rng.normal(0, 0.05, (count, DIMENSIONS))
    green = GREEN[path] + rng.normal(0, 0.03, count)
    kind = np.where(
        rng.random(len(happened.patch)) < NO_KIND,
        -1,
        plan.events["kind"][happened.event],
    )
    strength = plan.events["strength"][happened.event]
    score = LEAST_SCORE + strength * happened.depth**0.7 * rng.lognormal(
        0, 0.15, len(kind)
    )
    size = 0.5 + 0.5 * happened.depth[:, None]
    of = plan.events["kind"][happened.event]
    step = size * STEP[of] + rng.normal(0, 0.06, (len(kind), DIMENSIONS))
    spectral = size * SPECTRAL[of] + rng.normal(0, 0.03, (len(kind), 3))
    drawn = _Drawn(
        plan, tile, rng, ground, base, green, happened, kind, score, step, spectral
    )
    found = {"patches": pa.table(ground), "changes": _changes(drawn, totals)}
    found |= _observed(drawn) | {"patch_changes": _judged(drawn)}
    found["regimes"] = pa.table(
        {
            "patch_id": ground["patch_id"],
            "tile": ground["tile"],
            "regime": (len(GROUNDS) + path).astype(np.int32),
            "ground": (path // PATHS).astype(np.int32),
            "distance": (0.2 + rng.gamma(2, 0.1, count)).astype(np.float32),
            "margin": clearly.astype(np.float32),
            "n_clear": np.full(count, plan.dates, np.int32),
            "n_flips": np.minimum(
                np.bincount(happened.patch, minlength=count), 2
            ).astype(np.int32),
            "run_id": same(RUN, count),
        }
    )
    totals.patches += count
    np.add.at(totals.paths, path, 1)
    for at in np.unique(path, return_index=True)[1]:
        _some(totals.some_of[path[at]], ground["patch_id"][int(at)].as_py())
    return found


@dataclass(frozen=True)
class _Drawn:
    """What is drawn of a tile of n patches and m changes, before it becomes columns."""

    plan: Plan
    tile: Tile
    rng: np.random.Generator
    ground: Mapping[str, pa.Array]
    """Columns of its patches."""
    base: np.ndarray
    """(n, d), vectors of undisturbed ground."""
    green: np.ndarray
    """(n,), its NDVI."""
    happened: Happened
    kind: np.ndarray
    """(m,), -1 for none; like the others of changes."""
    score: np.ndarray
    step: np.ndarray
    """(m, d)"""
    spectral: np.ndarray
    """(m, 3), what NDVI, NBR and NDWI did."""


def _ground(tile: Tile) -> dict[str, pa.Array]:
    count = len(tile.row)
    ids = GRID.patch_ids(tile.epsg, tile.row, tile.col)
    corners = GRID.corners(tile.epsg, tile.row, tile.col)
    centres = GRID.centers(tile.epsg, tile.row, tile.col)
    low, high = corners.min(axis=1), corners.max(axis=1)
    sides = [pa.array(side) for side in (low[:, 0], low[:, 1], high[:, 0], high[:, 1])]
    return {
        "patch_id": pa.array(ids, pa.string()),
        "tile": same(tile.name, count),
        "crs": same(f"EPSG:{tile.epsg}", count),
        "row": pa.array(tile.row.astype(np.int32)),
        "col": pa.array(tile.col.astype(np.int32)),
        "longitude": pa.array(centres[:, 0]),
        "latitude": pa.array(centres[:, 1]),
        "bbox": pa.StructArray.from_arrays(sides, fields=list(schema.BBOX)),
        "geometry": pa.array(shapely.to_wkb(shapely.polygons(corners)), pa.binary()),
    }


def _changes(drawn: _Drawn, totals: Totals) -> pa.Table:
    plan, tile, rng = drawn.plan, drawn.tile, drawn.rng
    ground, base, happened = drawn.ground, drawn.base, drawn.happened
    count, dates = len(happened.patch), plan.days[plan.seen(tile)]
    first = np.searchsorted(happened.patch, happened.patch)
    number = np.arange(count) - first + 1
    onset, previous = dates[happened.date], dates[happened.date - 1]
    stays = plan.events["stays"][happened.event]
    brief = STAYING.index("transient")
    # A change that passed has left nothing for the next one to start from.
    lasting = np.cumsum(np.where((stays == brief)[:, None], 0, drawn.step), axis=0)
    earlier = np.vstack([np.zeros((1, DIMENSIONS)), lasting])
    before = base[happened.patch] + earlier[np.arange(count)] - earlier[first]
    p_value = np.power(10.0, -drawn.score / 5)
    z = drawn.score / 3 + rng.normal(0, 0.4, count)
    ids = _change_ids(ground["patch_id"], happened.patch, onset)
    where = pa.array(happened.patch)
    place = ("patch_id", "tile", "longitude", "latitude", "bbox", "geometry")
    calm = np.setdiff1d(np.arange(len(base)), happened.patch)
    control = rng.choice(calm if len(calm) else np.arange(len(base)), count * CONTROLS)
    named = events_named(happened.event)
    _learn(totals, drawn, ids)
    totals.z.append(z)
    totals.onset.append(onset)
    totals.patch.append(happened.patch + totals.patches)
    totals.after.append(onset)
    ended = np.where(
        (stays == brief) & (happened.date + 1 < len(dates)),
        dates[np.minimum(happened.date + 1, len(dates) - 1)],
        np.datetime64("NaT"),
    )
    return pa.table(
        {
            **{name: ground[name].take(where) for name in place},
            "change_id": pa.array(ids, pa.string()),
            "number": number.astype(np.int32),
            "onset": places.instants(onset),
            "onset_early": places.instants(previous),
            "onset_late": places.instants(onset),
            "ended": places.instants(ended),
            "date_before": places.instants(previous),
            "date_after": places.instants(onset),
            "gap_days": ((onset - previous) / np.timedelta64(1, "D")).astype(
                np.float32
            ),
            "n_reference": np.minimum(happened.date, 12).astype(np.int32),
            "n_controls": np.full(count, 40, np.int32),
            "controls": pa.ListArray.from_arrays(
                pa.array(np.arange(count + 1) * CONTROLS, pa.int32()),
                ground["patch_id"].take(pa.array(control)),
            ),
            "reference": same("season+analogues+calm", count),
            "drift": (0.1 + 0.02 * drawn.score).clip(0, 1.5).astype(np.float32),
            "z": z.astype(np.float32),
            "p_value": p_value.astype(np.float32),
            "q_value": np.minimum(40 * p_value, 1).astype(np.float32),
            "false_alarms": (p_value * 4e5).astype(np.float32),
            "lof": rng.normal(1.1, 0.1, count).astype(np.float32),
            "score": drawn.score.astype(np.float32),
            "persistence": pa.array(STAYING).take(pa.array(stays)),
            **spectral(drawn.spectral),
            "event_id": pa.array(named, pa.string()),
            "kind": pa.array(drawn.kind.astype(np.int32), mask=drawn.kind < 0),
            "kind_probability": places.nullable(
                np.where(drawn.kind < 0, np.nan, rng.uniform(0.5, 1, count))
            ),
            "rarity": rng.uniform(0, 1, count).astype(np.float32),
            "before": places.vectors(before),
            "after": places.vectors(before + drawn.step),
            "delta": places.vectors(drawn.step),
            "run_id": same(RUN, count),
        }
    )


def _learn(totals: Totals, drawn: _Drawn, ids: list[str]) -> None:
    happened, tile = drawn.happened, drawn.tile
    corners = GRID.corners(tile.epsg, tile.row, tile.col)
    totals.changes += len(ids)
    totals.event.append(happened.event)
    totals.corners.append(corners[happened.patch])
    totals.score.append(drawn.score)
    totals.spectral.append(drawn.spectral)
    np.add.at(totals.kinds, drawn.kind[drawn.kind >= 0], 1)
    for kind, at in zip(*np.unique(drawn.kind, return_index=True), strict=True):
        if kind >= 0:
            _some(totals.exemplars[kind], ids[at])


def _observed(drawn: _Drawn) -> dict[str, pa.Table]:
    """Embeddings, scores and units: each patch on each date of its orbit."""
    plan, tile, rng = drawn.plan, drawn.tile, drawn.rng
    ground, base, green = drawn.ground, drawn.base, drawn.green
    happened, seen = drawn.happened, plan.seen(tile)
    count, dates = len(base), len(seen)
    vectors = np.repeat(base[:, None], dates, axis=1)
    ndvi = np.repeat(green[:, None], dates, axis=1)
    z = rng.normal(0, 1, (count, dates))
    brief = plan.events["stays"][happened.event] == STAYING.index("transient")
    for date in range(dates):
        here = (happened.date == date) | ((happened.date < date) & ~brief)
        np.add.at(vectors[:, date], happened.patch[here], drawn.step[here])
        np.add.at(ndvi[:, date], happened.patch[here], drawn.spectral[here, 0])
        now = happened.date == date
        np.maximum.at(z[:, date], happened.patch[now], drawn.score[now] / 3)
    vectors += rng.normal(0, 0.05, vectors.shape)
    season = np.cos((_day_of_year(plan.days[seen]) - 200) / 365.25 * 2 * np.pi)
    ndvi = (ndvi + 0.08 * season + rng.normal(0, 0.02, ndvi.shape)).clip(-0.4, 0.95)
    clear = np.where(rng.random(z.shape) < 0.8, 100, rng.uniform(70, 100, z.shape))
    judged = np.tile(np.arange(dates) >= 2, count)
    patch = pa.array(np.repeat(np.arange(count), dates))
    date = pa.array(np.tile(np.arange(dates), count))
    both = {
        "patch_id": ground["patch_id"].take(patch),
        "datetime": places.instants(plan.days[seen]).take(date),
        "tile": ground["tile"].take(patch),
        "clear_percent": clear.ravel().astype(np.float32),
        "run_id": same(RUN, count * dates),
    }
    scene = pa.array([f"SIM_{one:04d}" for one in seen])
    p_value = 1 / (1 + np.exp(1.7 * z)).ravel()
    scored = {
        "drift": 0.1 + 0.03 * np.abs(z).ravel(),
        "z": z.ravel(),
        "p_value": p_value,
        "q_value": np.minimum(40 * p_value, 1),
        "lof": 1 + 0.05 * np.abs(z).ravel(),
        "cusum": np.maximum(z - 1, 0).cumsum(axis=1).ravel(),
        "ewma": (0.3 * z).ravel(),
    }
    past = np.tile(np.arange(dates), count)
    return {
        "embeddings": pa.table(
            {
                **both,
                "scene_id": scene.take(date),
                "ndvi": ndvi.ravel().astype(np.float32),
                "nbr": (0.8 * ndvi - 0.05).ravel().astype(np.float32),
                "ndwi": (0.1 - 0.9 * ndvi).ravel().astype(np.float32),
                "embedding": places.vectors(vectors.reshape(-1, DIMENSIONS)),
            }
        ),
        "scores": pa.table(
            {
                **both,
                "n_reference": past.astype(np.int32),
                "n_controls": np.where(judged, 40, 0).astype(np.int32),
                "reference": pa.array(["season+analogues+calm"]).take(
                    pa.array(np.zeros(len(judged), np.int64), mask=~judged)
                ),
                **{
                    name: places.nullable(np.where(judged, values, np.nan))
                    for name, values in scored.items()
                },
                "reason": pa.array(["fewer than 2 earlier dates"]).take(
                    pa.array(np.zeros(len(judged), np.int64), mask=judged)
                ),
            }
        ),
        "units": pa.table(
            {
                "scene_id": scene,
                "tile": same(tile.name, dates),
                "rows": np.full(dates, count, np.int32),
                "run_id": same(RUN, dates),
            }
        ),
    }


def _judged(drawn: _Drawn) -> pa.Table:
    """Each patch: its strongest change, or a weak candidate, or why it is not judged."""
    plan, ground, rng = drawn.plan, drawn.ground, drawn.rng
    happened, dates = drawn.happened, plan.days[plan.seen(drawn.tile)]
    count = len(ground["patch_id"])
    changed = np.bincount(happened.patch, minlength=count)
    silent = (changed == 0) & (rng.random(count) < UNJUDGED)
    score = rng.gamma(3, 1.1, count).clip(0, LEAST_SCORE - 0.1)
    largest = rng.integers(2, len(dates), count)
    stays = rng.integers(0, 2, count)
    order = np.lexsort((drawn.score, happened.patch))
    last = order[np.flatnonzero(np.diff(happened.patch[order], append=-1))]
    score[happened.patch[last]] = drawn.score[last]
    largest[happened.patch[last]] = happened.date[last]
    stays[happened.patch[last]] = plan.events["stays"][happened.event[last]]
    edge = np.searchsorted(happened.patch, np.arange(count + 1))
    none = changed == 0
    date = np.append(happened.date, 0)
    p_value = np.power(10.0, -score / 5)
    return pa.table(
        {
            "patch_id": ground["patch_id"],
            "tile": ground["tile"],
            "n_clear": np.full(count, plan.dates, np.int32),
            "n_changes": changed.astype(np.int32),
            "first_change": _moment(dates[date[np.minimum(edge[:-1], edge[-1])]], none),
            "last_change": _moment(dates[date[edge[1:] - 1]], none),
            "largest_change": _moment(dates[largest], none),
            "score": places.nullable(np.where(silent, np.nan, score)),
            "p_value": places.nullable(np.where(silent, np.nan, p_value)),
            "false_alarms": places.nullable(np.where(silent, np.nan, p_value * 4e5)),
            "onset": _moment(dates[largest], silent),
            "persistence": pa.array(STAYING).take(pa.array(stays, mask=silent)),
            "reason": pa.array(["too few clear observations"]).take(
                pa.array(np.zeros(count, np.int64), mask=~silent)
            ),
            "run_id": same(RUN, count),
        }
    )


def events_named(number: np.ndarray) -> list[str]:
    """Ids of events, as `detect` writes them."""
    names: dict[int, str] = {}
    for one in np.unique(number).tolist():
        digest = blake2b(f"{SEED}/{one}".encode(), digest_size=6).hexdigest()
        names[one] = f"event-{digest}"
    return [names[one] for one in number.tolist()]


def _change_ids(ids: pa.Array, patch: np.ndarray, onset: np.ndarray) -> list[str]:
    given = ids.to_pylist()
    moments, which = np.unique(onset, return_inverse=True)
    said = [f"{moment.item():%Y%m%dT%H%M%S}" for moment in moments]
    return [
        f"{MODEL}-{given[at]}-{said[when]}"
        for at, when in zip(patch.tolist(), which.tolist(), strict=True)
    ]


def spectral(values: np.ndarray) -> dict[str, np.ndarray]:
    names = ("d_ndvi", "d_nbr", "d_ndwi")
    return {name: values[:, at].astype(np.float32) for at, name in enumerate(names)}


def _moment(instants: np.ndarray, none: np.ndarray) -> pa.Array:
    return places.instants(np.where(none, np.datetime64("NaT"), instants))


def _day_of_year(instants: np.ndarray) -> np.ndarray:
    day = instants.astype("M8[D]")
    return (day - day.astype("M8[Y]")).astype(np.int64)


def same(word: str, count: int) -> pa.Array:
    return pa.array([word]).take(pa.array(np.zeros(count, np.int64)))


def _some(found: list[str], one: str) -> None:
    if len(found) < 5:
        found.append(one)
