"""The fitted reference of monitoring: everything that a new date is judged by (pure).

Fitted on observations before the start alone, by passes over blocks of histories.
"""

import heapq
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.monitor import learn
from terradrift.detect.monitor.beside import Chosen, Past
from terradrift.detect.monitor.day import Learned
from terradrift.detect.monitor.fixed import finite, histories
from terradrift.detect.monitor.rules import Rules
from terradrift.detect.monitor.tail import Tail
from terradrift.detect.pool import Basis, components, priority
from terradrift.series import Series

Blocks = Callable[[], Iterator[Series]]

_SAMPLED = 1024
_PER_PATCH = 16
_YEAR = 365.25
_TO_CHOOSE_FROM = 3
"""Patches in the pool, at least, for each of the fewest analogues: with less to choose from
analogues are whatever there is, and unchanged patches leave them with the season."""


class TooLittlePastError(ValueError):
    """What was seen before the start does not teach enough to judge by."""


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """What `n` patches, of which `p` are the pool, are judged by from `start` on."""

    start: np.datetime64
    """datetime64[D], the first day that may be judged."""
    rules: Rules
    patch_km2: float
    basis: Basis
    patch_ids: NDArray[np.str_]
    """(n,), sorted."""
    own: NDArray[np.int64]
    """(n,), place in the pool, or -1."""
    learned: Learned
    """Of the n patches; its analogues are places in the pool."""
    whiten: NDArray[np.float32]
    """(r, r)"""
    tail: Tail
    last: NDArray[np.datetime64]
    """(n,), datetime64[us], the last clear observation of the reference, NaT without."""
    threshold: float
    """Level from which on an alert is raised."""
    span: int
    """Days from the first to the last clear one of the reference."""

    @property
    def pool(self) -> NDArray[np.int64]:
        """(p,), rows of the pool's patches, in the pool's order."""
        rows = np.flatnonzero(self.own >= 0)
        return rows[np.argsort(self.own[rows])]

    def false_alarms(self, level: NDArray[np.floating]) -> NDArray[np.float64]:
        """Alerts per 1,000 km2 and year that unchanged ground raises at each level."""
        rate: NDArray[np.float64] = self.tail.rate(level) * 1000.0 / self.patch_km2
        return rate


