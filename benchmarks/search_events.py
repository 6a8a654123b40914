"""What should stand for an event when others like it are asked for?

    python benchmarks/search_events.py [--kept FOLDER] [--seeds 711,712,...]
        [--models spectral,mosaiks] [--docs docs/search.md]

Archives of simulated scenes, as `search_quality.py` makes them. Every event of `LEAST`
changes or more, at least half of which are part of a planted change, asks for others: by the
mean of its changes' directions (what `similar` does), by the mean of their steps as they are,
and by its change of the highest score. Right is what is of the most frequent kind of its
true changes; the event, its patches and what was planted there take no part.
Intervals (95 %) draw events anew; they hold for these archives.
"""

import argparse
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

import numpy as np
from _search_archives import folder, judged, simulated
from _search_planted import Changes, planted, rows
from _search_rank import interval, unit
from _search_tables import Table
from numpy.typing import NDArray
from protocols import _between, _interval, _lines

WAYS = ("mean of directions", "mean of steps", "strongest change")
LEAST = 3
WANTED = 10
FEWEST = 5
"""Right ones that must be there to be found."""


def precisions(
    changes: Changes, score: NDArray[np.float64]
) -> Iterable[tuple[float, ...]]:
    """Of each event that may ask: share of right ones among the first, by way; chance."""
    directions = unit("delta", changes, None)
    for event in sorted(set(changes.event) - {None}):
        at = np.flatnonzero(changes.event == event)
        true = at[changes.true[at]]
        if len(at) < LEAST or len(true) < len(at) / 2:
            continue
        kind = Counter(changes.kind[true].tolist()).most_common(1)[0][0]
        others = (
            (changes.event != event)
            & ~np.isin(changes.patch.astype(str), changes.patch[at].astype(str))
            & ~np.isin(changes.group, changes.group[true])
        )
        good = changes.kind == kind
        if (good & others).sum() < FEWEST:
            continue
        strongest = at[np.argmax(score[at])]
        asked = (
            directions[at].mean(axis=0),
            changes.delta[at].astype(np.float64).mean(axis=0),
            directions[strongest],
        )
        ranked = (
            np.argsort(np.where(others, -directions @ one, np.inf)) for one in asked
        )
        found = tuple(float(good[order[:WANTED]].mean()) for order in ranked)
        yield *found, float(good[others].mean())


def table(out: Path, seeds: Iterable[int], models: Iterable[str]) -> Table:
    """A row for each model."""
    lines: Table = [
        ("model", "events", *WAYS, "chance", "mean of directions less strongest")
    ]
    made = [simulated(out / "sim", seed) for seed in seeds]
    for model in models:
        found: list[tuple[float, ...]] = []
        for archive, scenes in made:
            judged(archive, model)
            score = rows(archive, model)["score"].to_numpy(np.float64)
            found += precisions(planted(archive, model, scenes), score)
        values = np.array(found)
        cells = [_interval(interval(column)) for column in values.T]
        less = _interval(interval(values[:, 0] - values[:, 2]))
        lines.append((f"`{model}`", str(len(values)), *cells, less))
    return lines


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kept", type=Path)
    parser.add_argument("--seeds", default="711,712,713,714")
    parser.add_argument("--models", default="spectral,mosaiks")
    parser.add_argument("--docs", type=Path)
    asked = parser.parse_args()
    with folder(asked.kept) as out:
        seeds = [int(seed) for seed in asked.seeds.split(",")]
        text = "\n".join(_lines(table(out, seeds, asked.models.split(","))))
    print(text)
    if asked.docs is not None:
        _between(asked.docs, "search-events", text)


if __name__ == "__main__":
    main()
