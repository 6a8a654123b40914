"""What the vectors are worth on real changes, before any detector is tuned to them.

    python benchmarks/embed_quality.py --shared ../shared --seeds 3

Through the package's own reading and embedding. `s2-flanders-2018-transplant` at 40 m: area
under the precision-recall curve of step rarity (the largest, over dates, of the local
outlier ratio of [median before, median after] among all patches times the size of the step)
over patches that an inserted change touches; the floor is their share.
`s2-wildfires-california` at 100 m: mean over fires of ROC-AUC of the cosine distance between
before and after, over patches of which half burned. `bands` are mean reflectances.
"""

import argparse
import os
import platform
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import shapely
from sklearn.metrics import average_precision_score, roc_auc_score

from terradrift.chip import Chips, TileImage
from terradrift.embed.mosaiks import Mosaiks
from terradrift.embed.protocol import Embedder, ModelCard
from terradrift.embed.run import embed
from terradrift.embed.sample import sample
from terradrift.embed.spectral import Spectral
from terradrift.grid import Grid
from terradrift.ingest.plan import patches, plan
from terradrift.ingest.read import read
from terradrift.ingest.scene import Filters, Options, find_scenes, to_table

NEIGHBOURS = 10


@dataclass(frozen=True)
class Site:
    """All images of a source, its patches, and the share of each that changed."""

    images: list[TileImage]
    patch_ids: np.ndarray
    geometry: np.ndarray
    changed: np.ndarray


class Bands:
    """Mean clear reflectance: the plainest embedder."""

    def __init__(self, bands: tuple[str, ...]) -> None:
        self.card = ModelCard(
            name="bands",
            revision="1",
            licence="",
            bands=bands,
            dimensions=len(bands),
            preprocessing="mean",
            source="",
            weights_sha256="",
        )

    def embed(self, chips: Chips) -> np.ndarray:
        return np.nanmean(chips.pixels, axis=(2, 3))


def load(source: Path, truth: Path, grid: Grid) -> Site:
    options = Options()
    scenes, _ = to_table(find_scenes(str(source), Filters(), options), options, "bench")
    places = patches(scenes, grid, None)
    bands = tuple(scenes["bands"][0].as_py())
    todo = plan(scenes, places, grid, bands, [])
    images = list(
        read(todo, grid, halo_px=1, threads=2, skip_bad=False, on_bad=lambda *_: None)
    )
    shapes = shapely.from_wkb(places["geometry"].to_numpy(zero_copy_only=False))
    changes = shapely.from_geojson(truth.read_text())
    overlap = shapely.area(shapely.intersection(shapes, shapely.make_valid(changes)))
    ids = places["patch_id"].to_numpy(zero_copy_only=False)
    return Site(images, ids, shapes, overlap / shapely.area(shapes))


def cube(site: Site, model: Embedder, min_clear: float) -> np.ndarray:
    """(n, t, d) vectors by day, NaN where there is none."""
    position = {patch: k for k, patch in enumerate(site.patch_ids)}
    days = np.unique([image.times[0].astype("datetime64[D]") for image in site.images])
    shape = (len(site.patch_ids), len(days), model.card.dimensions)
    vectors = np.full(shape, np.nan, np.float32)
    stream = embed(
        iter(site.images), model, run_id="bench", threads=1, min_clear=min_clear
    )
    for done in stream:
        rows = [position[patch] for patch in done.batch["patch_id"].to_pylist()]
        day = done.batch["datetime"].to_numpy(zero_copy_only=False)
        column = np.searchsorted(days, day.astype("datetime64[D]"))
        flat = done.batch["embedding"].flatten().to_numpy(zero_copy_only=False)
        vectors[rows, column] = flat.reshape(len(rows), shape[2])
    return vectors


