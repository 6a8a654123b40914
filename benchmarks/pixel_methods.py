"""Detectors on pixels: cost beside a plain two-pass Reed-Xiaoli, planted ground, false alarms.

    python benchmarks/pixel_methods.py [SHARED] [--docs docs/pixel-methods.md]

The two-pass peer is the public one of RaVAEn (mean, then covariance divided by N, pseudo-inverse,
squared Mahalanobis distance), written here in NumPy; only its speed is compared, scores are checked
to be the same. Planted ground is that of the transplants: pixels on the first clear date after
each change. False alarms are p-values below 1 % on the same site without transplants, where
nothing changed for good, but crops and weather did.
"""

import argparse
import tempfile
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from protocols import _between, _lines

import terradrift as td
from terradrift.archive.pixels.stacks import stacks
from terradrift.detect.image.median import TemporalMedian
from terradrift.detect.image.protocol import ImageDetector
from terradrift.detect.image.rx import Rx, RxDifference, RxTemporal, reed_xiaoli
from terradrift.evaluate.measures import roc_auc
from terradrift.stack import Stack
from terradrift.threads import single_blas

if TYPE_CHECKING:
    from collections.abc import Callable

METHODS: dict[str, ImageDetector] = {
    "temporal-median": TemporalMedian(),
    "temporal-median, robust": TemporalMedian(robust=True),
    "rx": Rx(),
    "rx-difference": RxDifference(),
    "rx-temporal": RxTemporal(),
}
CHANGES = {
    "12 x 12 pixels, 2018-05-16": ("2018-05-16", slice(6, 18), slice(48, 60)),
    "4 x 4 pixels, 2018-08-17": ("2018-08-17", slice(40, 44), slice(36, 40)),
}
_CLEAR = 0.9


def two_pass(image: np.ndarray) -> np.ndarray:
    """(y, x) scores of (band, y, x) as RaVAEn's baseline makes them: pass by pass over pixels."""
    bands, rows, cols = image.shape
    flat = image.reshape(bands, -1).T
    seen = np.isfinite(flat).all(axis=1)
    total, count = np.zeros(bands), 0
    for block in np.array_split(flat[seen], 64):
        total += block.sum(axis=0)
        count += len(block)
    centre = total / count
    square = np.zeros((bands, bands))
    for block in np.array_split(flat[seen].astype(np.float64), 64):
        away = block - centre
        square += away.T @ away
    inverse = np.linalg.pinv(square / count)
    out = np.full(len(flat), np.nan)
    away = flat[seen] - centre
    out[seen] = np.einsum("nb,bc,nc->n", away, inverse, away)
    return out.reshape(rows, cols)


def cost(side: int = 256, frames: int = 24, bands: int = 10) -> list[list[str]]:
    """CPU seconds of one frame judged by 23 before it, 30 % of all pixels not clear."""
    stack = _drawn(side, frames, bands)
    calls: dict[str, Callable[[], object]] = {
        name: (lambda each=each: each.detect(stack)) for name, each in METHODS.items()
    }
    calls["two-pass peer of rx"] = lambda: two_pass(stack.pixels[-1])
    own, other = reed_xiaoli(stack.pixels[-1]), two_pass(stack.pixels[-1])
    known = np.isfinite(other)
    assert (np.isfinite(own) == known).all()
    assert np.abs(own[known] / other[known] - 1).max() < 1e-3
    rows = []
    for name, call in calls.items():
        taken = []
        for _ in range(5):
            start = time.process_time()
            call()
            taken.append(time.process_time() - start)
        rate = side * side / 1e6 / sorted(taken)[2]
        rows.append([f"`{name}`" if name in METHODS else name, f"{rate:.2f}"])
    return rows


def planted(shared: Path, folder: Path) -> list[list[str]]:
    """ROC-AUC of the changed pixels on the first clear date after each change."""
    archive = _archive(shared / "data/s2-flanders-2018-transplant", folder / "a.td")
    # One window: the site is smaller than a tile, but lies across its edges otherwise.
    stack = _joined(list(stacks(archive.store, threads=1)))
    rows = []
    for name, detector in METHODS.items():
        row = [f"`{name}`"]
        for day, down, across in CHANGES.values():
            at = _first_clear(stack, np.datetime64(day), down, across)
            score = detector.detect(stack.upto(at)).score
            truth = np.zeros(score.shape, bool)
            truth[down, across] = True
            known = np.isfinite(score)
            row.append(f"{roc_auc(truth[known], score[known]):.3f}")
        rows.append(row)
    return rows


