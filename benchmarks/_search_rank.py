"""How well an order of changes answers "like this one": measures, chance, intervals (pure)."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from _search_planted import Changes
from numpy.typing import NDArray

from terradrift.evaluate.intervals import LEVEL
from terradrift.evaluate.measures import Interval
from terradrift.space import Space

MODES = ("delta", "before-after", "after", "before")
KS = (1, 5, 10, 20)
MEASURES = (*(f"P@{k}" for k in KS), "R", "AP", "chance", "AP chance", "false@10")
REPEATS = 2000


def unit(part: str, changes: Changes, space: Space | None) -> NDArray[np.float64]:
    """(n, d) directions that a mode compares, of length 1, or 0 where there is none."""
    place = (lambda rows: rows) if space is None else space.place
    step = (lambda rows: rows) if space is None else space.step
    compared = {
        "delta": lambda: step(changes.delta),
        "before-after": lambda: np.hstack(
            [place(changes.before), place(changes.after)]
        ),
        "after": lambda: place(changes.after),
        "before": lambda: place(changes.before),
    }[part]().astype(np.float64)
    length = np.linalg.norm(compared, axis=1, keepdims=True)
    return compared / np.where(length > 0, length, np.inf)


def candidates(changes: Changes, query: int) -> NDArray[np.bool_]:
    """(n,), all but the query's own patch, true event and event as the archive groups them."""
    other = changes.patch != changes.patch[query]
    other &= changes.event != changes.event[query]
    if changes.group[query] >= 0:
        other &= changes.group != changes.group[query]
    return other


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """Measures of the queries of one archive, mode and space."""

    event: NDArray[np.int64]
    """(q,), number of the true event of each query."""
    kind: NDArray[np.object_]
    values: NDArray[np.float64]
    """(q, measures), NaN where not defined."""


def ask(
    changes: Changes,
    mode: str,
    space: Space | None,
    wanted: dict[str, str] | None = None,
    most: int | None = None,
) -> Asked:
    """Ask with every true change; `wanted`: kind of the query to the kind looked for.

    `reverse` takes the opposite step; with `most`, so many of each event ask at most, evenly.
    A query of which no change of the kind looked for is left without its own event is not
    asked.
    """
    directions = unit("delta" if mode == "reverse" else mode, changes, space)
    sign = -1.0 if mode == "reverse" else 1.0
    event, kind, values = [], [], []
    for query in queries(changes, most):
        looked_for = changes.kind[query]
        if wanted is not None:
            looked_for = wanted.get(looked_for)
        others = np.flatnonzero(candidates(changes, query))
        good = changes.kind[others] == looked_for
        if not good.any():
            continue
        order = np.argsort(
            -sign * (directions[others] @ directions[query]), kind="stable"
        )
        values.append(measures(good[order], ~changes.true[others][order]))
        event.append(changes.group[query])
        kind.append(changes.kind[query])
    return Asked(
        np.array(event, np.int64),
        np.array(kind, object),
        np.array(values).reshape(-1, len(MEASURES)),
    )


def ask_by_event(changes: Changes, mode: str, space: Space | None) -> Asked:
    """Ask with the mean direction of every event of the archive that is mostly true.

    An event counts as the true one that most of its changes are part of; its false changes
    are in the mean, as they are in `similar(event=...)`.
    """
    directions = unit(mode, changes, space)
    event, kind, values = [], [], []
    for name in np.unique(changes.event.astype(str)):
        own = changes.event == name
        groups, counts = np.unique(changes.group[own], return_counts=True)
        number = int(groups[counts.argmax()])
        if number < 0:
            continue
        others = ~own & (changes.group != number)
        others &= ~np.isin(changes.patch.astype(str), changes.patch[own].astype(str))
        looked_for = changes.kind[changes.group == number][0]
        rows = np.flatnonzero(others)
        good = changes.kind[rows] == looked_for
        if not good.any():
            continue
        order = np.argsort(
            -(directions[rows] @ directions[own].sum(axis=0)), kind="stable"
        )
        values.append(measures(good[order], ~changes.true[rows][order]))
        event.append(number)
        kind.append(looked_for)
    return Asked(
        np.array(event, np.int64),
        np.array(kind, object),
        np.array(values).reshape(-1, len(MEASURES)),
    )


