"""The pictures of docs/inpainting.md, docs/pixel-methods.md and docs/segments.md.

    python benchmarks/_pixel_pictures.py docs/images [--steps 250]

Simulated scenes only, so that no imagery is kept with the project: 192 px, 44 dates, seed 5; a
landslide in a meadow on 3 June 2020, judged on the first day after it that is mostly clear. The
network is taught days before June 2020. The pages' pictures took --steps 150.
"""

import argparse
import io
import tempfile
from pathlib import Path

import geopandas as gpd
import numpy as np
import rasterio
from matplotlib.axes import Axes
from matplotlib.colors import LogNorm
from matplotlib.figure import Figure
from PIL import Image
from rasterio.merge import merge

import terradrift as td
from terradrift.archive.pixels.stacks import stacks
from terradrift.ingest.simulate import simulate
from terradrift.report import ink

KIND, ONSET, TAUGHT = "landslide", "2020-06-03", "2020-06-01"
PIXELS = ("temporal-median", "rx", "rx-difference", "rx-temporal")
COLOURS = ("red", "green", "blue")


class Scene:
    """One archive, the day that is judged, and maps of it."""

    def __init__(self, work: Path, steps: int) -> None:
        catalogue = simulate(work / "scenes", size_px=192, dates=44, seed=5)
        self.work = work
        self.archive = td.create(work / "a.td", td.Grid(40))
        self.archive.ingest(catalogue)
        self.archive.embed("mosaiks", quiet=True)
        self.archive.train("inpaint", until=TAUGHT, steps=steps, threads=1, quiet=True)
        truth = gpd.read_file(work / "scenes" / "truth.geojson")
        self.windows = list(stacks(self.archive.store, threads=2))
        crs = f"EPSG:{self.windows[0].epsg}"
        here = (truth.kind == KIND) & (truth.onset.astype(str).str[:10] == ONSET)
        self.outline = truth[here].to_crs(crs).geometry.iloc[0]
        shares: dict[np.datetime64, float] = {}
        for window in self.windows:
            for day, pixels in zip(window.days, window.pixels, strict=True):
                seen = float(np.isfinite(pixels).mean()) / len(self.windows)
                shares[day] = shares.get(day, 0.0) + seen
        onset = np.datetime64(ONSET)
        self.day = min(d for d, share in shares.items() if d > onset and share > 0.8)
        self.before = max(d for d, share in shares.items() if d < onset and share > 0.9)

    def maps(self, method: str) -> tuple[np.ndarray, tuple[str, ...]]:
        folder = self.work / method
        day = str(self.day)
        self.archive.detect(
            method=method, since=day, until=day, maps=folder, threads=1, quiet=True
        )
        files = sorted(folder.glob("*.tif"))
        values, self.place = merge(files, nodata=np.nan)
        with rasterio.open(files[0]) as one:
            return values, one.descriptions

    def shown(self, day: np.datetime64) -> np.ndarray:
        height = width = 0
        west = min(w.corner[0] for w in self.windows)
        north = max(w.corner[1] for w in self.windows)
        parts = []
        for w in self.windows:
            y, x = (
                round((north - w.corner[1]) / w.gsd),
                round((w.corner[0] - west) / w.gsd),
            )
            t = int(np.flatnonzero(w.days == day)[0])
            rgb = w.pixels[t][[w.bands.index(each) for each in COLOURS]]
            parts.append((y, x, rgb))
            height, width = max(height, y + rgb.shape[1]), max(width, x + rgb.shape[2])
        out = np.full((3, height, width), np.nan, np.float32)
        for y, x, rgb in parts:
            out[:, y : y + rgb.shape[1], x : x + rgb.shape[2]] = rgb
        return out

    def draw(self, axes: Axes, values: np.ndarray, title: str, **how: object) -> object:
        if values.ndim == 3:
            values = np.nan_to_num(
                np.clip(values.transpose(1, 2, 0) / 0.2, 0, 1), nan=1
            )
        image = axes.imshow(values, interpolation="nearest", **how)
        columns, rows = ~self.place * np.array(self.outline.exterior.coords.xy)
        axes.plot(columns - 0.5, rows - 0.5, color="white", lw=1.6)
        axes.plot(columns - 0.5, rows - 0.5, color="#00a5c8", lw=0.8)
        axes.set_title(title, loc="left", fontsize=8)
        axes.set_axis_off()
        return image


def magma(score: np.ndarray) -> dict[str, object]:
    return {"cmap": "magma", "vmin": 0, "vmax": float(np.nanquantile(score, 0.998))}


def save(figure: Figure, path: Path) -> None:
    """As a PNG of 256 colours, which is small."""
    image = Image.open(io.BytesIO(ink.png(figure))).convert("RGB")
    small = image.resize((image.width // 2, image.height // 2), Image.LANCZOS)
    small.quantize(256).save(path, optimize=True)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=250)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as work, ink.style():
        scene = Scene(Path(work), asked.steps)
        before, now = scene.shown(scene.before), scene.shown(scene.day)

        found, names = scene.maps("inpaint")
        rgb = [
            next(i for i, n in enumerate(names) if n and n.split()[-1] == c)
            for c in COLOURS
        ]
        figure = Figure(figsize=(10, 2.9), layout="constrained")
        axes = figure.subplots(1, 4)
        scene.draw(axes[0], before, f"before, {scene.before}")
        scene.draw(axes[1], found[rgb], f"expected on {scene.day}")
        scene.draw(axes[2], now, f"observed on {scene.day}")
        image = scene.draw(axes[3], found[0], "anomaly score", **magma(found[0]))
        figure.colorbar(image, ax=axes[3], shrink=0.8)
        save(figure, asked.out / "inpaint.png")

        figure = Figure(figsize=(7.2, 5.0), layout="constrained")
        axes = figure.subplots(2, 3).ravel()
        scene.draw(axes[0], before, f"before, {scene.before}")
        scene.draw(axes[1], now, f"judged, {scene.day}")
        for axis, method in zip(axes[2:], PIXELS, strict=True):
            score = scene.maps(method)[0][0]
            scene.draw(axis, score, method, **magma(score))
        save(figure, asked.out / "pixel-methods.png")

        found, names = scene.maps("segments")
        figure = Figure(figsize=(10, 2.9), layout="constrained")
        axes = figure.subplots(1, 4)
        scene.draw(axes[0], before, f"before, {scene.before}")
        scene.draw(axes[1], now, f"judged, {scene.day}")
        novelty, p = found[names.index("novelty")], found[names.index("p_value")]
        image = scene.draw(axes[2], novelty, "regions by novelty", **magma(novelty))
        figure.colorbar(image, ax=axes[2], shrink=0.8)
        image = scene.draw(
            axes[3], p, "by p-value", cmap="magma", norm=LogNorm(0.005, 1)
        )
        figure.colorbar(image, ax=axes[3], shrink=0.8)
        save(figure, asked.out / "segments.png")
        print(scene.before, scene.day)


if __name__ == "__main__":
    main()
