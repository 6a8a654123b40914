"""`detect --method seasonal` under snow, low sun and partial cloud; quality; speed.

    python benchmarks/seasonal.py [SHARED] [--only planted,real,quality,series,speed,archive]

`planted`: simulated series with changes and quiet ground, once with the mask and once with a
mask that calls snow vegetation. False alarms and recall are counted at the threshold that 5 %
of the quiet observations pass under a clear sky, and at p <= 0.05. `real`: Flanders and
Tanzania, where nothing lasting is known to have changed. `quality`: ranking of patches by
their largest score. `series`: protocol P4. `speed`: observations per second beside the same
formula written with pandas and numpy per patch; `archive`: the whole verb on random vectors.
With `--picture FILE.png` the first seed's picture is drawn instead.
"""

import argparse
import json
import tempfile
import time
import tracemalloc
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from _quality import THREADS, histories, truth
from _seasonal import CONDITIONS, conditions, copied, observations
from _seasonal_archive import timed
from _seasonal_picture import draw
from numpy.typing import NDArray
from watch import CASES

import terradrift as td
from terradrift.archive.judge import benching
from terradrift.detect.drift import Drift, unit
from terradrift.detect.reference import season_distance
from terradrift.detect.seasonal import judge
from terradrift.detect.seasonal.detector import Seasonal
from terradrift.detect.seasonal.settings import Settings
from terradrift.evaluate.bench import lines as bench
from terradrift.evaluate.fields import Reading
from terradrift.evaluate.measures import Interval
from terradrift.evaluate.methods import WholeDetection
from terradrift.evaluate.planted_series import series as planted_series
from terradrift.evaluate.planted_series.measures import (
    Chance,
    mean,
    measure,
    over_seeds,
)
from terradrift.evaluate.ranked import Largest
from terradrift.evaluate.tables import piped
from terradrift.ingest.simulate import simulate
from terradrift.threads import single_blas

PATCH, DATES, EVERY, QUIET_DAYS = 80, 150, 6, 400
ALARMED_DAYS = 120
"""Observations so long after an onset tell of it."""
SCORES = ("nearest", "drift", "temporal", "spatial")
NEAREST = Settings(measure="nearest")
AS_WRITTEN = Settings(measure="nearest", scale=False, evidence="score", loudest=5.9)
"""METHODS 4.4 as near as the settings allow: evidence of a date is still bounded."""
CLOUDS = (0.0, 0.1, 0.3, 0.5)
Table = tuple[tuple[str, ...], list[tuple[str, ...]]]


def planted(seeds: Sequence[int], model: str) -> Iterator[tuple[str, Table]]:
    for blind in (False, True):
        found: dict[str, list[dict[str, float]]] = {name: [] for name in CONDITIONS}
        whole: list[dict[str, float]] = []
        for seed in seeds:
            with tempfile.TemporaryDirectory() as folder:
                frame = _simulated(seed, model, Path(folder), blind=blind)
            whole.append(_by_patch(frame))
            for name, values in _by_condition(frame).items():
                found[name].append(values)
        sky = "mask that calls snow vegetation" if blind else "mask that knows snow"
        head = (
            sky,
            "quiet / changed observations",
            "p <= 0.05, quiet: seasonal / detect",
            "p <= 0.05, changed: seasonal / detect",
            *(f"{name}: quiet, changed" for name in SCORES),
            "persistent, quiet: ours / as written",
        )
        yield sky, (head, [_condition_row(*one) for one in found.items()])
        head = (f"patches, {sky}", "quiet ever told", "changed told after", "days late")
        yield "patches", (head, list(_patch_rows(whole)))