def quiet(shared: Path, folder: Path) -> dict[str, str]:
    """Share of p-values below 1 % where nothing changed for good."""
    archive = _archive(shared / "data/s2-flanders-2018", folder / "b.td")
    found = {}
    for name in METHODS:
        plain, robust = name.removesuffix(", robust"), name.endswith("robust")
        how = {"robust": True} if robust else {}
        archive.detect(method=plain, quiet=True, threads=1, **how)
        share = archive.sql(
            "SELECT avg((p_value < 0.01)::INT) FROM anomalies "
            "WHERE method = $method AND p_value IS NOT NULL",
            method=plain,
        ).fetchone()[0]
        found[name] = f"{share:.1%}"
    return found


def _first_clear(stack: Stack, day: np.datetime64, down: slice, across: slice) -> int:
    for t in np.flatnonzero(stack.days >= day):
        seen = np.isfinite(stack.pixels[t]).all(axis=0)
        if seen[down, across].all() and seen.mean() > _CLEAR:
            return int(t)
    raise ValueError(f"no clear date from {day} on")


def _archive(source: Path, place: Path) -> td.Archive:
    archive = td.create(place, td.Grid(40))
    archive.ingest(source)
    return archive


def _joined(parts: list[Stack]) -> Stack:
    """The stacks of one site as one, by their corners; the days all have."""
    days = sorted(set.intersection(*(set(p.days.tolist()) for p in parts)))
    west, north = min(p.corner[0] for p in parts), max(p.corner[1] for p in parts)
    places = [
        (round((north - p.corner[1]) / p.gsd), round((p.corner[0] - west) / p.gsd))
        for p in parts
    ]
    height = max(r + p.pixels.shape[2] for (r, _), p in zip(places, parts, strict=True))
    width = max(c + p.pixels.shape[3] for (_, c), p in zip(places, parts, strict=True))
    first = parts[0]
    pixels = np.full((len(days), len(first.bands), height, width), np.nan, np.float32)
    for (row, col), part in zip(places, parts, strict=True):
        at = np.searchsorted(part.days, np.array(days, "datetime64[D]"))
        _, _, rows, cols = part.pixels.shape
        pixels[:, :, row : row + rows, col : col + cols] = part.pixels[at]
    return replace(
        first, days=np.array(days, "datetime64[D]"), pixels=pixels, corner=(west, north)
    )


def _drawn(side: int, frames: int, bands: int) -> Stack:
    random = np.random.default_rng(0)
    ground = random.uniform(0.02, 0.3, (bands, side, side))
    pixels = ground + 0.02 * random.standard_normal((frames, bands, side, side))
    pixels[np.repeat(random.random((frames, 1, side, side)) < 0.3, bands, axis=1)] = (
        np.nan
    )
    n = (side // 16) ** 2
    rows, cols = np.divmod(np.arange(n), side // 16)
    days = np.datetime64("2020-01-01") + np.arange(frames)
    return Stack(
        tile="32631_160m_0_0",
        epsg=32631,
        corner=(0.0, 0.0),
        gsd=10.0,
        bands=tuple(f"b{k}" for k in range(bands)),
        wavelengths=np.full(bands, np.nan, np.float32),
        level="",
        days=days,
        pixels=pixels.astype(np.float32),
        halo_px=0,
        patch_px=16,
        patch_ids=np.array(
            [f"32631_160m_{c}_{r}" for r, c in zip(rows, cols, strict=True)]
        ),
        rows=rows.astype(np.int32),
        cols=cols.astype(np.int32),
        times=np.repeat(days.astype("datetime64[us]")[:, None], n, axis=1),
        scenes=np.full((frames, n), "s"),
        clear_percent=np.full((frames, n), 70, np.float32),
    )


def main() -> None:
    """Measure, and write what was asked for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("shared", nargs="?", type=Path, default=Path("../shared"))
    parser.add_argument("--docs", type=Path)
    asked = parser.parse_args()
    with single_blas(), tempfile.TemporaryDirectory() as folder:
        rates = cost()
        found = planted(asked.shared, Path(folder))
        alarms = quiet(asked.shared, Path(folder))
    told = dict(rates)
    peer = told["two-pass peer of rx"]
    head = (
        "method",
        "million pixels per CPU second",
        *CHANGES,
        "p < 1 % without a change",
    )
    rows = [(name, told[name], *aucs, alarms[name.strip("`")]) for name, *aucs in found]
    rows.append(("two-pass peer of `rx`", peer, "", "", ""))
    text = "\n".join(_lines([head, *rows]))
    print(text)
    if asked.docs:
        _between(asked.docs, "pixel-methods", text)


if __name__ == "__main__":
    main()
