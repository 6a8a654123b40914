"""The picture of `docs/segments.md`: one simulated event, judged by both rules."""

import io
from pathlib import Path

import numpy as np
from matplotlib.colors import ListedColormap
from matplotlib.figure import Figure
from PIL import Image

from terradrift.archive.events import features as event_features
from terradrift.archive.events import regions as event_regions
from terradrift.evaluate.event_folders import published
from terradrift.ingest.events.find import find
from terradrift.ingest.events.read import checked, read
from terradrift.report import ink

ALPHA = 0.05
WHITE = 0.3
"""Value of the white of a picture."""
_RIGHT, _WRONG, _MISSED = ink.GRADUAL, ink.TRANSIENT, ink.PERSISTENT


def draw(site: Path, path: Path) -> None:
    """Two images of the history, the monitored one, both scores, and marks of both rules."""
    (files,) = find(site).events
    event = read(checked(files))
    given = event_features.features(event, "mosaiks", region_px=event_regions.REGION_PX)
    regions = event_regions.regions(
        event, event_regions.Way.of("superpixels", event_regions.REGION_PX)
    )
    rule = event_regions.published_rule(regions, given, old=False)
    ours = event_regions.calibrated(regions, given, event, alpha=ALPHA)
    best = ours[event_regions.CALIBRATED]
    truth = published.anomalous(event.label)
    days = event.stack.days.astype(str)
    with ink.style():
        figure = Figure(figsize=(8.4, 4.6), layout="constrained")
        axes = figure.subplots(2, 4).ravel()
        for axis, at in zip(axes[:3], (-3, -2, -1), strict=True):
            axis.imshow((np.moveaxis(event.stack.pixels[at], 0, -1) / WHITE).clip(0, 1))
        titles = (f"normal, {days[-3]}", f"latest normal, {days[-2]}")
        for axis, title in zip(axes, (*titles, f"monitored, {days[-1]}"), strict=False):
            axis.set_title(title, fontsize=9)
        for axis, score, title in (
            (axes[4], best.change, "stage 1: change"),
            (axes[5], best.score, "stage 2: novelty"),
        ):
            axis.imshow(score, cmap="magma", vmin=0)
            axis.set_title(title, fontsize=9)
        axes[3].imshow(truth, cmap=ListedColormap([ink.PAPER, ink.FAINT]))
        axes[3].set_title("label", fontsize=9)
        for axis, answer, title in (
            (axes[6], rule, "published rule"),
            (axes[7], best, "calibrated"),
        ):
            marks = np.select(
                [truth & answer.marked, answer.marked, truth], [1, 2, 3], 0
            )
            colours = ListedColormap([ink.PAPER, _RIGHT, _WRONG, _MISSED])
            axis.imshow(marks, cmap=colours, vmin=0, vmax=3, interpolation="nearest")
            axis.set_title(title, fontsize=9)
        for axis in axes:
            axis.set(xticks=[], yticks=[])
        figure.supxlabel(
            "green: rightly marked, orange: wrongly, blue: missed", fontsize=8
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        drawn = io.BytesIO()
        figure.savefig(drawn, dpi=90, facecolor=ink.PAPER)
        # Few colours: a quarter of the bytes, and nothing to see of it.
        picture = Image.open(drawn).convert("RGB").quantize(128)
        picture.save(path, optimize=True)