def _simulated(seed: int, model: str, folder: Path, *, blind: bool) -> pd.DataFrame:
    catalog = simulate(
        folder / "scenes",
        size_px=256,
        dates=DATES,
        revisit_days=EVERY,
        seed=seed,
        quiet_days=QUIET_DAYS,
        threads=THREADS,
    )
    truthful = folder / "scenes"
    if blind:
        catalog = copied(truthful, folder / "blind", blind=True)
    archive = td.create(folder / "a.td", grid=td.Grid(patch_size=PATCH))
    archive.ingest(catalog)
    series = histories(archive, model)
    archive.detect(model, quiet=True, threads=THREADS)
    frame = _judged(archive, model, truthful)
    ids = np.concatenate([part.patch_ids for part in series])
    sampled = truth(series, truthful / "truth.tif", PATCH)
    features = json.loads((truthful / "truth.geojson").read_text())["features"]
    onset = np.full(len(ids), np.datetime64("NaT"), "datetime64[us]")
    lasting = np.zeros(len(ids), bool)
    for feature in features:
        told = feature["properties"]
        mine = (sampled == feature["id"]).mean(axis=1) >= 0.5
        onset[mine] = np.datetime64(told["onset"])
        lasting[mine] = told["persistence"] == "persistent"
    quiet = (sampled > 0).sum(axis=1) == 0
    known = pd.DataFrame(
        {"patch_id": ids, "onset": onset, "lasting": lasting, "quiet": quiet}
    )
    told = archive.sql("SELECT patch_id, n_changes > 0 AS reported FROM patch_changes")
    frame = frame.merge(known, on="patch_id").merge(told.df(), on="patch_id")
    since = frame["datetime"] - frame["onset"]
    frame["changed"] = (
        frame["lasting"]
        & (since >= pd.Timedelta(0))
        & (since <= pd.Timedelta(days=ALARMED_DAYS))
    )
    return frame


def _judged(archive: td.Archive, model: str, folder: Path) -> pd.DataFrame:
    """Observations, and which are persistent by the method as it is written."""
    frames = []
    for settings in (AS_WRITTEN, Settings()):
        given = {
            name: getattr(settings, name)
            for name in ("measure", "scale", "evidence", "loudest")
        }
        archive.detect(model, method="seasonal", quiet=True, threads=THREADS, **given)
        frames.append(observations(archive, model, folder))
    written, frame = frames
    keys = ["patch_id", "datetime"]
    other = written[[*keys, "persistent", "p"]]
    return frame.merge(other, on=keys, suffixes=("", "_written"), how="left")


def _by_patch(frame: pd.DataFrame) -> dict[str, float]:
    """Shares of patches that are persistent on any date, or reported by `detect`."""
    out = {}
    patches = frame.groupby("patch_id")[["quiet", "lasting", "reported"]].first()
    quiet, lasting = patches["quiet"], patches["lasting"]
    for name in ("persistent", "persistent_written"):
        told = frame[frame[name].fillna(value=False).astype(bool)]
        ever = patches.index.isin(told["patch_id"])
        late = told[told["lasting"] & (told["datetime"] >= told["onset"])]
        since = (late["datetime"] - late["onset"]).groupby(late["patch_id"]).min()
        out[f"{name} quiet"] = float(ever[quiet].mean())
        out[f"{name} changed"] = float(len(since) / max(lasting.sum(), 1))
        out[f"{name} days"] = float(since.dt.days.median())
    out["reported quiet"] = float(patches.loc[quiet, "reported"].mean())
    out["reported changed"] = float(patches.loc[lasting, "reported"].mean())
    return out


def _patch_rows(parts: list[dict[str, float]]) -> Iterator[tuple[str, ...]]:
    for name, words in (
        ("persistent", "seasonal: persistent"),
        ("persistent_written", "as written: persistent"),
        ("reported", "detect: a change, known from the whole history"),
    ):
        days = [part.get(f"{name} days", np.nan) for part in parts]
        yield (
            words,
            *(
                _interval(
                    mean([part[f"{name} {each}"] for part in parts], within=(0.0, 1.0))
                )
                for each in ("quiet", "changed")
            ),
            _interval(mean(days), 0),
        )


def _by_condition(frame: pd.DataFrame) -> dict[str, dict[str, float]]:
    clear = frame[frame["quiet"] & (frame["condition"] == "clear")]
    limit = {name: clear[name].quantile(0.95) for name in SCORES}
    out = {}
    for name in CONDITIONS:
        here = frame[frame["condition"] == name]
        quiet, changed = here[here["quiet"]], here[here["changed"]]
        values: dict[str, float] = {
            "quiet": len(quiet),
            "changed": len(changed),
            "persistent": float(quiet["persistent"].astype(float).mean()),
            "written": float(quiet["persistent_written"].astype(float).mean()),
        }
        for part, rows in (("quiet", quiet), ("changed", changed)):
            for p in ("p", "p_detect"):
                known = rows[p].dropna()
                values[f"{p} {part}"] = float((known <= 0.05).mean())
            for score in SCORES:
                known = rows[score].dropna()
                values[f"{score} {part}"] = float((known >= limit[score]).mean())
        out[name] = values
    return out


