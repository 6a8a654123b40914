"""GeoParquet as others publish it, made from documented schemas, defects included."""

import json
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyproj
import shapely

EPSG = 32633
WEST, SOUTH = 500_000.0, 5_300_000.0
CRS84 = pyproj.CRS.from_user_input("OGC:CRS84").to_json_dict()


def shapes(
    rows: int,
    cols: int,
    side: float = 320.0,
    *,
    first: tuple[float, float] = (WEST, SOUTH),
    points: bool = False,
) -> np.ndarray:
    """Squares edge to edge in UTM, row by row northwards, in degrees."""
    row, col = (axis.ravel() for axis in np.indices((rows, cols)))
    west, south = first[0] + col * side, first[1] + row * side
    made = shapely.box(west, south, west + side, south + side)
    if points:
        made = shapely.centroid(made)
    back = pyproj.Transformer.from_crs(EPSG, 4326, always_xy=True)
    return shapely.transform(made, back.transform, interleaved=False)


def vectors(count: int, dimensions: int, seed: int = 0) -> np.ndarray:
    """(n, d) vectors whose first number is that of the row."""
    found = np.random.default_rng(seed).normal(size=(count, dimensions))
    found[:, 0] = np.arange(count)
    return found.astype(np.float32)


def geo(crs: object = CRS84) -> dict:
    """The `geo` footer; crs None: stated as unknown."""
    return {
        "version": "1.0.0",
        "primary_column": "geometry",
        "columns": {
            "geometry": {"encoding": "WKB", "geometry_types": ["Polygon"], "crs": crs}
        },
    }


def write(
    path: Path, columns: dict[str, pa.Array], footers: dict[str, object] | None = None
) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    table = pa.table(columns)
    said = {key: json.dumps(value) for key, value in (footers or {}).items()}
    pq.write_table(table.replace_schema_metadata(said), path, row_group_size=64)
    return path


def fixed(values: np.ndarray, kind: pa.DataType | None = None) -> pa.Array:
    flat = pa.array(values.ravel(), kind)
    return pa.FixedSizeListArray.from_arrays(flat, values.shape[1])


def wkb(made: np.ndarray) -> pa.Array:
    return pa.array(shapely.to_wkb(made), pa.binary())


def earth_index_2024(
    folder: Path,
    tile: str = "33UXP",
    *,
    made: np.ndarray | None = None,
    values: np.ndarray | None = None,
    footer: bool = True,
) -> Path:
    """One file per MGRS tile: id, embedding (384 floats of fixed length), geometry, `emb`."""
    made = shapes(8, 8) if made is None else made
    values = vectors(len(made), 384) if values is None else values
    emb = {
        "version": "0.0.1",
        "model": {
            "id": "softcon-vits14",
            "version": "1",
            "family": "softcon",
            "name": "SoftCon",
        },
        "providers": [{"name": "Earth Genome"}],
        "license": "CC-BY-4.0",
        "datetime": None,
        "start_datetime": "2024-01-01T00:00:00Z",
        "end_datetime": "2025-01-01T00:00:00Z",
        "embedding": {"dim": 384, "quantization": None},
    }
    columns = {
        "id": pa.array([f"{tile}-{n}" for n in range(len(made))]),
        "embedding": fixed(values),
        "geometry": wkb(made),
    }
    return write(
        folder / f"{tile}_2024-01-01_2025-01-01.parquet",
        columns,
        {"geo": geo(), **({"emb": emb} if footer else {})},
    )


def earth_index_2025(
    folder: Path,
    tile: str,
    year: int,
    *,
    made: np.ndarray | None = None,
    values: np.ndarray | None = None,
    item: bool = True,
    crs: object = "none",
) -> Path:
    """Bytes for -5 to 5; start and end stand in a STAC item and the name alone; no CRS."""
    made = shapes(8, 8, points=True) if made is None else made
    values = vectors(len(made), 384, year) if values is None else values
    numbers = np.round((np.clip(values, -5, 5) + 5) * 25.5).astype(np.uint8)
    start, end = f"{year}-01-01", f"{year + 1}-01-01"
    name = f"{tile}_{start}_{end}" if not item else f"{tile}_{year}"
    path = write(
        folder / f"{name}.parquet",
        {
            "id": pa.array([f"{tile}-{n}" for n in range(len(made))]),
            "embedding": fixed(numbers),
            "geometry": wkb(made),
        },
        {} if crs == "none" else {"geo": geo(crs)},
    )
    if item:
        told = {
            "type": "Feature",
            "properties": {
                "datetime": None,
                "start_datetime": f"{start}T00:00:00Z",
                "end_datetime": f"{end}T00:00:00Z",
            },
            "assets": {"embeddings": {"href": path.name}},
        }
        path.with_suffix(".json").write_text(json.dumps(told))
    return path


def clay_v0(
    folder: Path,
    tile: str = "33UXP",
    days: Sequence[str] = ("2021-05-16",),
    *,
    first: tuple[float, float] = (WEST, SOUTH),
    doubles: bool = False,
) -> Path:
    """index, source_url, date, embeddings (plural, a list of 768), geometry."""
    made = np.concatenate([shapes(4, 4, 5120.0, first=first)] * len(days))
    date = np.repeat(np.array(days, "datetime64[D]"), 16)
    kind = pa.list_(pa.float64() if doubles else pa.float32())
    values = [one.tolist() for one in vectors(len(made), 768)]
    return write(
        folder / f"{tile}_20180516_20231021_v001.gpq",
        {
            "index": pa.array(np.arange(len(made))),
            "source_url": pa.array(
                [f"s3://clay/{tile}/{n}.tif" for n in range(len(made))]
            ),
            "date": pa.array(date, pa.date32()),
            "embeddings": pa.array(values, kind),
            "geometry": wkb(made),
        },
        {"geo": geo()},
    )


def lgnd(
    folder: Path,
    item: str = "S2B_33UXP_20240612_0_L2A",
    day: str = "2024-06-12T10:05:00",
    *,
    collection: str = "sentinel-2-l2a",
    dimensions: int = 1024,
) -> Path:
    """Scene product by gzd, year and month: chips_id, ..., datetime, embedding, bbox."""
    made = shapes(6, 6, 1280.0)
    count = len(made)
    box = shapely.bounds(made)
    inside = (
        folder / "product=scene" / "gzd=33U" / f"year={day[:4]}" / f"month={day[5:7]}"
    )
    return write(
        inside / f"{item}.parquet",
        {
            "chips_id": pa.array([f"{item}-{n}" for n in range(count)]),
            "cell_id": pa.array([f"cell-{n}" for n in range(count)]),
            "rasters_id": pa.array([item] * count),
            "stac_item_id": pa.array([item] * count),
            "collection": pa.array([collection] * count),
            "datetime": pa.array([np.datetime64(day, "us")] * count),
            "embedding": pa.array(
                [one.tolist() for one in vectors(count, dimensions)],
                pa.list_(pa.float32()),
            ),
            "bbox": pa.StructArray.from_arrays(
                [pa.array(side) for side in box.T], ["xmin", "ymin", "xmax", "ymax"]
            ),
            "geometry": wkb(made),
        },
        {"geo": geo()},
    )
