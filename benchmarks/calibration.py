"""Are p-values of observations what they say, where nothing lasting changed?

    python benchmarks/calibration.py [SHARED] [--sets flanders,tanzania,quiet-31,quiet-32]

Share of p-values at or below each level, with the interval that dates and blocks of ground
leave (`detect.reliability`), overall, by season, and by how restless patches were. With a
`--pool` smaller than the archive, of the patches outside of it alone. `before`
is the rank of a patch among its own controls' distances to the median fitted to them, as
scores/1 had it; `now` is what `scores` hold. q: share of observations taken at 10 % false
discoveries.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
from _quality import THREADS, histories
from numpy.typing import NDArray
from quality import CASES

import terradrift as td
from terradrift.detect import analogue, calibrate, reliability
from terradrift.detect.discovery import q_values
from terradrift.detect.pool import usable
from terradrift.detect.run import detect
from terradrift.detect.settings import Settings
from terradrift.detect.world import World
from terradrift.evaluate.measures import squares
from terradrift.ingest.simulate import simulate
from terradrift.series import Series
from terradrift.threads import single_blas

ALPHAS = (0.01, 0.025, 0.05, 0.1, 0.2)
SIDE = 4
"""Patches along a block of ground."""


def in_sample(series: list[Series], settings: Settings) -> list[NDArray[np.float64]]:
    """p-values (n, t) as scores/1 had them."""
    world = World.of(lambda: iter(series), settings)
    if world is None:
        raise ValueError("expected clear observations, got none")
    members, out = world.members, []
    for part in series:
        clear = usable(part, settings)
        where = np.flatnonzero(clear.any(axis=0))
        columns = members.on(part.days[where])
        seen = clear[:, where]
        vectors = world.basis.reduce(part.vectors[:, where], seen)
        p = np.full(clear.shape, np.nan)
        for found in analogue.controls(
            analogue.Histories(vectors, seen),
            analogue.Histories(members.vectors, members.clear),
            members.find(part.patch_ids),
            most=settings.controls,
            least=settings.min_controls,
            columns=columns,
        ):
            column = int(columns[found.at])
            middle = analogue.expected(found, members.vectors, column)
            others = members.vectors[found.index, column]
            p[found.rows, where[found.at]] = calibrate.empirical_p(
                np.linalg.norm(vectors[found.rows, found.at] - middle, axis=1),
                np.linalg.norm(others - middle[:, None], axis=2),
                found.weight > 0,
            )
        out.append(p)
    return out


def joined(
    series: list[Series], parts: list[NDArray[Any]]
) -> tuple[NDArray[Any], NDArray[np.datetime64]]:
    """(all patches, all days) of values of each block (n, t); NaN or "" elsewhere."""
    days = np.unique(np.concatenate([part.days for part in series]))
    rows = []
    for part, values in zip(series, parts, strict=True):
        null = np.nan if values.dtype.kind == "f" else values.dtype.type()
        whole = np.full((len(part), len(days)), null, values.dtype)
        whole[:, np.searchsorted(days, part.days)] = values
        rows.append(whole)
    return np.concatenate(rows), days


def line(name: str, found: reliability.Reliability) -> str:
    cells = "  ".join(
        f"{share:.4f} ({low:.3f}..{high:.3f})"
        for share, low, high in zip(found.share, found.low, found.high, strict=True)
    )
    return f"  {name:<30} {found.count:>7} {cells}"


def report(name: str, series: list[Series], pool: int) -> None:
    settings = Settings(pool=pool)
    with single_blas():
        before, days = joined(series, in_sample(series, settings))
    judged = list(
        detect(
            lambda: iter(series),
            settings,
            threads=THREADS,
            advance=lambda _done: None,
        )
    )
    now, _ = joined(series, [block.scores.p_value for block in judged])
    said, _ = joined(series, [block.scores.reference for block in judged])
    if pool < len(now):  # only patches that the ranks were not taken from
        world = World.of(lambda: iter(series), settings)
        ids = np.concatenate([part.patch_ids for part in series])
        inside = np.isin(ids, [] if world is None else world.members.patch_ids)
        now[inside] = before[inside] = np.nan
    aside = np.char.find(said.astype(str), "+analogues") >= 0
    ground = squares(np.concatenate([part.cells for part in series]), SIDE)
    ranked = np.where(aside, now, np.nan)
    print(f"{name}: share of p at most", *(f"{alpha:g}" for alpha in ALPHAS))
    print(line("before", reliability.reliability(before, ground, ALPHAS)))
    print(line("now", reliability.reliability(ranked, ground, ALPHAS)))
    for season, found in reliability.by_season(ranked, days, ground, ALPHAS).items():
        print(line(season, found))
    group = np.char.rpartition(said.astype(str), "+")[..., 2]
    for kind, found in reliability.by_group(ranked, group, ground, ALPHAS).items():
        print(line(kind, found))
    alone = reliability.reliability(np.where(aside, np.nan, now), ground, ALPHAS)
    print(line("by the own past alone", alone))
    taken = [(q_values(now[:, at]) <= 0.1).sum() for at in range(len(days))]
    print(f"  q <= 0.1: {sum(taken)} of {np.isfinite(now).sum()} observations")


def quiet(folder: Path, seed: int) -> td.Archive:
    """A simulated archive in which nothing is planted."""
    catalog = simulate(
        folder / "scenes",
        size_px=256,
        dates=60,
        seed=seed,
        quiet_days=500,
        changes_per_year=0,
        threads=THREADS,
    )
    made = td.create(folder / "archive.td", grid=td.Grid(patch_size=80))
    made.ingest(catalog)
    return made


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shared", nargs="?", default="../shared")
    parser.add_argument("--sets", default="flanders,tanzania,quiet-31,quiet-32")
    parser.add_argument("--model", default="mosaiks")
    parser.add_argument("--pool", type=int, default=Settings().pool, help="of detect")
    asked = parser.parse_args()
    for name in asked.sets.split(","):
        with tempfile.TemporaryDirectory() as folder:
            if name.startswith("quiet-"):
                made = quiet(Path(folder), int(name.removeprefix("quiet-")))
            else:
                case = CASES[name]
                made = td.create(
                    Path(folder) / "archive.td",
                    grid=td.Grid(patch_size=case.patch_size),
                )
                made.ingest(Path(asked.shared) / "data" / case.folder / "catalog.json")
            report(name, histories(made, asked.model), asked.pool)


if __name__ == "__main__":
    main()