def fit(
    blocks: Blocks, start: np.datetime64, rules: Rules, patch_km2: float
) -> Reference:
    """Fit on all observations of days before `start`; reads the blocks three times.

    Neither the order of the blocks nor where they are cut changes a bit of the result.

    Raises:
        TooLittlePastError: there is too little to learn from before `start`.
    """
    surveyed = _survey(blocks, start, rules)
    basis = components(surveyed.sample, rules.dimensions)
    pool_ids = _members(surveyed, basis.axes.shape[1], rules)
    least = _TO_CHOOSE_FROM * rules.min_controls
    if len(pool_ids) < least:
        raise TooLittlePastError(
            f"expected at least {least} patches to find analogues among, with at least "
            f"{rules.min_dates} clear dates before {start}, got {len(pool_ids)}; watch more "
            "ground, start later, or ingest more of the past"
        )
    pool = _gathered(
        blocks, start, basis=basis, ids=pool_ids, days=surveyed.days, rules=rules
    )
    fewest = min(len(half) for half in learn.halves(pool.clear))
    if fewest < rules.min_dates:
        raise TooLittlePastError(
            f"expected at least {rules.min_dates} clear dates before {start} in each half of "
            f"the observations, got {fewest}; start later, or ingest more of the past"
        )
    crosswise = learn.crossed(pool, rules)
    whiten = learn.whitening(pool, crosswise, rules)
    found = learn.peaks(pool, crosswise, whiten, rules)
    span = (surveyed.days[-1] - surveyed.days[0]) / np.timedelta64(1, "D")
    try:
        tail = Tail.fit(found, len(pool_ids) * max(float(span), 1.0) / _YEAR)
    except ValueError as error:
        raise TooLittlePastError(
            f"{error} among {len(pool_ids)} patches on {len(surveyed.days)} days before "
            f"{start}; watch more ground, start later, or ingest more of the past"
        ) from error
    usual = learn.typical(learn.learn(pool, pool, np.arange(len(pool_ids)), rules))
    parts = []
    for series in _before(blocks, start):
        part = _reduced(series, basis, surveyed.days, rules)
        own = find(series.patch_ids, pool_ids)
        taught = learn.shrunk(learn.learn(part, pool, own, rules), part, usual, rules)
        parts.append((series.patch_ids, own, taught, _last(series, rules)))
    ids = np.concatenate([part[0] for part in parts])
    order = np.argsort(ids)
    return Reference(
        start=start,
        rules=rules,
        patch_km2=patch_km2,
        basis=basis,
        patch_ids=ids[order],
        own=np.concatenate([part[1] for part in parts])[order],
        learned=Learned(
            Chosen(
                np.concatenate([part[2].chosen.index for part in parts])[order],
                np.concatenate([part[2].chosen.distance for part in parts])[order],
            ),
            np.concatenate([part[2].bias for part in parts])[order],
            np.concatenate([part[2].scale for part in parts])[order],
        ),
        whiten=whiten,
        tail=tail,
        last=np.concatenate([part[3] for part in parts])[order],
        # Less than what one usual date leaves is no evidence, however few dates there were.
        threshold=max(
            tail.threshold(rules.max_false_alarms * patch_km2 / 1000.0), rules.slack
        ),
        span=int(span),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Survey:
    days: NDArray[np.datetime64]
    """Days on which anything was clear."""
    ids: list[str]
    """Patches with enough clear dates."""
    sample: NDArray[np.float32]
    """(m, d), clear observations."""


def _before(blocks: Blocks, start: np.datetime64) -> Iterator[Series]:
    """The blocks without the days from `start` on; those that had no others are left out."""
    for series in blocks():
        kept = int(np.searchsorted(series.days, start))
        if kept:
            yield Series(
                series.patch_ids,
                series.cells,
                series.days[:kept],
                series.times[:, :kept],
                series.vectors[:, :kept],
                series.clear_percent[:, :kept],
                series.indices[:, :kept],
            )


def usable(series: Series, rules: Rules) -> NDArray[np.bool_]:
    """(n, t), which observations are clear enough to be judged, and hold numbers."""
    with np.errstate(invalid="ignore"):
        clear: NDArray[np.bool_] = series.clear_percent >= rules.min_clear
    return clear & finite(series.vectors)


def _survey(blocks: Blocks, start: np.datetime64, rules: Rules) -> _Survey:
    days: NDArray[np.datetime64] = np.empty(0, "datetime64[D]")
    ids: list[str] = []
    kept: list[tuple[int, str, NDArray[np.float32]]] = []
    for series in _before(blocks, start):
        clear = usable(series, rules)
        days = np.union1d(days, series.days[clear.any(axis=0)])
        enough = clear.sum(axis=1) >= rules.min_dates
        for row, patch_id in enumerate(series.patch_ids.tolist()):
            if not enough[row]:
                continue
            ids.append(patch_id)
            key = (-priority(patch_id, rules.seed), patch_id)
            if len(kept) == _SAMPLED and key < kept[0][:2]:
                continue
            seen = np.flatnonzero(clear[row])
            some = np.linspace(0, len(seen) - 1, min(len(seen), _PER_PATCH))
            rows = series.vectors[row, seen[some.astype(np.int64)]].astype(np.float32)
            item = (*key, rows)
            (heapq.heappushpop if len(kept) == _SAMPLED else heapq.heappush)(kept, item)
    if not kept:
        raise TooLittlePastError(
            f"expected patches with at least {rules.min_dates} dates before {start} that "
            f"are {rules.min_clear:g} % clear, got none; start later, or ingest more of the "
            "past"
        )
    ordered = sorted(kept, key=lambda item: item[:2])
    return _Survey(days, ids, np.concatenate([rows for _, _, rows in ordered]))


def _members(surveyed: _Survey, width: int, rules: Rules) -> NDArray[np.str_]:
    """Sorted ids of the pool: a seeded choice of those with enough dates."""
    room = rules.pool_bytes // (len(surveyed.days) * (width * 4 + 1))
    most = max(_TO_CHOOSE_FROM * rules.min_controls, min(rules.pool, room))
    chosen = heapq.nsmallest(
        most, surveyed.ids, key=lambda one: (priority(one, rules.seed), one)
    )
    return np.sort(np.array(chosen, dtype=np.str_))


def find(ids: NDArray[np.str_], among: NDArray[np.str_]) -> NDArray[np.int64]:
    """(n,), the place of each in sorted `among`, or -1."""
    at = np.minimum(np.searchsorted(among, ids), len(among) - 1)
    return np.where(among[at] == ids, at, -1)


def _gathered(
    blocks: Blocks,
    start: np.datetime64,
    *,
    basis: Basis,
    ids: NDArray[np.str_],
    days: NDArray[np.datetime64],
    rules: Rules,
) -> Past:
    """Reduced histories of the pool."""
    width = basis.axes.shape[1]
    whole = Past(
        np.zeros((len(ids), len(days), width), np.float32),
        np.zeros((len(ids), len(days)), bool),
    )
    for series in _before(blocks, start):
        own = find(series.patch_ids, ids)
        part = _reduced(series, basis, days, rules, own >= 0)
        whole.vectors[own[own >= 0]] = part.vectors
        whole.clear[own[own >= 0]] = part.clear
    return whole


def _reduced(
    series: Series,
    basis: Basis,
    days: NDArray[np.datetime64],
    rules: Rules,
    wanted: NDArray[np.bool_] | None = None,
) -> Past:
    """The wanted patches of a block over all `days`."""
    rows = np.arange(len(series)) if wanted is None else np.flatnonzero(wanted)
    clear = usable(series, rules)[rows]
    there = clear.any(axis=0)
    columns = np.searchsorted(days, series.days[there])
    part = Past(
        np.zeros((len(rows), len(days), basis.axes.shape[1]), np.float32),
        np.zeros((len(rows), len(days)), bool),
    )
    part.clear[:, columns] = clear[:, there]
    part.vectors[:, columns] = histories(
        basis, series.vectors[rows][:, there], clear[:, there]
    )
    return part


def _last(series: Series, rules: Rules) -> NDArray[np.datetime64]:
    """(n,), the last clear instant of each patch, NaT where there is none."""
    clear = usable(series, rules)
    final = clear.shape[1] - 1 - clear[:, ::-1].argmax(axis=1)
    instants = series.times[np.arange(len(clear)), final]
    return np.where(clear.any(axis=1), instants, np.datetime64("NaT", "us"))