def step_rarity(vectors: np.ndarray) -> np.ndarray:
    """(n,) the largest over splits of how rare and how large a patch's step is."""
    seen = np.isfinite(vectors[..., 0])
    vectors = vectors[:, seen.mean(axis=0) > 0.7]
    best = np.zeros(len(vectors))
    for split in range(4, vectors.shape[1] - 2):
        before = np.nanmedian(vectors[:, :split], axis=1)
        after = np.nanmedian(vectors[:, split:], axis=1)
        step = np.concatenate([before, after], axis=1)
        square = (step**2).sum(axis=1)
        distance = np.sqrt(np.maximum(square[:, None] + square - 2 * step @ step.T, 0))
        np.fill_diagonal(distance, np.inf)
        near = np.argsort(distance, axis=1)[:, :NEIGHBOURS]
        reach = np.take_along_axis(distance, near, axis=1).mean(axis=1)
        size = np.linalg.norm(after - before, axis=1)
        rare = reach / reach[near].mean(axis=1) * size / np.median(size)
        best = np.maximum(best, rare)
    return best


def transplant(site: Site, model: Embedder) -> float:
    vectors = cube(site, model, 70)
    whole = np.isfinite(vectors[..., 0]).sum(axis=1) > 20
    truth = site.changed[whole] > 0.1
    return float(average_precision_score(truth, step_rarity(vectors[whole])))


def fires(site: Site, perimeters: list[shapely.Geometry], model: Embedder) -> float:
    vectors = cube(site, model, 50)
    centre = shapely.centroid(site.geometry)
    found = []
    for fire in perimeters:
        near = shapely.dwithin(centre, fire, 0.03)
        dated = np.flatnonzero(np.isfinite(vectors[near][..., 0]).mean(axis=0) > 0.5)
        # Each window has one image before and one after the fire.
        first, last = vectors[near][:, dated[0]], vectors[near][:, dated[-1]]
        length = np.linalg.norm(first, axis=1) * np.linalg.norm(last, axis=1)
        distance = 1 - (first * last).sum(axis=1) / length
        there = np.isfinite(distance)
        truth = site.changed[near][there] >= 0.5
        found.append(roc_auc_score(truth, distance[there]))
    return float(np.mean(found))


def made(name: str, site: Site, seed: int) -> Embedder:
    bands = site.images[0].bands
    if name == "bands":
        return Bands(bands)
    if name == "spectral":
        return Spectral(bands)
    return Mosaiks.fit(sample(site.images, context_px=1), seed=seed)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        "--shared",
        type=Path,
        default=Path(os.environ.get("TERRADRIFT_SHARED", "../shared")),
    )
    parser.add_argument("--seeds", type=int, default=3)
    options = parser.parse_args()
    data = options.shared / "data"
    flanders = data / "s2-flanders-2018-transplant"
    california = data / "s2-wildfires-california"
    outlines = california / "truth" / "perimeters.geojson"
    fields = load(
        flanders / "catalog.json",
        flanders / "truth" / "changes.geojson",
        Grid(patch_size=40, gsd=10),
    )
    burns = load(california / "catalog.json", outlines, Grid(patch_size=100, gsd=20))
    collection = shapely.from_geojson(outlines.read_text())
    perimeters = [shapely.make_valid(fire) for fire in collection.geoms]
    print(f"{platform.machine()}, {os.cpu_count()} cores, {options.seeds} seeds")
    print(f"floor: step rarity AUPRC {(fields.changed > 0.1).mean():.3f}, fires 0.500")
    for name in ("bands", "spectral", "mosaiks"):
        scores = [
            (
                transplant(fields, made(name, fields, seed)),
                fires(burns, perimeters, made(name, burns, seed)),
            )
            for seed in range(options.seeds if name == "mosaiks" else 1)
        ]
        mean, spread = np.mean(scores, axis=0), np.std(scores, axis=0)
        print(
            f"{name:9} step rarity AUPRC {mean[0]:.3f} +- {spread[0]:.3f}, "
            f"fires ROC-AUC {mean[1]:.3f} +- {spread[1]:.3f}"
        )


if __name__ == "__main__":
    main()