def queries(changes: Changes, most: int | None) -> NDArray[np.int64]:
    """Rows of true changes, at most so many of each event, evenly over its rows."""
    rows = np.flatnonzero(changes.true)
    if most is None:
        return rows
    groups = changes.group[rows]
    some = [rows[groups == number] for number in np.unique(groups)]
    return np.concatenate([own[:: -(-len(own) // most)] for own in some])


def measures(good: NDArray[np.bool_], false: NDArray[np.bool_]) -> list[float]:
    """`MEASURES` of an order: which rows are wanted, and which are false changes."""
    n, wanted = len(good), int(good.sum())
    places = np.arange(1, n + 1)
    precision = np.cumsum(good) / places
    return [
        *(float(good[:k].mean()) if n >= k else np.nan for k in KS),
        float(good[:wanted].mean()),
        float(precision[good].mean()),
        wanted / n,
        random_precision(wanted, n),
        float(false[:10].mean()),
    ]


def random_precision(wanted: int, n: int) -> float:
    """Average precision expected of an order at random (Bestgen 2015, by linearity)."""
    if n == 1:
        return float(wanted)
    places = np.arange(1, n + 1)
    return float(np.mean((1 + (places - 1) * (wanted - 1) / (n - 1)) / places))


def pooled(parts: Iterable[Asked]) -> tuple[NDArray[np.float64], NDArray[np.object_]]:
    """(events, measures) means over the queries of each event, and the events' kinds."""
    rows, kinds = [], []
    for part in parts:
        for number in np.unique(part.event):
            own = part.event == number
            rows.append(part.values[own].mean(axis=0))
            kinds.append(part.kind[own][0])
    return np.array(rows).reshape(-1, len(MEASURES)), np.array(kinds, object)


def interval(values: NDArray[np.float64], seed: int = 0) -> Interval:
    """Mean of the events' values (e,), and where it lies when events are drawn anew."""
    values = values[np.isfinite(values)]
    if len(values) < 2:
        return Interval(float(values.mean()) if len(values) else np.nan, np.nan, np.nan)
    random = np.random.default_rng(seed)
    drawn = values[random.integers(len(values), size=(REPEATS, len(values)))]
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(drawn.mean(axis=1), [tail, 1 - tail])
    return Interval(float(values.mean()), float(low), float(high))


def interval_of_archives(
    values: NDArray[np.float64], archive: NDArray[np.int64], seed: int = 0
) -> Interval:
    """Mean of the cells' values (c,), and where it lies when archives are drawn anew.

    Two stages: archives, with replacement, then as many cells within each as it has. Cells
    of one archive share their scenes, so they are not drawn as if each were by itself.
    """
    _, number = np.unique(archive, return_inverse=True)
    counts = np.bincount(number)
    cells = np.zeros((len(counts), counts.max()))
    for each, count in enumerate(counts):
        cells[each, :count] = values[number == each]
    random = np.random.default_rng(seed)
    drawn = random.integers(len(counts), size=(REPEATS, len(counts), 1))
    size = counts[drawn]
    at = (random.random((*drawn.shape[:2], cells.shape[1])) * size).astype(np.int64)
    inside = np.arange(cells.shape[1]) < size
    means = (cells[drawn, at] * inside).sum(axis=(1, 2)) / size.sum(axis=(1, 2))
    tail = (1 - LEVEL) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return Interval(float(values.mean()), float(low), float(high))


def spread(
    directions: NDArray[np.float64], most: int = 2000, seed: int = 0
) -> tuple[float, float, float]:
    """5 %, 50 % and 95 % of the cosines of all pairs of at most `most` rows of length 1."""
    rows = directions[np.linalg.norm(directions, axis=1) > 0]
    if len(rows) > most:
        rows = rows[np.random.default_rng(seed).choice(len(rows), most, replace=False)]
    pairs = (rows @ rows.T)[np.triu_indices(len(rows), 1)]
    low, middle, high = np.quantile(pairs, [0.05, 0.5, 0.95])
    return float(low), float(middle), float(high)


def share_of_kinds(
    changes: Sequence[Changes], mode: str, spaces: Sequence[Space | None], k: int = 10
) -> dict[str, dict[str, float]]:
    """Of the first `k`, share of each kind by kind of the query; events weigh alike."""
    kept: dict[str, list[dict[str, float]]] = {}
    for part, space in zip(changes, spaces, strict=True):
        directions = unit("delta" if mode == "reverse" else mode, part, space)
        sign = -1.0 if mode == "reverse" else 1.0
        for number in np.unique(part.group[part.true]):
            tops = []
            for query in np.flatnonzero(part.group == number):
                others = np.flatnonzero(candidates(part, query))
                near = np.argsort(
                    -sign * (directions[others] @ directions[query]), kind="stable"
                )[:k]
                tops.append(part.kind[others[near]])
            names, counts = np.unique(np.concatenate(tops), return_counts=True)
            own = part.kind[part.group == number][0]
            shares = dict(zip(names, counts / counts.sum(), strict=True))
            kept.setdefault(own, []).append(shares)
    return {
        own: {
            name: float(np.mean([one.get(name, 0.0) for one in rows]))
            for name in sorted({name for one in rows for name in one})
        }
        for own, rows in sorted(kept.items())
    }
