"""Which model: quality of changes by each model and space on real series with truth.

    python benchmarks/models.py [SHARED] [--models mosaiks,galileo-nano-tokens,...]
        [--spaces raw,centre,whiten] [--sets transplant,vaia,wildfires]

Weights of foundation models must be on this machine (terradrift models add NAME FILE). For
each model: dimensions, seconds to read and embed, and with each space the average precision
(AP, with a 95 % interval by bootstrap over blocks of 4 x 4 patches) and ROC-AUC of the
maximum change score per patch beside the floor of chance, the share of unchanged patches
that were reported, and, since that is what a space changes first, the AP of the largest
`drift` alone and the median cosine of two observations of different patches. P@10: of the ten
changes most like a true one, by step (`delta`) and by what came (`after`), the share that are
true too, beside their share of all changes (chance). On the fires, two dates: the mean ROC-AUC
of `drift`. Models made for L1C are given what the set has.
"""

import argparse
import json
import math
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from _quality import found, histories, patch_scores, reported, truth
from numpy.typing import NDArray
from quality import CASES, Case, labels

import terradrift as td
from terradrift import plugins, space
from terradrift.detect.block import Block
from terradrift.detect.settings import Settings
from terradrift.evaluate import measures as evaluate
from terradrift.series import Series

BLOCK = 4
"""Patches per side of what the bootstrap draws: neighbours change together."""


