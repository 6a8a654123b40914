"""Good files of each kind, small; tests break them."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyproj
import rasterio
import rasterio.shutil
import shapely
from pyarrow import parquet
from rasterio.transform import Affine

EXTENSION = "https://stac-extensions.github.io/embeddings/v0.0.1/schema.json"
UUID = "61c12cc5-0e28-4056-999a-480cf3fb7e4c"
DIMENSIONS = 4
ROWS = 6


def squares() -> list[Any]:
    """Squares in Flanders, counterclockwise."""
    return [shapely.box(3 + i / 10, 51, 3.05 + i / 10, 51.05) for i in range(ROWS)]


def table(shapes: list[Any] | None = None, *, double: bool = True) -> pa.Table:
    """Rows of an exported table of embeddings."""
    shapes = squares() if shapes is None else shapes
    kind = pa.float64() if double else pa.float32()
    boxes = [
        None
        if one is None
        else dict(zip(("xmin", "ymin", "xmax", "ymax"), one.bounds, strict=True))
        for one in shapes
    ]
    sides = [pa.field(side, kind) for side in ("xmin", "ymin", "xmax", "ymax")]
    vectors = np.arange(len(shapes) * DIMENSIONS, dtype=np.float32)
    return pa.table(
        {
            "stac_item_id": pa.array([f"scene-{i % 2}" for i in range(len(shapes))]),
            "datetime": pa.array(
                [np.datetime64("2020-01-01", "us") + i for i in range(len(shapes))]
            ),
            "embedding": pa.FixedSizeListArray.from_arrays(vectors, DIMENSIONS),
            "bbox": pa.array(boxes, pa.struct(sides)),
            "geometry": pa.array(
                [one and shapely.to_wkb(one, flavor="iso") for one in shapes],
                pa.binary(),
            ),
        }
    )


def geo() -> dict[str, Any]:
    """Its footer `geo`."""
    sides = ("xmin", "ymin", "xmax", "ymax")
    column = {
        "encoding": "WKB",
        "geometry_types": ["Polygon"],
        "crs": pyproj.CRS("OGC:CRS84").to_json_dict(),
        "edges": "planar",
        "orientation": "counterclockwise",
        "bbox": [3.0, 51.0, 3.55, 51.05],
        "covering": {"bbox": {side: ["bbox", side] for side in sides}},
    }
    return {
        "version": "1.1.0",
        "primary_column": "geometry",
        "columns": {"geometry": column},
    }


def emb() -> dict[str, Any]:
    """Its footer `emb`."""
    return {
        "version": "0.0.1",
        "model": {"id": "mosaiks@1", "name": "mosaiks"},
        "license": "Apache-2.0",
        "datetime": None,
        "start_datetime": "2020-01-01T00:00:00Z",
        "end_datetime": "2020-02-01T00:00:00Z",
        "embedding": {"dim": DIMENSIONS},
        "stac_item_id_column": "stac_item_id",
        "emb:type": "chip",
        "emb:dimensions": DIMENSIONS,
        "data_type": "float32",
    }


def parquet_file(
    path: Path,
    rows: pa.Table | None = None,
    footer: object = None,
    embedding: object = None,
    **options: Any,
) -> Path:
    """Write it; footers may be broken, or bytes."""
    rows = table() if rows is None else rows
    footers = {"geo": geo() if footer is None else footer}
    footers["emb"] = emb() if embedding is None else embedding
    options.setdefault("compression", "zstd")
    texts = {
        key: value if isinstance(value, bytes) else json.dumps(value)
        for key, value in footers.items()
        if value is not False
    }
    parquet.write_table(
        rows.replace_schema_metadata(texts), path, write_page_index=True, **options
    )
    return path


def collection() -> dict[str, Any]:
    """A STAC collection of embeddings."""
    return {
        "type": "Collection",
        "stac_version": "1.1.0",
        "stac_extensions": [EXTENSION],
        "id": "made",
        "description": "made",
        "license": "Apache-2.0",
        "extent": {
            "spatial": {"bbox": [[3.0, 51.0, 3.55, 51.05]]},
            "temporal": {
                "interval": [["2020-01-01T00:00:00Z", "2020-02-01T00:00:00Z"]]
            },
        },
        "item_assets": {
            "embeddings": {
                "type": "application/vnd.apache.parquet",
                "roles": ["data"],
            }
        },
        "emb:type": "chip",
        "emb:dimensions": DIMENSIONS,
        "data_type": "float32",
        "gsd": 320,
        "emb:chip_layout": {
            "layout_type": "regular_grid",
            "chip_size": [32, 32],
            "stride": [32, 32],
        },
        "links": [
            {"rel": "item", "href": "./item.json", "type": "application/geo+json"},
            {"rel": "emb:model", "href": "https://example.org/model"},
            {"rel": "emb:source-data", "href": "https://example.org/data"},
        ],
    }


def item() -> dict[str, Any]:
    """An item of that collection."""
    return {
        "type": "Feature",
        "stac_version": "1.1.0",
        "stac_extensions": [EXTENSION],
        "id": "made-1",
        "collection": "made",
        "geometry": shapely.box(3.0, 51.0, 3.55, 51.05).__geo_interface__,
        "bbox": [3.0, 51.0, 3.55, 51.05],
        "properties": {
            "datetime": None,
            "start_datetime": "2020-01-01T00:00:00Z",
            "end_datetime": "2020-02-01T00:00:00Z",
            "emb:preprocessing": {"format": "text", "expression": "as it is"},
            "emb:quantization": {
                "method": "cast",
                "original_dtype": "float32",
                "quantized_dtype": "float16",
                "scale": [1.0],
                "offset": [0.0],
            },
        },
        "assets": {
            "embeddings": {
                "href": "./made.parquet",
                "type": "application/vnd.apache.parquet",
                "roles": ["data"],
            }
        },
        "links": [
            {
                "rel": "collection",
                "href": "./collection.json",
                "type": "application/json",
            },
        ],
    }


def catalogue(folder: Path, parts: dict[str, Any] | None = None) -> Path:
    """Collection, item and file in a folder; returns the collection's path."""
    parts = {"collection": collection(), "item": item()} | (parts or {})
    folder.mkdir(exist_ok=True)
    parquet_file(folder / "made.parquet")
    for name, one in parts.items():
        (folder / f"{name}.json").write_text(json.dumps(one))
    return folder / "collection.json"


