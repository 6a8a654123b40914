"""Kinds assigned by exemplars: as a fit of all would say, at a fraction of its time.

    python benchmarks/kinds.py                 # planted kinds: 10,000 and 40,000 changes
    python benchmarks/kinds.py --archive A.td  # the changes of an archive as well

Changes are halved at random, `--repeats` times. Kinds are fitted on one half and given to
the other, by our exemplars and by `hdbscan.approximate_predict`, which walks the tree of the
same half. Judged by the truth (planted kinds) and by a fit of the other half alone. Beside
it, names: how many of the larger kinds of one half are found in the other, under one number.
"""

import argparse
import json
import sys
import time
import warnings
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import adjusted_rand_score

from terradrift.detect.kinds import KIND, NONE, Cluster
from terradrift.detect.kinds.fates import KEPT, compare

warnings.filterwarnings("ignore", category=FutureWarning)
warnings.filterwarnings("ignore", category=SyntaxWarning)
D = 64
HERE = Path(__file__).resolve().parent


def planted(n: int, seed: int) -> tuple[NDArray, NDArray, NDArray]:
    """Changes of 24 kinds of unequal sizes, one in four of none."""
    random = np.random.default_rng(seed)
    directions = random.normal(size=(25, D))
    share = np.append(
        1 / 3, 1 / np.arange(1, 25) ** 0.8 / (1 / np.arange(1, 25) ** 0.8).sum()
    )
    truth = random.choice(25, n, p=share / share.sum())
    spread = random.uniform(0.2, 0.5, 25)[truth][:, None]
    delta = directions[truth] + spread * random.normal(size=(n, D))
    delta[truth == 0] = random.normal(size=((truth == 0).sum(), D))
    delta *= random.uniform(1, 6, size=(n, 1))
    before = random.normal(size=(n, D))
    return before.astype(np.float32), delta.astype(np.float32), truth


def held(path: str) -> tuple[NDArray, NDArray]:
    import terradrift as td

    archive = td.open(path)
    rows = archive.sql(
        "SELECT before, delta FROM changes ORDER BY change_id"
    ).to_arrow_table()
    return tuple(
        np.stack(rows[name].combine_chunks().to_numpy(zero_copy_only=False)).astype(
            np.float32
        )
        for name in ("before", "delta")
    )


def timed(work):
    begin = time.process_time()
    done = work()
    return done, time.process_time() - begin


def peer(one, points, least: int):
    # Not the benchmark of the same name beside this file.
    sys.path[:] = [path for path in sys.path if Path(path or ".").resolve() != HERE]
    import hdbscan

    def fit():
        return hdbscan.HDBSCAN(
            min_cluster_size=least,
            min_samples=3,
            prediction_data=True,
            core_dist_n_jobs=1,
        ).fit(one)

    model, fitting = timed(fit)
    (label, _), predicting = timed(lambda: hdbscan.approximate_predict(model, points))
    return label + 1, fitting, predicting


def halves(before, delta, truth, seed: int, *, with_peer: bool) -> dict[str, float]:
    random = np.random.default_rng(seed)
    one, other = np.array_split(random.permutation(len(delta)), 2)
    ids = np.array([f"{i:08}" for i in range(len(delta))])
    found, fitting = timed(lambda: Cluster().cluster(ids[one], before[one], delta[one]))
    assert found.fitted is not None, found.reason
    again = Cluster().cluster(ids[other], before[other], delta[other])
    told, assigning = timed(lambda: found.fitted.assign(before[other], delta[other]))
    fates = compare(told.kind, again.kind)
    sizes = {k.number: len(k.rows) for k in found.kinds if k.role == KIND}
    large = {number for number, size in sizes.items() if size >= 0.01 * len(one)}
    lives = {f.old[0] for f in fates if f.what == KEPT}
    out = {
        "kinds": len(sizes),
        "fit_s": fitting,
        "assign_s": assigning,
        "ari_other_fit": adjusted_rand_score(again.kind, told.kind),
        "none_fit": float((found.kind == NONE).mean()),
        "none_assigned": float((told.kind == NONE).mean()),
        "large_kept": len(large & lives) / max(1, len(large)),
    }
    if truth is not None:
        inside = truth[other] > 0
        out["ari_truth"] = adjusted_rand_score(truth[other], told.kind)
        out["ari_truth_of_a_fit"] = adjusted_rand_score(truth[other], again.kind)
        out["none_right"] = float(((told.kind == NONE) == ~inside).mean())
    if with_peer:
        basis = found.fitted.basis
        points = [
            basis.of(before[part], delta[part]).astype(float) for part in (one, other)
        ]
        least = int(np.clip(round(len(one) ** 0.5 / 2), 5, 250))
        label, fit_s, assign_s = peer(points[0], points[1], least)
        out |= {
            "hdbscan_fit_s": fit_s,
            "hdbscan_assign_s": assign_s,
            "hdbscan_ari_other_fit": adjusted_rand_score(again.kind, label),
            "assign_ratio": assign_s / assigning,
        }
        if truth is not None:
            out["hdbscan_ari_truth"] = adjusted_rand_score(truth[other], label)
    return out


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", default="10000,40000")
    parser.add_argument("--archive")
    parser.add_argument("--repeats", type=int, default=3)
    asked = parser.parse_args()
    jobs = [
        (f"planted {n:,}", lambda seed, n=n: planted(n, seed), n <= 20_000)
        for n in map(int, asked.rows.split(","))
    ]
    if asked.archive:
        before, delta = held(asked.archive)
        jobs.append((f"archive {len(delta):,}", lambda _: (before, delta, None), True))
    for name, make, with_peer in jobs:
        rounds = [
            halves(*make(seed), seed, with_peer=with_peer)
            for seed in range(asked.repeats)
        ]
        mean = {
            key: round(float(np.mean([r[key] for r in rounds])), 3) for key in rounds[0]
        }
        print(json.dumps({"set": name, **mean}))


if __name__ == "__main__":
    main()