def how(model: str, patch_px: int) -> dict[str, Any]:
    """Options for a foundation model on whatever level and patches the set has."""
    plugin = plugins.load(plugins.EMBEDDERS, model.removesuffix("-tokens"))
    if not hasattr(plugin, "embedder"):
        return {}
    options: dict[str, Any] = {"allow_mismatch": True}
    if model.endswith("-tokens"):
        size = max(side for side in plugin.tokens if patch_px % side == 0)
        # The native chip, or the next that holds whole tokens and as many of them.
        unit, most = math.lcm(size, plugin.chip_multiple), max(size, plugin.chip_size)
        if plugin.chip_size % unit or size > next(iter(plugin.tokens)):
            most = size * plugin.chip_size // next(iter(plugin.tokens))
        options |= {"token_size": size, "chip_size": unit * -(-most // unit)}
    return options


def fitted(name: str, series: list[Series]) -> space.Space | None:
    if name == space.RAW:
        return None
    size = series[0].vectors.shape[-1]
    return space.fit(name, clear_vectors(series), size, 1)


def clear_vectors(series: list[Series]) -> Iterator[NDArray[np.float16]]:
    for part in series:
        yield part.vectors[np.nan_to_num(part.clear_percent) >= Settings().min_clear]


def likeness(series: list[Series], chosen: space.Space | None) -> float:
    """Median cosine of 2,000 random clear observations."""
    rows = np.concatenate(list(clear_vectors(series))).astype(np.float32)
    rng = np.random.default_rng(0)
    rows = rows[rng.choice(len(rows), min(len(rows), 2000), replace=False)]
    rows = rows if chosen is None else chosen.place(rows)
    unit = rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-12)
    return float(np.median((unit @ unit.T)[np.triu_indices(len(unit), 1)]))


def largest_drift(judged: list[Block]) -> NDArray[np.float64]:
    return np.concatenate(
        [np.nan_to_num(block.scores.drift).max(axis=1) for block in judged]
    )


def precision_at_10(
    judged: list[Block], true: NDArray[np.bool_], chosen: space.Space | None
) -> dict[str, float]:
    """Of the ten changes nearest to each change of a patch that is `true`."""
    first = np.cumsum([0, *(len(block.patch_ids) for block in judged)])
    rows = [
        start + block.changes.row for start, block in zip(first, judged, strict=False)
    ]
    hits = true[np.concatenate(rows)]
    before, after = (
        np.concatenate([getattr(block.changes, part) for block in judged])
        for part in ("before", "after")
    )
    delta = after - before
    if chosen is not None:
        delta, after = chosen.step(delta), chosen.place(after)
    found = {"chance": float(hits.mean())}
    for name, vectors in (("delta", delta), ("after", after)):
        unit = vectors / np.maximum(np.linalg.norm(vectors, axis=1), 1e-12)[:, None]
        cosine = unit[hits] @ unit.T
        cosine[np.arange(hits.sum()), np.flatnonzero(hits)] = -np.inf
        nearest = np.argsort(-cosine, axis=1)[:, :10]
        found[f"P@10 {name}"] = float(hits[nearest].mean())
    return found


def interval(
    true: NDArray[np.bool_], score: NDArray[np.float64], cells: NDArray[np.int64]
) -> tuple[float, float]:
    """95 % of the AP when blocks of patches are drawn anew."""
    _, block = np.unique(cells // BLOCK, axis=0, return_inverse=True)
    members = [np.flatnonzero(block == number) for number in range(block.max() + 1)]
    rng = np.random.default_rng(0)
    drawn = []
    for _ in range(500):
        some = np.concatenate(
            [members[i] for i in rng.integers(len(members), size=len(members))]
        )
        if true[some].any():
            drawn.append(evaluate.average_precision(true[some], score[some]))
    low, high = np.quantile(drawn, [0.025, 0.975])
    return float(low), float(high)


def with_truth(
    case: Case, root: Path, series: list[Series], chosen: space.Space | None
) -> dict[str, float]:
    label = labels(case, truth(series, root / case.truth, case.patch_size))
    known = label >= 0
    judged = found(series, Settings(), chosen)
    score, true = patch_scores(judged)[known], label[known] > 0
    cells = np.concatenate([part.cells[:, 1:] for part in series])[known]
    low, high = interval(true, score, cells)
    return {
        "floor": evaluate.floor(true),
        "AP": evaluate.average_precision(true, score),
        "AP low": low,
        "AP high": high,
        "ROC-AUC": evaluate.roc_auc(true, score),
        "false alarms": float(reported(judged)[known][~true].mean()),
        "drift AP": evaluate.average_precision(true, largest_drift(judged)[known]),
        "drift ROC-AUC": evaluate.roc_auc(true, largest_drift(judged)[known]),
        **precision_at_10(judged, label > 0, chosen),
    }


def wildfires(
    case: Case, root: Path, series: list[Series], chosen: space.Space | None
) -> dict[str, float]:
    drift = largest_drift(found(series, Settings(), chosen))
    aucs, floors = [], []
    for fire in sorted((root / "truth").glob("*_burned.tif")):
        sampled = truth(series, fire, case.patch_size)
        inside = np.isfinite(sampled).mean(axis=1) >= 0.8
        with np.errstate(invalid="ignore"):
            burned = (sampled == 1).sum(axis=1) / np.isfinite(sampled).sum(axis=1)
        aucs.append(evaluate.roc_auc(burned[inside] >= 0.5, drift[inside]))
        floors.append(float((burned[inside] >= 0.5).mean()))
    return {
        "burned": float(np.mean(floors)),
        "drift ROC-AUC": float(np.mean(aucs)),
        "lowest of the fires": float(min(aucs)),
    }


def rows(
    name: str, case: Case, root: Path, models: list[str], spaces: list[str]
) -> Iterator[dict[str, Any]]:
    measure = wildfires if name == "wildfires" else with_truth
    with tempfile.TemporaryDirectory() as folder:
        archive = td.create(
            Path(folder) / "archive.td", grid=td.Grid(patch_size=case.patch_size)
        )
        archive.ingest(root / "catalog.json")
        for model in models:
            start = time.perf_counter()
            series = histories(
                archive, model, **how(model, archive.store.settings.grid.patch_px)
            )
            seconds = time.perf_counter() - start
            for chosen in spaces:
                fit = fitted(chosen, series)
                yield {
                    "set": name,
                    "model": model,
                    "space": chosen,
                    "d": series[0].vectors.shape[-1],
                    "embed s": round(seconds, 1),
                    "median cosine": likeness(series, fit),
                    **measure(case, root, series, fit),
                }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shared", nargs="?", default="../shared")
    parser.add_argument(
        "--models", default="mosaiks,spectral,galileo-nano-tokens,presto-tokens"
    )
    parser.add_argument("--spaces", default=",".join((space.RAW, *space.NAMES)))
    parser.add_argument("--sets", default="transplant,vaia,wildfires")
    parser.add_argument("--json", type=Path, help="write the rows there as well")
    asked = parser.parse_args()
    every: list[dict[str, Any]] = []
    for name in asked.sets.split(","):
        case = CASES[name]
        root = Path(asked.shared) / "data" / case.folder
        models, spaces = asked.models.split(","), asked.spaces.split(",")
        for row in rows(name, case, root, models, spaces):
            if not every or every[-1]["set"] != name:
                print("| " + " | ".join(row) + " |")
                print("|" + " --- |" * len(row))
            every.append(row)
            cells = (
                f"{v:.3f}" if isinstance(v, float) else str(v) for v in row.values()
            )
            print("| " + " | ".join(cells) + " |", flush=True)
    if asked.json:
        asked.json.write_text(json.dumps(every, indent=1) + "\n")


if __name__ == "__main__":
    main()
