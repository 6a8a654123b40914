"""Every method of `detect --method` on one archive: on the day of a change, and over all dates.

    python benchmarks/systems.py ../shared        # some minutes; training apart, seconds each

`s2-flanders-2018-transplant`, 40 m, `mosaiks`: 12 patches become a hamlet after 11 May, one of
another place later. The inpainting network and the regimes know days before 12 May only. On
the day: patches ranked by the score or the z of that day alone, the share of changed and of
other patches with p <= 0.05. Over all dates: as `terradrift bench` ranks, by the largest z of
any date and by what lasts.
"""

import argparse
import tempfile
from pathlib import Path

import numpy as np

import terradrift as td
from terradrift.archive.judge import benching
from terradrift.evaluate import measures
from terradrift.evaluate.fields import Reading

BEFORE = "2018-05-12"
DAYS = ("2018-05-24", "2018-05-26")
METHODS = (
    "inpaint",
    "temporal-median",
    "rx",
    "rx-difference",
    "rx-temporal",
    "segments",
    "seasonal",
    "local",
)
OURS = """
    SELECT 'detect: ' || name AS method, patch_id, value AS score, NULL AS z,
           CASE WHEN name = 'z' THEN p_value END AS p_value
    FROM (UNPIVOT (SELECT patch_id, datetime, drift, z, p_value FROM scores)
          ON drift, z INTO NAME name VALUE value)
    WHERE datetime::DATE = $day::DATE
"""
THEIRS = """
    SELECT method, patch_id, score, z, p_value FROM anomalies
    WHERE datetime::DATE = $day::DATE
"""


def made(place: Path, source: Path, steps: int) -> td.Archive:
    archive = td.create(place, td.Grid(40))
    archive.run(source / "catalog.json", quiet=True)
    archive.train("inpaint", until=BEFORE, steps=steps, threads=1, quiet=True)
    for method in METHODS:
        archive.detect(method=method, quiet=True)
    archive.taxonomy(period=f"../{BEFORE}", quiet=True)
    return archive


def on_the_day(archive: td.Archive, labels: Path) -> None:
    truthful = benching.Truthful(labels=labels, reading=Reading())
    site, _ = benching.site_of(archive.store, "mosaiks", truthful)
    ids = np.concatenate([part.patch_ids for part in site.series])
    early = site.truth.changed & (site.truth.onset < np.datetime64("2018-06-01"))
    changed = set(ids[early])
    later = set(ids[site.truth.changed & ~early])
    for day in DAYS:
        print(
            f"\n{day}: {len(changed)} changed\n\n| method | patches | AP by score | by z | p <= 0.05: changed | others |"
        )
        print("| --- | --- | --- | --- | --- | --- |")
        for query in (THEIRS, OURS):
            rows = archive.sql(query, day=day).df()
            rows = rows[~rows.patch_id.isin(later)]
            for method, group in rows.groupby("method"):
                true = group.patch_id.isin(changed).to_numpy()
                cells = [
                    precision(true, group[name].to_numpy(float))
                    for name in ("score", "z")
                ]
                low = (group.p_value <= 0.05).to_numpy()
                told = group.p_value.notna().any()
                shares = [
                    f"{low[side].mean():.0%}" if told else "-" for side in (true, ~true)
                ]
                print(f"| {method} | {len(group)} | {' | '.join([*cells, *shares])} |")


def precision(true: np.ndarray, values: np.ndarray) -> str:
    known = np.isfinite(values)
    if not true[known].any():
        return "-"
    return f"{measures.average_precision(true[known], values[known]):.2f}"


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("shared", type=Path, nargs="?", default=Path("../shared"))
    parser.add_argument("--steps", type=int, default=200)
    asked = parser.parse_args()
    sets = asked.shared / "data"
    if not sets.exists():
        print(f"left out: no shared materials at {asked.shared}")
        return
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        archive = made(
            place / "a.td", sets / "s2-flanders-2018-transplant", asked.steps
        )
        control = made(place / "c.td", sets / "s2-flanders-2018", asked.steps)
        labels = sets / "s2-flanders-2018-transplant" / "truth" / "changes.geojson"
        on_the_day(archive, labels)
        print()
        print(
            archive.bench(
                labels, control=control.store.root, models=["mosaiks"], quiet=True
            )
        )


if __name__ == "__main__":
    main()
