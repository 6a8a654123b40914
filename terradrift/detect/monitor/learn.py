"""What a reference period teaches: analogues, usual differences, placebo charts (pure)."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.calibrate import masked_median
from terradrift.detect.monitor import beside, chart, day
from terradrift.detect.monitor.beside import Past
from terradrift.detect.monitor.day import Learned, Placebo
from terradrift.detect.monitor.rules import Rules

_DATES = 32
"""Dates, evenly over the reference, from which a patch's usual difference is learned."""


def learn(patches: Past, pool: Past, own: NDArray[np.int64], rules: Rules) -> Learned:
    """Analogues over all dates, and the median residual over some; `scale` is not shrunk."""
    chosen = beside.nearest(patches, pool, own, rules)
    count = patches.clear.shape[1]
    columns = np.unique(np.linspace(0, count - 1, min(count, _DATES)).astype(np.int64))
    left = beside.residuals(patches.on(columns), pool.on(columns), chosen, rules)
    seen = np.isfinite(left[..., 0])
    dates = seen.sum(axis=1)
    trust = (dates / (dates + rules.shrinkage))[:, None] if len(dates) else 0.0
    bias = np.nan_to_num(masked_median(left, seen)) * trust
    away = left - bias[:, None].astype(np.float32)
    scale = masked_median(np.sqrt((away * away).sum(axis=2)), seen)
    enough = (dates >= 2) & (patches.clear.sum(axis=1) >= rules.min_dates)
    return Learned(
        chosen,
        bias.astype(np.float32),
        np.where(enough, scale, np.nan).astype(np.float32),
    )


def shrunk(learned: Learned, patches: Past, typical: float, rules: Rules) -> Learned:
    """The same with scales pulled towards `typical`, the more the fewer dates there were."""
    dates = patches.clear.sum(axis=1).astype(np.float64)
    own = np.log(np.maximum(learned.scale.astype(np.float64), 1e-3 * typical + 1e-12))
    pulled = (dates * own + rules.shrinkage * np.log(typical + 1e-12)) / np.maximum(
        dates + rules.shrinkage, 1e-12
    )
    return replace(learned, scale=np.exp(pulled).astype(np.float32))


def typical(learned: Learned) -> float:
    """The median scale of those that have one; 1 where none has.

    A reference that nothing varies in has scale 0.
    """
    known = learned.scale[np.isfinite(learned.scale)]
    return float(np.median(known)) if len(known) else 1.0


def halves(clear: NDArray[np.bool_]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """The dates (t,) of the first and of the second half of the observations (n, t)."""
    total = np.cumsum(clear.sum(axis=0))
    cut = int(np.searchsorted(total, total[-1] / 2)) + 1 if len(total) else 0
    every = np.arange(clear.shape[1])
    return every[:cut], every[cut:]


def crossed(pool: Past, rules: Rules) -> list[tuple[NDArray[np.int64], Learned]]:
    """For each half of the dates, what the other half taught about the pool."""
    own = np.arange(len(pool.clear))
    first, second = halves(pool.clear)
    out = []
    for judged, taught in ((first, second), (second, first)):
        part = pool.on(taught)
        learned = learn(part, part, own, rules)
        out.append((judged, shrunk(learned, part, typical(learned), rules)))
    return out


def whitening(
    pool: Past, crosswise: list[tuple[NDArray[np.int64], Learned]], rules: Rules
) -> NDArray[np.float32]:
    """(r, r), makes what the pool's residuals do often as loud as what they do rarely."""
    r = pool.vectors.shape[2]
    total, count = np.zeros((r, r)), 0
    for columns, learned in crosswise:
        left = beside.residuals(
            pool.on(columns), pool.on(columns), learned.chosen, rules
        )
        gap = (left - learned.bias[:, None]) / learned.scale[:, None, None]
        rows = gap[np.isfinite(gap[..., 0])].astype(np.float64)
        if len(rows) == 0:
            continue
        length = np.sqrt((rows * rows).sum(axis=1, keepdims=True))
        # An unmasked cloud must not decide what is usual.
        rows *= np.minimum(1.0, 2.0 * np.median(length) / np.maximum(length, 1e-12))
        total += rows.T @ rows
        count += len(rows)
    if count == 0 or np.trace(total) <= 0:
        return np.eye(r, dtype=np.float32)
    covariance = total / count
    mean = np.trace(covariance) / r
    values, vectors = np.linalg.eigh(covariance)
    # Symmetric, so that it does not hang on the order of components.
    root = vectors / np.sqrt(np.maximum(values, 0.0) + rules.ridge * mean) @ vectors.T
    return np.ascontiguousarray(root, np.float32)


def peaks(
    pool: Past,
    crosswise: list[tuple[NDArray[np.int64], Learned]],
    whiten: NDArray[np.float32],
    rules: Rules,
) -> NDArray[np.float32]:
    """Highest levels (e,) of the excursions of placebo charts over the reference.

    Each half is judged by what the other half taught, so that no date judged itself.
    """
    n = len(pool.clear)
    state = chart.State.empty(np.full(n, np.datetime64("NaT")), pool.vectors.shape[2])
    highest = np.zeros(n, np.float32)
    found = []
    for columns, learned in crosswise:
        for at in columns:
            judged = _judged(pool, int(at), learned, whiten, rules)
            if judged is None:
                continue
            rows = np.flatnonzero(judged.reason == day.JUDGED)
            chart.update(
                state,
                rows,
                judged.vectors[rows],
                judged.z[rows],
                np.full(len(rows), np.datetime64(int(at), "us")),
                threshold=np.inf,
                rules=rules,
            )
            over = (state.level <= 0) & (highest > 0)
            found.append(highest[over])
            highest[over] = 0.0
            counts = state.dates >= rules.confirm
            highest = np.where(counts, np.maximum(highest, state.level), highest)
    return np.concatenate([*found, highest[highest > 0]])


def _judged(
    pool: Past, at: int, learned: Learned, whiten: NDArray[np.float32], rules: Rules
) -> day.Judged | None:
    clear = pool.clear[:, at]
    vectors = pool.vectors[:, at]
    left = day.residuals(
        learned,
        vectors,
        clear,
        pool=vectors,
        pool_clear=clear,
        whiten=whiten,
        rules=rules,
    )
    placebo = Placebo.of(left, rules)
    if placebo is None:
        return None
    return day.judge(left, placebo, np.arange(len(clear)), rules)
