"""Monitoring over dates: one date against stored state, and whole histories at once (pure)."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.monitor import chart, day
from terradrift.detect.monitor.chart import State
from terradrift.detect.monitor.day import Placebo
from terradrift.detect.monitor.fixed import histories
from terradrift.detect.monitor.reference import Blocks, Reference, find, usable

NEAREST = 10
"""Analogues that an alert names."""


@dataclass(frozen=True, slots=True, eq=False)
class Scene:
    """The pool on one day: what all patches are compared with."""

    vectors: NDArray[np.float32]
    """(p, r), reduced; zeros where not clear."""
    clear: NDArray[np.bool_]
    """(p,)"""
    placebo: Placebo | None
    """None: too few are clear to judge anything that day."""

    @classmethod
    def of(
        cls,
        reference: Reference,
        vectors: NDArray[np.float32],
        clear: NDArray[np.bool_],
    ) -> "Scene":
        """Judge the pool by itself."""
        found = day.residuals(
            reference.learned.take(reference.pool),
            vectors,
            clear,
            pool=vectors,
            pool_clear=clear,
            whiten=reference.whiten,
            rules=reference.rules,
        )
        return cls(vectors, clear, Placebo.of(found, reference.rules))


@dataclass(frozen=True, slots=True, eq=False)
class Alerts:
    """Alerts raised by `a` patches on one day."""

    row: NDArray[np.int64]
    """(a,), among the reference's patches."""
    detected: NDArray[np.datetime64]
    """(a,), datetime64[us], the observation that raised it."""
    onset: NDArray[np.datetime64]
    """(a,), the first observation of the evidence."""
    onset_early: NDArray[np.datetime64]
    """(a,), the last judged observation before it; NaT where there was none."""
    z: NDArray[np.float32]
    p_value: NDArray[np.float32]
    level: NDArray[np.float32]
    average: NDArray[np.float32]
    false_alarms: NDArray[np.float32]
    """(a,), per 1,000 km2 and year, at this level."""
    dates: NDArray[np.int32]
    """(a,), of evidence."""
    n_controls: NDArray[np.int32]
    controls: NDArray[np.int32]
    """(a, 10), places in the pool, nearest first, -1 beyond them."""


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """What one day did to `m` patches."""

    rows: NDArray[np.int64]
    """(m,), among the reference's patches."""
    judged: day.Judged
    alerts: Alerts
    ended: NDArray[np.int64]
    """Rows whose open alert ended."""


def step(
    reference: Reference,
    state: State,
    scene: Scene,
    rows: NDArray[np.int64],
    *,
    vectors: NDArray[np.float32],
    clear: NDArray[np.bool_],
    instants: NDArray[np.datetime64],
) -> Step:
    """Judge one day of the patches `rows` (m,), and bring their charts up to it.

    Args:
        reference: what they are judged by.
        state: of all patches of the reference; changed in place.
        scene: the pool on the same day.
        rows: (m,), each at most once.
        vectors: (m, r), reduced.
        clear: (m,)
        instants: (m,), datetime64[us].
    """
    rules = reference.rules
    left = day.residuals(
        reference.learned.take(rows),
        vectors,
        clear,
        pool=scene.vectors,
        pool_clear=scene.clear,
        whiten=reference.whiten,
        rules=rules,
    )
    judged = day.judge(left, scene.placebo, reference.own[rows], rules)
    at = np.flatnonzero(judged.reason == day.JUDGED)
    turn = chart.update(
        state,
        rows[at],
        judged.vectors[at],
        judged.z[at],
        instants[at],
        threshold=reference.threshold,
        rules=rules,
    )
    raised = at[np.isin(rows[at], turn.raised)]
    row = rows[raised]
    used = left.used[raised]
    return Step(
        rows,
        judged,
        Alerts(
            row=row,
            detected=instants[raised].astype("datetime64[us]"),
            onset=state.since[row],
            onset_early=state.before[row],
            z=judged.z[raised],
            p_value=judged.p_value[raised],
            level=state.level[row],
            average=state.average[row],
            false_alarms=reference.false_alarms(state.level[row]).astype(np.float32),
            dates=state.dates[row],
            n_controls=(used >= 0).sum(axis=1).astype(np.int32),
            controls=_first(used),
        ),
        turn.ended,
    )


