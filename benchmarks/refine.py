"""Labels that a search needs: ways to choose what to judge, and to learn from it.

    python benchmarks/refine.py [--seeds 0,1,2,3,4] [--space raw] [--folder KEPT]
    python benchmarks/refine.py --settings            # strengths and shares of the probe

Archives are simulated: 5.1 x 5.1 km, two years, about 200 planted changes of six kinds, and
`detect` is asked for a long list, most of which is false. Of the true events and of the
false ones one half, drawn at random, is searched and judged by the truth, `--batch` at a
time, beginning with one example; the other half is ranked by what was learned and never
judged. Measured there: precision of the first 20 and average precision, and what chance
gives. Intervals: archives are drawn anew, then kinds within each, as kinds of one archive
share its scenes; starts within them are averaged.
"""

import argparse
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from _quality import THREADS
from _search_archives import chosen, folder
from _search_planted import Changes, planted
from _search_rank import interval_of_archives, unit
from numpy.typing import NDArray

import terradrift as td
from terradrift.evaluate.measures import average_precision, precision_at
from terradrift.ingest.simulate import simulate
from terradrift.query.search import probe, refine
from terradrift.query.search.uncertain import POOL, spread

SIZE, DATES, QUIET_DAYS, PATCH, PER_YEAR = 512, 48, 300, 40, 150
FALSE_ALARMS = 100_000
"""Per 1,000 km2 and year: a long list, so that kinds are rare in it."""
LEAST_EVENTS = 3
"""Of a kind, in each half."""
K = 20
ONE = "one example"

Rows = NDArray[np.float64]
Learn = Callable[[Rows, Rows, Rows], NDArray[np.floating]]


def made(out: Path, seed: int, model: str) -> tuple[td.Archive, Path]:
    """An archive with a long list of changes, and its scenes with the truth."""
    scenes, path = out / str(seed) / "scenes", out / str(seed) / "archive.td"
    if not path.exists():
        catalog = simulate(
            scenes,
            size_px=SIZE,
            dates=DATES,
            seed=seed,
            quiet_days=QUIET_DAYS,
            changes_per_year=PER_YEAR,
            threads=THREADS,
        )
        td.create(path, td.Grid(PATCH)).ingest(catalog)
    archive = td.open(path)
    if not archive.store.exists(f"embeddings_{model}"):
        archive.embed(model, quiet=True, threads=THREADS)
    if not archive.store.exists(f"changes_{model}") or not _long(archive, model):
        archive.detect(
            model, quiet=True, threads=THREADS, max_false_alarms=FALSE_ALARMS
        )
    return archive, scenes


def _long(archive: td.Archive, model: str) -> bool:
    told = archive.sql(
        "SELECT parameters FROM runs WHERE verb = 'detect' AND status = 'done' "
        "ORDER BY started"
    ).fetchall()
    parameters = [json.loads(row[0]) for row in told]
    last = [one for one in parameters if one["model"] == model][-1]
    return bool(last.get("max_false_alarms") == FALSE_ALARMS)


@dataclass(frozen=True)
class Half:
    """Changes of one half: directions, what they truly are, and their events."""

    rows: Rows
    kind: NDArray[np.object_]
    event: NDArray[np.object_]
    """As the archive groups them."""
    group: NDArray[np.object_]
    """True event, or the archive's where false."""


def halves(changes: Changes, rows: Rows, random: np.random.Generator) -> list[Half]:
    """Two halves that share no event."""
    group = np.where(
        changes.true, [f"true {one}" for one in changes.group], changes.event
    )
    names = np.unique(group)
    side = dict(zip(names, random.permutation(len(names)) % 2, strict=True))
    at = np.array([side[one] for one in group])
    usable = np.linalg.norm(rows, axis=1) > 0
    return [
        Half(
            rows[usable & (at == one)],
            changes.kind[usable & (at == one)],
            changes.event[usable & (at == one)],
            group[usable & (at == one)],
        )
        for one in (0, 1)
    ]


def learners() -> dict[str, Learn]:
    """Ways to learn from liked, unliked and background."""

    def probed(liked: Rows, unliked: Rows, behind: Rows | None) -> Rows:
        if behind is None and len(unliked) == 0:
            return refine.rocchio(liked, unliked)
        return probe.fit(liked, unliked, behind).direction

    return {
        ONE: lambda liked, _, __: liked[0],
        "liked alone": lambda liked, _, __: refine.rocchio(liked, liked[:0]),
        "GeoVibes": lambda liked, unliked, _: (
            2 * liked.mean(axis=0) - (unliked.mean(axis=0) if len(unliked) else 0)
        ),
        "Rocchio": lambda liked, unliked, _: refine.rocchio(liked, unliked),
        "probe of labels alone": lambda liked, unliked, _: probed(liked, unliked, None),
        "probe": probed,
        "auto": refine.direction,
    }


def settings() -> dict[str, Learn]:
    """The probe with other strengths and shares of the background."""

    def fitted(
        strength: float, share: float, liked: Rows, unliked: Rows, behind: Rows
    ) -> Rows:
        found = probe.fit(liked, unliked, behind, strength=strength, share=share)
        return found.direction

    each = [(c, 0.5) for c in (0.1, 1.0, 3.0, 10.0, 30.0, 100.0)]
    each += [(10.0, share) for share in (0.2, 0.8)]
    return {
        f"C {strength:g}, share {share:g}": partial(fitted, strength, share)
        for strength, share in each
    }


