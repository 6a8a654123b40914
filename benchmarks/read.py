"""Reading a COG stack: this reader beside plain rasterio and odc-stac, in one run.

Writes `dates` x `bands` single-band uint16 COGs (deflate, predictor 2, 512 blocks) with a
20 m class mask each, or with --multiband one file of all bands per date, and reads them

* ours:   plan + read: tiles of reflectance, masked, NaN where not clear
* whole:  rasterio, the very windows of ours (strips), files kept open, as many threads
* tiles:  rasterio, one window per tile, files kept open, as many threads
* naive:  rasterio, file opened for every window of a tile (some windows, extrapolated)
* odc:    odc-stac with a pool of as many threads

MB are decoded bytes of the bands. Runs are repeated in turn; medians are printed.

    python benchmarks/read.py --size 4096 --dates 3 --threads 2 --patch-size 160
"""

import argparse
import json
import statistics
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import rasterio
from rasterio.transform import Affine
from rasterio.windows import Window

from terradrift import schema
from terradrift.grid import TILE_PATCHES, Grid
from terradrift.ingest.plan import Plan, patches, plan
from terradrift.ingest.read import read
from terradrift.ingest.strip import side_by_side

EPSG, LEFT, TOP, GSD = 32633, 499_980.0, 5_000_040.0, 10.0
START = datetime(2024, 1, 1, 10, tzinfo=UTC)


def write(root: Path, size: int, dates: int, bands: int, *, multiband: bool) -> None:
    """Smooth fields with noise, compressing about as Sentinel-2 does (1.5 times)."""
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:size, :size].astype("f4")
    smooth = 600 + 250 * (np.sin(x / 170) + np.cos(y / 230) + 2)
    noise = rng.standard_normal((size, size), dtype="f4")
    kept = {
        "driver": "GTiff",
        "crs": f"EPSG:{EPSG}",
        "tiled": True,
        "compress": "deflate",
    }
    fine = kept | {
        "height": size,
        "width": size,
        "dtype": "uint16",
        "blockxsize": 512,
        "blockysize": 512,
        "predictor": 2,
        "nodata": 0,
        "transform": Affine(GSD, 0, LEFT, 0, -GSD, TOP),
    }
    for date in range(dates):
        planes = [
            (
                smooth
                + (25 + 4 * b) * np.roll(noise, (date * 37 + b * 11, b * 5), (0, 1))
            )
            .clip(1, 10000)
            .astype("u2")
            for b in range(bands)
        ]
        if multiband:
            with rasterio.open(
                root / f"d{date}.tif", "w", count=bands, interleave="pixel", **fine
            ) as file:
                file.write(np.stack(planes))
        else:
            for b, plane in enumerate(planes):
                with rasterio.open(
                    root / f"d{date}_b{b}.tif", "w", count=1, **fine
                ) as file:
                    file.write(plane, 1)
        half = size // 2
        scl = np.where(rng.random((half, half)) < 0.1, 9, 4).astype("u1")
        coarse = kept | {"height": half, "width": half, "dtype": "uint8", "count": 1}
        coarse |= {"transform": Affine(2 * GSD, 0, LEFT, 0, -2 * GSD, TOP)}
        with rasterio.open(root / f"d{date}_scl.tif", "w", **coarse) as file:
            file.write(scl, 1)


def table(
    root: Path, size: int, dates: int, bands: int, *, multiband: bool
) -> pa.Table:
    """The scenes as `schema.scenes()`."""
    rows = []
    for date in range(dates):
        assets = [
            {
                "band": f"b{b}",
                "href": str(
                    root / (f"d{date}.tif" if multiband else f"d{date}_b{b}.tif")
                ),
                "index": b + 1 if multiband else 1,
                "scale": 1e-4,
                "offset": -0.1,
                "nodata": 0.0,
            }
            for b in range(bands)
        ]
        assets.append(
            {"band": "mask:scl", "href": str(root / f"d{date}_scl.tif"), "index": 1}
        )
        item = {
            "properties": {
                "proj:shape": [size, size],
                "proj:transform": [GSD, 0, LEFT, 0, -GSD, TOP],
            }
        }
        rows.append(
            {
                "scene_id": f"scene{date}",
                "datetime": START + timedelta(days=date),
                "crs": f"EPSG:{EPSG}",
                "gsd": GSD,
                "assets": assets,
                "stac_item": json.dumps(item),
            }
        )
    return pa.Table.from_pylist(
        [dict.fromkeys(schema.scenes().names) | row for row in rows], schema.scenes()
    )


class Kept:
    """Files of this thread, kept open."""

    def __init__(self) -> None:
        self._mine = threading.local()

    def open(self, path: str) -> Any:
        files = self._mine.__dict__.setdefault("files", {})
        if path not in files:
            files[path] = rasterio.open(path, sharing=False)
        return files[path]


Job = tuple[str, list[int], Window]