def _first(used: NDArray[np.int32]) -> NDArray[np.int32]:
    """(a, 10) of (a, k)."""
    out = np.full((len(used), NEAREST), -1, np.int32)
    out[:, : used.shape[1]] = used[:, :NEAREST]
    return out


@dataclass(frozen=True, slots=True, eq=False)
class Track:
    """The charts of one block's `n` patches over its `t` days from the start on."""

    rows: NDArray[np.int64]
    """(n,), among the reference's patches, -1 where it does not know the patch."""
    days: NDArray[np.datetime64]
    """(t,)"""
    level: NDArray[np.float32]
    """(n, t), NaN where the day was not judged."""
    z: NDArray[np.float32]
    p_value: NDArray[np.float32]
    average: NDArray[np.float32]
    since: NDArray[np.datetime64]
    """(n, t), datetime64[us], first observation of the evidence so far, NaT without."""
    steps: list[Step]
    """Of each day."""


def replay(blocks: Blocks, reference: Reference) -> Iterator[Track]:
    """Monitor all days from the start on; the same as `step` day by day, bit for bit.

    Reads the blocks twice: for the pool, and for every patch.
    """
    days, scenes = _scenes(blocks, reference)
    for series in blocks():
        first = int(np.searchsorted(series.days, reference.start))
        here = series.days[first:]
        clear = usable(series, reference.rules)[:, first:]
        vectors = histories(reference.basis, series.vectors[:, first:], clear)
        known = find(series.patch_ids, reference.patch_ids)
        inside = np.flatnonzero(known >= 0)
        rows = known[inside]
        state = State.empty(reference.last, reference.basis.axes.shape[1])
        shape = clear.shape
        level, z, p_value, average = (
            np.full(shape, np.nan, np.float32) for _ in range(4)
        )
        since = np.full(shape, np.datetime64("NaT", "us"))
        steps = []
        for at, date in enumerate(here):
            scene = scenes.get(int(np.searchsorted(days, date)))
            if scene is None or not clear[inside, at].any():
                continue
            done = step(
                reference,
                state,
                scene,
                rows,
                vectors=vectors[inside, at],
                clear=clear[inside, at],
                instants=series.times[inside, first + at],
            )
            steps.append(done)
            told = done.judged.reason == day.JUDGED
            level[inside[told], at] = state.level[rows[told]]
            average[inside[told], at] = state.average[rows[told]]
            since[inside[told], at] = state.since[rows[told]]
            z[inside, at] = done.judged.z
            p_value[inside, at] = done.judged.p_value
        yield Track(known, here, level, z, p_value, average, since, steps)


def _scenes(
    blocks: Blocks, reference: Reference
) -> tuple[NDArray[np.datetime64], dict[int, Scene]]:
    """The days from the start on, and the pool on each of them."""
    pool = reference.patch_ids[reference.pool]
    parts = []
    for series in blocks():
        own = find(series.patch_ids, pool)
        first = int(np.searchsorted(series.days, reference.start))
        inside = np.flatnonzero(own >= 0)
        clear = usable(series, reference.rules)[inside, first:]
        vectors = histories(reference.basis, series.vectors[inside, first:], clear)
        parts.append((series.days[first:], own[inside], vectors, clear))
    days = np.unique(np.concatenate([part[0] for part in parts]))
    width = reference.basis.axes.shape[1]
    scenes = {}
    for at, date in enumerate(days):
        vectors = np.zeros((len(pool), width), np.float32)
        clear = np.zeros(len(pool), bool)
        for own_days, own, part, seen in parts:
            column = int(np.searchsorted(own_days, date))
            if column < len(own_days) and own_days[column] == date:
                vectors[own], clear[own] = part[:, column], seen[:, column]
        scenes[at] = Scene.of(reference, vectors, clear)
    return days, scenes