def next_to_judge(
    way: str,
    half: Half,
    judged: list[int],
    liked: NDArray[np.bool_],
    behind: Rows,
    *,
    random: np.random.Generator,
    batch: int,
) -> list[int]:
    """Rows of the half to judge next, one of an event and none of an event that was judged."""
    free = np.flatnonzero(~np.isin(half.event, half.event[judged]))
    good, bad = (half.rows[judged][liked == side] for side in (True, False))
    if way == "random":
        order = random.permutation(free)
    elif way == "top":
        scores = half.rows[free] @ refine.direction(good, bad, behind)
        order = free[np.argsort(-scores, kind="stable")]
    else:
        doubt = np.abs(probe.fit(good, bad, behind).log_odds(half.rows[free]))
        order = free[np.argsort(doubt, kind="stable")]
    _, first = np.unique(half.event[order], return_index=True)
    order = order[np.sort(first)]
    if way == "uncertain":
        order = order[: POOL * batch]
        return [int(one) for one in order[spread(half.rows[order], batch)]]
    return [int(one) for one in order[:batch]]


WAYS = ("random", "top", "nearest even odds", "uncertain")


def asked(
    halves_: list[Half],
    ways: tuple[str, ...],
    learn: dict[str, Learn],
    options: argparse.Namespace,
    seed: int,
) -> Iterator[tuple[tuple[str, int, str, str], list[float]]]:
    """Measures by way to choose, number of labels, way to learn and kind."""
    pool, rest = halves_
    for kind in sorted(set(pool.kind)):
        if not _enough(kind, pool, rest):
            continue
        random = np.random.default_rng(seed)
        behind = pool.rows[
            random.choice(
                len(pool.rows), min(probe.BACKGROUND, len(pool.rows)), replace=False
            )
        ]
        wanted = rest.kind == kind
        k = min(K, len(rest.kind))
        chance = float(wanted.mean())
        starts = random.choice(np.flatnonzero(pool.kind == kind), options.starts)
        for start in starts:
            for way in ways:
                drawn = np.random.default_rng([seed, int(start)])
                judged = [int(start)]
                for _ in range(options.rounds + 1):
                    liked = pool.kind[judged] == kind
                    good, bad = (
                        pool.rows[judged][liked == side] for side in (True, False)
                    )
                    for name, learned in learn.items():
                        scores = rest.rows @ learned(good, bad, behind)
                        yield (
                            (way, len(judged), name, kind),
                            [
                                precision_at(wanted, scores, k),
                                average_precision(wanted, scores),
                                chance,
                                float(liked.sum()),
                            ],
                        )
                    judged += next_to_judge(
                        way,
                        pool,
                        judged,
                        liked,
                        behind,
                        random=drawn,
                        batch=options.batch,
                    )


def _enough(kind: object, *parts: Half) -> bool:
    # What was not planted is no kind.
    return kind != "nothing planted" and all(
        len(set(part.group[part.kind == kind])) >= LEAST_EVENTS for part in parts
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--seeds", default="0,1,2,3,4")
    parser.add_argument("--model", default="mosaiks")
    parser.add_argument("--space", default="raw")
    parser.add_argument("--batch", type=int, default=5)
    parser.add_argument("--rounds", type=int, default=6)
    parser.add_argument("--starts", type=int, default=2)
    parser.add_argument("--settings", action="store_true")
    parser.add_argument("--folder", type=Path, help="where archives are kept")
    options = parser.parse_args()
    learn = settings() if options.settings else learners()
    ways = ("top", "uncertain") if options.settings else WAYS
    kept: dict[tuple[str, int, str], dict[tuple[int, str], list[list[float]]]] = {}
    with folder(options.folder) as out:
        for seed in map(int, options.seeds.split(",")):
            archive, scenes = made(out, seed, options.model)
            space = chosen(archive, options.model, options.space)
            changes = planted(archive, options.model, scenes)
            rows = unit("delta", changes, space)
            parts = halves(changes, rows, np.random.default_rng(seed))
            share = {
                k: round(float((changes.kind == k).mean()), 4)
                for k in sorted(set(changes.kind))
            }
            print(f"seed {seed}: {len(changes):,} changes, {share}", flush=True)
            for (way, labels, name, kind), values in asked(
                parts, ways, learn, options, seed
            ):
                cells = kept.setdefault((way, labels, name), {})
                cells.setdefault((seed, kind), []).append(values)
    told(kept, list(learn))


def told(
    kept: dict[tuple[str, int, str], dict[tuple[int, str], list[list[float]]]],
    names: list[str],
) -> None:
    """Tables in Markdown: mean and 95 % interval over archives and kinds."""
    (cells, *_) = kept.values()
    chance = np.mean([np.mean([one[2] for one in cell]) for cell in cells.values()])
    print(f"\n{len(cells)} archives and kinds; chance {chance:.3f}")
    for number, measure in (
        (0, f"precision of the first {K}"),
        (1, "average precision"),
    ):
        print(f"\n{measure}\n\n| to judge | labels | yes | {' | '.join(names)} |")
        print("| --- " * (3 + len(names)) + "|")
        for way, labels in dict.fromkeys(key[:2] for key in kept):
            line = []
            for name in names:
                held = kept[way, labels, name]
                values = held.values()
                each = np.array(
                    [np.mean([one[number] for one in cell]) for cell in values]
                )
                found = interval_of_archives(each, np.array([seed for seed, _ in held]))
                line.append(f"{found.value:.3f} ({found.low:.2f} to {found.high:.2f})")
            yes = np.mean([np.mean([one[3] for one in cell]) for cell in values])
            print(f"| {way} | {labels} | {yes:.1f} | {' | '.join(line)} |")


if __name__ == "__main__":
    main()