def jobs(work: Plan, grid: Grid, size: int, *, whole: bool) -> list[Job]:
    """(file, band numbers, window) of every read, in the plan's order."""
    found = []
    px = grid.patch_px
    for strip in side_by_side(work, grid):
        for units in [strip] if whole else [[unit] for unit in strip]:
            rows = np.concatenate([unit.ground.rows for unit in units])
            cols = np.concatenate([unit.ground.cols for unit in units])
            top = max(0, round(TOP / GSD) - (int(rows.max()) + 1) * px)
            bottom = min(size, round(TOP / GSD) - int(rows.min()) * px)
            left = max(0, int(cols.min()) * px - round(LEFT / GSD))
            right = min(size, (int(cols.max()) + 1) * px - round(LEFT / GSD))
            window = Window(left, top, right - left, bottom - top)
            scene = work.acquisitions[strip[0].scene_ids[0]]
            by_file: dict[str, list[int]] = {}
            for asset in scene.bands:
                by_file.setdefault(asset.href, []).append(asset.index)
            found += [(href, indexes, window) for href, indexes in by_file.items()]
    return found


def plain(todo: list[Job], threads: int) -> int:
    kept = Kept()

    def one(job: Job) -> int:
        href, indexes, window = job
        return int(kept.open(href).read(indexes, window=window).nbytes)

    with rasterio.Env(GDAL_CACHEMAX=512 << 20), ThreadPoolExecutor(threads) as pool:
        return sum(pool.map(one, todo))


def naive(todo: list[Job], threads: int) -> int:
    def one(job: Job) -> int:
        href, indexes, window = job
        with rasterio.open(href) as file:
            return int(file.read(indexes, window=window).nbytes)

    with ThreadPoolExecutor(threads) as pool:
        return sum(pool.map(one, todo))


def ours(work: Plan, grid: Grid, threads: int, decoded: int) -> int:
    """`decoded`: bytes of the bands; images are somewhat larger, for patches are whole."""

    def bad(scene_id: str, reason: str) -> None:
        raise RuntimeError(scene_id + reason)

    images = read(work, grid, threads=threads, skip_bad=False, on_bad=bad)
    if sum(image.pixels.nbytes for image in images) < 2 * decoded:
        raise RuntimeError("not all pixels were read")
    return decoded


def odc(scenes: pa.Table, size: int, bands: int, threads: int) -> int:
    import odc.stac
    import pystac
    from odc.geo.geobox import GeoBox

    total = 0
    box = GeoBox((size, size), Affine(GSD, 0, LEFT, 0, -GSD, TOP), f"EPSG:{EPSG}")
    for row in scenes.to_pylist():
        item = pystac.Item(
            row["scene_id"],
            {
                "type": "Polygon",
                "coordinates": [[[15, 44], [16, 44], [16, 46], [15, 46], [15, 44]]],
            },
            [15, 44, 16, 46],
            row["datetime"],
            {"proj:epsg": EPSG} | json.loads(row["stac_item"])["properties"],
            stac_extensions=[
                "https://stac-extensions.github.io/projection/v1.1.0/schema.json"
            ],
        )
        for asset in row["assets"][:bands]:
            item.add_asset(asset["band"], pystac.Asset(asset["href"], roles=["data"]))
        names = [f"b{b}" for b in range(bands)]
        loaded = odc.stac.load(
            [item], bands=names, geobox=box, dtype="uint16", pool=threads
        )
        total += sum(loaded[name].nbytes for name in names)
    return total


def timed(call: Callable[[], int]) -> tuple[float, float]:
    """MB/s of wall time and of processor time."""
    cpu, wall = time.process_time(), time.perf_counter()
    mb = call() / 1e6
    return mb / (time.perf_counter() - wall), mb / (time.process_time() - cpu)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=4096)
    parser.add_argument("--dates", type=int, default=3)
    parser.add_argument("--bands", type=int, default=10)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--patch-size", type=int, default=160)
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--multiband", action="store_true")
    args = parser.parse_args()
    grid = Grid(args.patch_size, GSD)
    shape = (args.size, args.dates, args.bands)
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        write(root, *shape, multiband=args.multiband)
        scenes = table(root, *shape, multiband=args.multiband)
        names = tuple(f"b{b}" for b in range(args.bands))
        work = plan(scenes, patches(scenes, grid, None), grid, names, ())
        strips = jobs(work, grid, args.size, whole=True)
        tiles = jobs(work, grid, args.size, whole=False)
        decoded = args.size**2 * args.dates * args.bands * 2
        few = tiles[:: max(1, len(tiles) // 60)]
        calls: dict[str, Callable[[], int]] = {
            "ours": lambda: ours(work, grid, args.threads, decoded),
            "whole": lambda: plain(strips, args.threads),
            "tiles": lambda: plain(tiles, args.threads),
            "naive": lambda: naive(few, args.threads),
        }
        if not args.multiband:
            calls["odc"] = lambda: odc(scenes, args.size, args.bands, args.threads)
        runs: dict[str, list[tuple[float, float]]] = {name: [] for name in calls}
        for _ in range(args.repeat):
            for name, call in calls.items():
                runs[name].append(timed(call))
    rates = {
        name: [statistics.median(run[i] for run in got) for i in (0, 1)]
        for name, got in runs.items()
    }
    about = vars(args) | {
        "tile_px": grid.patch_px * TILE_PATCHES,
        "units": len(work.units),
    }
    print(json.dumps(about))
    for name, (wall, cpu) in rates.items():
        own_wall, own_cpu = rates["ours"]
        print(
            f"{name:6} {wall:7.0f} MB/s {cpu:7.0f} MB/cpu-s   "
            f"ours is {own_wall / wall:5.2f} x (wall) {own_cpu / cpu:5.2f} x (cpu)"
        )


if __name__ == "__main__":
    main()
