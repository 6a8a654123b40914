"""Rows of the simulated archive of what was found: changes, and each patch's strongest."""

import numpy as np
import pyarrow as pa
from _million_drawn import (
    CONTROLS,
    DIMENSIONS,
    LEAST_SCORE,
    MODEL,
    RUN,
    UNJUDGED,
    Drawn,
    Totals,
    events_named,
    moment,
    same,
    some,
    spectral,
)
from _million_plan import GRID, STAYING

from terradrift.archive import places


def changes(drawn: Drawn, totals: Totals) -> pa.Table:
    """The changes of a tile; `totals` learns of them."""
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


def patch_changes(drawn: Drawn) -> pa.Table:
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
            "first_change": moment(dates[date[np.minimum(edge[:-1], edge[-1])]], none),
            "last_change": moment(dates[date[edge[1:] - 1]], none),
            "largest_change": moment(dates[largest], none),
            "score": places.nullable(np.where(silent, np.nan, score)),
            "p_value": places.nullable(np.where(silent, np.nan, p_value)),
            "false_alarms": places.nullable(np.where(silent, np.nan, p_value * 4e5)),
            "onset": moment(dates[largest], silent),
            "persistence": pa.array(STAYING).take(pa.array(stays, mask=silent)),
            "reason": pa.array(["too few clear observations"]).take(
                pa.array(np.zeros(count, np.int64), mask=~silent)
            ),
            "run_id": same(RUN, count),
        }
    )


def _learn(totals: Totals, drawn: Drawn, ids: list[str]) -> None:
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
            some(totals.exemplars[kind], ids[at])


def _change_ids(ids: pa.Array, patch: np.ndarray, onset: np.ndarray) -> list[str]:
    given = ids.to_pylist()
    moments, which = np.unique(onset, return_inverse=True)
    said = [f"{moment.item():%Y%m%dT%H%M%S}" for moment in moments]
    return [
        f"{MODEL}-{given[at]}-{said[when]}"
        for at, when in zip(patch.tolist(), which.tolist(), strict=True)
    ]
