"""The picture of docs/inpainting.md: before, expected, observed, anomaly.

    python benchmarks/_inpaint_picture.py SHARED OUT.png [--steps N] [--models FOLDER]

A network trained on `s2-flanders-2018` before 2018-07-01 judges 2018-08-17 of the same series
with two inserted changes: a patch of cropland of 5 x 5 pixels turns to village on that day.
"""

import argparse
import sys
import tempfile
from pathlib import Path

import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Rectangle
from numpy.typing import NDArray

import terradrift as td
from terradrift.archive.inpaint.inpainting import Inpainting
from terradrift.archive.pixels.stacks import stacks
from terradrift.report import ink
from terradrift.stack import Stack

DAY = np.datetime64("2018-08-17")
BEFORE = np.datetime64("2018-08-07")
"""The latest day before that is clear everywhere."""
UNTIL = "2018-07-01"
ROWS, COLS = (40, 44), (36, 40)
"""Of the change, first and last pixel."""
WHITE = 0.22
COLOURS = ("red", "green", "blue")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("shared", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=1500)
    parser.add_argument("--models", type=Path, help="folder of a trained network")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work, models = Path(temporary), given.models
        if models is None:
            learned = archive(given.shared, "s2-flanders-2018", work)
            learned.train("inpaint", steps=given.steps, until=UNTIL)
            models = learned.store.root / "models"
        judged = archive(given.shared, "s2-flanders-2018-transplant", work)
        detector = Inpainting.trained(models)
        found = list(stacks(judged.store, halo_px=detector.halo_px, threads=2))
        west = min(each.corner[0] for each in found)
        north = max(each.corner[1] for each in found)
        panels: dict[str, NDArray[np.float32]] = {}
        for each in found:
            for name, values in judge(detector, each).items():
                whole = panels.setdefault(
                    name, np.full((*values.shape[:-2], 64, 64), np.nan, np.float32)
                )
                y, x = (
                    round((north - each.corner[1]) / each.gsd),
                    round((each.corner[0] - west) / each.gsd),
                )
                rows, cols = values.shape[-2:]
                whole[..., y : y + rows, x : x + cols] = values
    given.out.write_bytes(ink.png(figure(panels)))
    score = panels["anomaly"]
    inside = score[ROWS[0] : ROWS[1] + 1, COLS[0] : COLS[1] + 1]
    print(
        f"score inside {np.nanmedian(inside):.2f}, elsewhere median "
        f"{np.nanmedian(score):.2f}, 99.9 % {np.nanquantile(score, 0.999):.2f}"
    )


def archive(shared: Path, name: str, work: Path) -> td.Archive:
    place = work / f"{name}.td"
    made = td.create(place, td.Grid(40))
    made.ingest(shared / "data" / name / "catalog.json")
    return made


def judge(detector: object, stack: Stack) -> dict[str, NDArray[np.float32]]:
    cut = stack.upto(int(np.searchsorted(stack.days, DAY)))
    found = detector.detect(cut)
    edge = slice(stack.halo_px, -stack.halo_px)
    before = cut.pixels[int(np.searchsorted(stack.days, BEFORE))]
    rgb = [stack.bands.index(each) for each in COLOURS]
    return {
        "before": before[rgb][:, edge, edge],
        "expected": found.expected[rgb][:, edge, edge],
        "observed": cut.pixels[-1][rgb][:, edge, edge],
        "anomaly": found.score[edge, edge],
    }


def figure(panels: dict[str, NDArray[np.float32]]) -> Figure:
    titles = {
        "before": f"before, on {BEFORE}",
        "expected": f"expected on {DAY}",
        "observed": f"observed on {DAY}",
        "anomaly": "anomaly score",
    }
    with ink.style():
        drawn = Figure(figsize=(10, 2.9), layout="constrained")
        for axes, (name, title) in zip(
            drawn.subplots(1, 4), titles.items(), strict=True
        ):
            values = panels[name]
            axes.set_title(title, loc="left", fontsize="medium")
            axes.set_xticks([])
            axes.set_yticks([])
            if values.ndim == 3:
                shown = np.clip(np.moveaxis(values, 0, -1) / WHITE, 0, 1)
                axes.imshow(np.nan_to_num(shown, nan=1), interpolation="nearest")
            else:
                image = axes.imshow(
                    values, cmap="magma", vmin=0, interpolation="nearest"
                )
                drawn.colorbar(image, ax=axes, shrink=0.85)
            size = ROWS[1] - ROWS[0] + 1
            axes.add_patch(
                Rectangle(
                    (COLS[0] - 1.5, ROWS[0] - 1.5),
                    size + 2,
                    size + 2,
                    fill=False,
                    edgecolor="white",
                    linewidth=1.2,
                )
            )
    return drawn


if __name__ == "__main__":
    sys.exit(main())