def _condition_row(name: str, parts: list[dict[str, float]]) -> tuple[str, ...]:
    def cell(key: str) -> str:
        return _interval(mean([part[key] for part in parts], within=(0.0, 1.0)))

    def total(key: str) -> str:
        return f"{sum(part[key] for part in parts):,.0f}"

    return (
        name,
        f"{total('quiet')} / {total('changed')}",
        f"{cell('p quiet')} / {cell('p_detect quiet')}",
        f"{cell('p changed')} / {cell('p_detect changed')}",
        *(f"{cell(f'{each} quiet')}, {cell(f'{each} changed')}" for each in SCORES),
        f"{cell('persistent')} / {cell('written')}",
    )


def real(shared: Path, model: str) -> Iterator[tuple[str, Table]]:
    head = (
        "set, condition",
        "scenes",
        "observations",
        "p <= 0.05: seasonal",
        "p <= 0.01: seasonal",
        "p <= 0.05: detect",
        "persistent: ours / as written",
    )
    rows = []
    for name in ("flanders", "tanzania"):
        case = CASES[name]
        source = shared / "data" / case.folder
        for blind in (False, True):
            snow = (conditions(source)["condition"] == "snow").any()
            if blind and not snow:
                continue
            with tempfile.TemporaryDirectory() as folder:
                catalog = source / "catalog.json"
                if blind:
                    catalog = copied(source, Path(folder) / "blind", blind=True)
                archive = td.create(
                    Path(folder) / "a.td", grid=td.Grid(patch_size=case.patch_size)
                )
                archive.ingest(catalog)
                histories(archive, model)
                archive.detect(model, quiet=True, threads=THREADS)
                frame = _judged(archive, model, source)
            for each in CONDITIONS:
                here = frame[frame["condition"] == each]
                if len(here):
                    sky = ", snow not masked" if blind else ""
                    rows.append((f"{name}{sky}: {each}", *_real_row(here)))
    yield "real", (head, rows)


def _real_row(here: pd.DataFrame) -> tuple[str, ...]:
    """Means over scenes with their interval: patches of a scene are not independent."""
    by_scene = here.assign(
        five=here["p"] <= 0.05,
        one=here["p"] <= 0.01,
        detect=(here["p_detect"] <= 0.05).where(here["p_detect"].notna()),
        ours=here["persistent"].astype(float),
        written=here["persistent_written"].astype(float),
    ).groupby("scene_id")[["five", "one", "detect", "ours", "written"]]
    shares = by_scene.apply(lambda rows: rows.astype(float).mean())

    def cell(name: str) -> str:
        return _interval(mean(shares[name].tolist(), within=(0.0, 1.0)))

    return (
        str(len(shares)),
        f"{len(here):,}",
        cell("five"),
        cell("one"),
        cell("detect"),
        f"{cell('ours')} / {cell('written')}",
    )


def quality(shared: Path) -> Iterator[tuple[str, Table]]:
    head = ("set", "vectors", "method", "AP (floor)", "ROC-AUC", "CPU s")
    rows = []
    for name, models in (
        ("transplant", ("mosaiks", "spectral", "galileo-nano")),
        ("vaia", ("mosaiks", "spectral")),
    ):
        case = CASES[name]
        date = str(case.onsets[0][1]) if name == "vaia" else None
        file = case.truth if name == "vaia" else "truth/changes.geojson"
        labels = shared / "data" / case.folder / file
        given = benching.Truthful(
            labels=labels, reading=Reading(date=date), any_touch=name == "transplant"
        )
        with tempfile.TemporaryDirectory() as folder:
            archive = td.create(
                Path(folder) / "a.td", grid=td.Grid(patch_size=case.patch_size)
            )
            archive.ingest(shared / "data" / case.folder)
            for model in models:
                tokens = (
                    {"tokens": True, "allow_mismatch": True}
                    if model == "galileo-nano"
                    else {}
                )
                archive.embed(model, quiet=True, threads=THREADS, **tokens)
                stored = f"{model}-tokens" if tokens else model
                site, _ = benching.site_of(archive.store, stored, given)
                rows += [
                    (name, stored, line.detector, *_quality(line))
                    for line in bench.lines(_methods(), site)
                ]
    yield "quality", (head, rows)


