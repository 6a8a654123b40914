"""Small GeoTIFFs with known pixels, and the scenes table of them."""

import json
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import rasterio
from numpy.typing import NDArray
from pyproj import Transformer
from rasterio.transform import Affine

from terradrift import schema
from terradrift.chip import TileImage
from terradrift.grid import Grid
from terradrift.ingest.plan import Plan, patches, plan
from terradrift.ingest.read import read

UTM = "EPSG:32631"
CORNER = (500_040.0, 5_000_020.0)
DAY = datetime(2020, 6, 1, 10, 30, tzinfo=UTC)


def write(
    path: Path, pixels: NDArray[Any], crs: str, transform: Affine, **profile: Any
) -> Path:
    """Write (band, y, x) pixels."""
    count, height, width = pixels.shape
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        count=count,
        height=height,
        width=width,
        dtype=pixels.dtype,
        crs=crs,
        transform=transform,
        **profile,
    ) as file:
        file.write(pixels)
    return path


def asset(band: str, path: Path, index: int = 1, **fields: Any) -> dict[str, Any]:
    names = ("band", "href", "index", "scale", "offset", "nodata", "wavelength")
    return dict.fromkeys(names) | {
        "band": band,
        "href": str(path),
        "index": index,
        **fields,
    }


def scene(  # noqa: PLR0917 - a builder of test rows
    scene_id: str,
    assets: Sequence[dict[str, Any]],
    crs: str,
    transform: Affine,
    size: tuple[int, int],
    when: datetime = DAY,
    **fields: Any,
) -> dict[str, Any]:
    """A row of `schema.scenes()`; `size` is height and width."""
    item = {
        "properties": {"proj:transform": list(transform)[:6], "proj:shape": list(size)}
    }
    return dict.fromkeys(schema.scenes().names) | {
        "scene_id": scene_id,
        "datetime": when,
        "crs": crs,
        "gsd": 10.0,
        "assets": list(assets),
        "stac_item": json.dumps(item),
        **fields,
    }


def written(  # noqa: PLR0917 - a builder of test rows
    folder: Path,
    scene_id: str,
    pixels: NDArray[Any],
    crs: str,
    transform: Affine,
    when: datetime = DAY,
    *,
    scl: NDArray[Any] | None = None,
    scl_times: int = 1,
    **fields: Any,
) -> dict[str, Any]:
    """A scene of one file with bands b0, b1, ... and perhaps a mask of coarser pixels."""
    path = write(folder / f"{scene_id}.tif", pixels, crs, transform)
    assets = [asset(f"b{n}", path, n + 1, **fields) for n in range(len(pixels))]
    if scl is not None:
        a, b, c, d, e, f = transform[:6]
        k = scl_times
        coarse = Affine(a * k, b * k, c, d * k, e * k, f)
        mask = write(folder / f"{scene_id}_scl.tif", scl[None], crs, coarse)
        assets.append(asset("mask:scl", mask))
    return scene(scene_id, assets, crs, transform, pixels.shape[1:], when)


def table(rows: Iterable[dict[str, Any]]) -> pa.Table:
    return pa.Table.from_pylist(list(rows), schema.scenes())


def planned(
    rows: Sequence[dict[str, Any]],
    grid: Grid,
    bands: tuple[str, ...] = ("b0",),
    done: Iterable[tuple[str, str]] = (),
) -> Plan:
    scenes = table(rows)
    return plan(scenes, patches(scenes, grid, None), grid, bands, frozenset(done))


def images(
    work: Plan, grid: Grid, *, threads: int = 2, halo_px: int = 0
) -> list[TileImage]:
    """All images; a bad scene is an error."""

    def bad(scene_id: str, reason: str) -> None:
        raise AssertionError((scene_id, reason))

    return list(
        read(work, grid, halo_px=halo_px, threads=threads, skip_bad=False, on_bad=bad)
    )


def coordinates(
    crs: str, transform: Affine, size: tuple[int, int], seen_in: str
) -> NDArray[np.float64]:
    """(2, y, x): x and y in `seen_in` of the middle of every pixel."""
    rows, cols = np.mgrid[: size[0], : size[1]] + 0.5
    a, b, c, d, e, f = transform[:6]
    x, y = a * cols + b * rows + c, d * cols + e * rows + f
    return np.stack(Transformer.from_crs(crs, seen_in, always_xy=True).transform(x, y))


def expected_coordinates(image: TileImage) -> NDArray[np.float64]:
    """(2, y, x): x and y of the middle of every pixel of an image, from its patch ids."""
    epsg_size, col, row = image.patch_ids[0].rsplit("_", 2)
    metres = int(epsg_size.split("_")[1][:-1])
    left = (int(col) - int(image.cols[0])) * metres - image.halo_px * image.gsd
    top = (int(row) + int(image.rows[0]) + 1) * metres + image.halo_px * image.gsd
    height, width = image.pixels.shape[1:]
    rows, cols = np.mgrid[:height, :width] + 0.5
    return np.stack([left + cols * image.gsd, top - rows * image.gsd])


def place(gsd: float = 10.0, corner: tuple[float, float] = CORNER) -> Affine:
    return Affine(gsd, 0, corner[0], 0, -gsd, corner[1])


def noise(height: int, width: int, bands: int = 1, seed: int = 0) -> np.ndarray:
    rng = np.random.default_rng(seed)
    return rng.integers(1, 9999, (bands, height, width)).astype(np.uint16)


def series(folder: Path, days: int = 4, size: int = 150) -> list[dict[str, object]]:
    return [
        written(
            folder,
            f"s{n}",
            noise(size, size, seed=n),
            UTM,
            place(),
            DAY + timedelta(days=n),
        )
        for n in range(days)
    ]


def stream(
    work: Plan, grid: Grid, threads: int = 2
) -> tuple[list[TileImage], list[tuple[str, str]]]:
    told: list[tuple[str, str]] = []
    found = read(
        work,
        grid,
        threads=threads,
        skip_bad=True,
        on_bad=lambda scene_id, reason: told.append((scene_id, reason)),
    )
    return list(found), told


def same(one: TileImage, other: TileImage) -> None:
    assert (one.tile, one.scene_ids, one.bands) == (
        other.tile,
        other.scene_ids,
        other.bands,
    )
    for name in ("pixels", "rows", "cols", "patch_ids", "times", "clear_percent"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