def attributes() -> dict[str, Any]:
    """Attributes of a Zarr group of chips."""
    return {
        "zarr_conventions": [{"uuid": UUID, "name": "geoemb:"}],
        "geoemb:type": "chip",
        "geoemb:dimensions": DIMENSIONS,
        "geoemb:model": "https://example.org/model",
        "geoemb:source_data": ["https://example.org/data"],
        "geoemb:data_type": "int8",
        "geoemb:gsd": 10.0,
        "geoemb:chip_layout": {"layout_type": "regular_grid", "chip_size": [32, 32]},
        "geoemb:quantization": {
            "method": "linear",
            "original_dtype": "float32",
            "quantized_dtype": "int8",
            "scale": {"type": "array", "array_name": "scales", "nodata": "+inf"},
        },
    }


def zarr_store(path: Path, held: dict[str, Any] | None = None, at: str = "") -> Path:
    """A store of chips and their scales, under group `at`."""
    import zarr

    zarr.create_group(store=path, zarr_format=3, attributes=held or attributes())
    group = zarr.open_group(str(path), mode="a")
    if at:
        group = group.create_group(
            at, attributes={"proj:code": "EPSG:32631", "spatial:shape": [2, 2]}
        )
    array = group.create_array("embeddings", shape=(2, 2, DIMENSIONS), dtype="int8")
    array[:] = 1
    scales = group.create_array("scales", shape=(2, 2), dtype="float32")
    scales[:] = 1
    return path


def cog(path: Path, size: int = 1_200, **profile: Any) -> Path:
    """A COG of noise."""
    plain = path.with_name(f"{path.stem}.plain.tif")
    strips(plain, size, **profile)
    rasterio.shutil.copy(plain, path, driver="COG", blocksize=256, compress="deflate")
    plain.unlink()
    return path


def strips(path: Path, size: int = 1_200, **profile: Any) -> Path:
    """A plain GeoTIFF of noise, in strips."""
    pixels = np.random.default_rng(0).normal(size=(size, size)).astype(np.float32)
    profile = {
        "crs": "EPSG:32631",
        "transform": Affine(10, 0, 500_000, 0, -10, 5_600_000),
        "nodata": float("nan"),
    } | profile
    with rasterio.open(
        path, "w", driver="GTiff", width=size, height=size, count=1, dtype="float32",
        **{key: value for key, value in profile.items() if value is not None},
    ) as file:  # fmt: skip
        file.write(pixels, 1)
    return path