def _methods() -> list[Any]:
    return [
        Largest(name="seasonal: persistence", detector=Seasonal(of="cusum")),
        Largest(name="seasonal: rank", detector=Seasonal()),
        Largest(name="seasonal: spatial", detector=Seasonal(of="spatial")),
        Largest(name="seasonal: temporal", detector=Seasonal(of="temporal")),
        Largest(
            name="nearest: persistence",
            detector=Seasonal(of="cusum", settings=NEAREST),
        ),
        Largest(
            name="as written: persistence",
            detector=Seasonal(of="cusum", settings=AS_WRITTEN),
        ),
        Largest(name="drift, nearest", detector=Drift(variant="nearest")),
        WholeDetection(threads=THREADS),
    ]


def _quality(line: Any) -> tuple[str, str, str]:
    found = line.evaluation.ranking
    ap, auc = found.average_precision, found.roc_auc
    return (
        f"{_interval(ap)} ({found.floor:.3f})",
        _interval(auc),
        f"{line.cpu_s:.1f}",
    )


def series(seeds: Sequence[int]) -> Iterator[tuple[str, Table]]:
    patches: dict[str, list[str]] = {}
    for cloud in CLOUDS:
        found: dict[str, list[Any]] = {}
        for seed in seeds:
            made = planted_series.plant(planted_series.Recipe(cloud=cloud, seed=seed))
            for method in (*_methods(), Chance(seed=seed)):
                found.setdefault(method.name, []).append(measure(made, method))
        means = {name: over_seeds(parts) for name, parts in found.items()}
        for name, one in means.items():
            patches.setdefault(name, []).append(_interval(one["patches"]))
        if cloud == CLOUDS[1]:
            names = ("patches", "dated", "frames", "precision", "off", "found", "delay")
            rows = [
                (name, *(_interval(one[each]) for each in names))
                for name, one in means.items()
            ]
            yield "series", (("method, 10 % cloud", *names), rows)
    head = ("AUPRC of patches", *(f"cloud {cloud:.0%}" for cloud in CLOUDS))
    yield "clouds", (head, [(name, *cells) for name, cells in patches.items()])


def archived() -> Iterator[tuple[str, Table]]:
    """From stored vectors to rows in the store, each in a process of its own."""
    rows = []
    for tiles in (2, 8, 16):
        told = timed(tiles, 1)
        count = told["observations"]
        rows.append(
            (
                f"{count:,.0f}",
                f"{told['cpu_s']:.1f}",
                f"{told['wall_s']:.1f}",
                f"{count / told['cpu_s']:,.0f}",
                f"{told['peak_mb']:,.0f}",
            )
        )
    head = ("observations of 384", "CPU s", "wall s", "observations/CPU s", "peak MB")
    yield "archive", (head, rows)


def speed() -> Iterator[tuple[str, Table]]:
    """Blocks as the store hands them over; linear in patches, as each is judged alone."""
    t, d = 60, 384
    random = np.random.default_rng(0)
    days = np.datetime64("2018-01-03", "D") + np.arange(t) * 15
    settings = Settings()
    rows = []
    with single_blas():
        for n in (1000, 2000, 4000):
            vectors = random.standard_normal((n, t, d), np.float32).astype(np.float16)
            clear = random.random((n, t)) < 0.7
            scene = np.broadcast_to(np.arange(t), (n, t))
            patches = judge.Patches(days, vectors, clear, scene)
            pool = judge.Patches(days, vectors[:1000], clear[:1000], scene[:1000])
            learn_s, scenes = _timed(lambda pool=pool: judge.learn(pool, settings))
            judge_s, found = _timed(
                lambda patches=patches, scenes=scenes: judge.judge(
                    patches, scenes, settings
                )
            )
            tracemalloc.start()
            judge.judge(patches, scenes, settings)
            peak = tracemalloc.get_traced_memory()[1]
            tracemalloc.stop()
            plain_s, score = _timed(
                lambda patches=patches: _plain(patches, slice(0, 20), settings)
            )
            seen = clear[:20] & np.isfinite(score)
            off = np.abs(found.score[:20] - score)[seen].max()
            floor_s = vectors.nbytes / _bandwidth()
            rows.append(
                (
                    f"{n:,}",
                    f"{learn_s:.2f}",
                    f"{judge_s:.2f}",
                    f"{clear.sum() / judge_s:,.0f}",
                    f"{100_000 / n * judge_s:,.0f}",
                    f"{peak / 2**20:,.0f}",
                    f"{floor_s:.3f}",
                    f"{judge_s / floor_s:.0f}",
                    f"{clear[:20].sum() / plain_s:,.0f}",
                    f"{plain_s / 20 * n / judge_s:,.0f}",
                    f"{off:.0e}",
                )
            )
    head = (
        "patches of 60 x 384",
        "learn 1,000, CPU s",
        "judge, CPU s",
        "observations/s",
        "100,000 patches, CPU s",
        "memory beside the vectors, MB",
        "floor (bytes / bandwidth), s",
        "times the floor",
        "pandas and numpy, observations/s",
        "times quicker",
        "largest difference of scores",
    )
    yield "speed", (head, rows)


def _timed(work: Any) -> tuple[float, Any]:
    start = time.process_time()
    done = work()
    return time.process_time() - start, done


def _bandwidth() -> float:
    """Bytes per second that one thread reads."""
    data = np.ones(64 << 20, np.float32)
    best = min(_timed(data.sum)[0] for _ in range(3))
    return data.nbytes / best


def _plain(
    patches: judge.Patches, some: slice, settings: Settings
) -> NDArray[np.float64]:
    """Temporal score, left-out scores and z of each patch as one would write them down."""
    scores = []
    for vectors, clear in zip(patches.vectors[some], patches.clear[some], strict=True):
        frame = pd.DataFrame(index=pd.Index(patches.days[clear]))
        turned = unit(vectors[clear])
        score, z = np.full(len(clear), np.nan), []
        for at, day in enumerate(frame.index.to_numpy()):
            gap = (day - frame.index.to_numpy()) / np.timedelta64(1, "D")
            past = gap >= settings.guard_days
            if not past.any():
                past = gap > 0
            apart = season_distance(frame.index.to_numpy(), day)
            season = past & (apart <= settings.window_days) & (gap >= 182.62125)
            chosen = season if season.sum() >= settings.min_season else past
            places = np.flatnonzero(chosen)[-settings.max_reference :]
            if not len(places):
                continue
            value = _apart(turned[at], turned[places])
            left = []
            for place in places:
                others = [
                    other
                    for other in places
                    if abs(gap[other] - gap[place]) >= settings.guard_days
                ]
                if others:
                    left.append(_apart(turned[place], turned[others]))
            calibration = pd.Series(left, dtype=float)
            middle = calibration.median()
            spread = 1.4826 * (calibration - middle).abs().median()
            z.append((value - middle) / (spread + settings.floor * middle + 1e-6))
            score[np.flatnonzero(clear)[at]] = value
        scores.append(score)
    return np.array(scores)


def _apart(one: NDArray[np.float32], past: NDArray[np.float32]) -> float:
    middle = past.sum(axis=0)
    return float(1 - one @ middle / np.linalg.norm(middle))


def _interval(found: Interval, digits: int = 3) -> str:
    if not np.isfinite(found.value):
        return "-"
    if not np.isfinite(found.low):
        return f"{found.value:.{digits}f}"
    return (
        f"{found.value:.{digits}f} ({found.low:.{digits}f} to {found.high:.{digits}f})"
    )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shared", nargs="?", type=Path, default=Path("../shared"))
    parser.add_argument("--only", default="planted,real,quality,series,speed,archive")
    parser.add_argument("--seeds", default="201,202,203,204")
    parser.add_argument("--model", default="mosaiks")
    parser.add_argument("--picture", type=Path)
    chosen = parser.parse_args()
    seeds = [int(seed) for seed in chosen.seeds.split(",")]
    if chosen.picture is not None:
        with tempfile.TemporaryDirectory() as folder:
            frame = _simulated(seeds[0], chosen.model, Path(folder), blind=True)
            made = td.open(Path(folder) / "a.td")
            draw(made, chosen.model, frame, chosen.picture)
        return
    parts = {
        "planted": lambda: planted(seeds, chosen.model),
        "real": lambda: real(chosen.shared, chosen.model),
        "quality": lambda: quality(chosen.shared),
        "series": lambda: series(range(1, 6)),
        "speed": speed,
        "archive": archived,
    }
    for name in chosen.only.split(","):
        for title, (head, rows) in parts[name]():
            print(f"\n{title}\n\n{piped(head, rows)}", flush=True)


if __name__ == "__main__":
    main()
