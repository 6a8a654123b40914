"""What an exported file says about itself: its `geo` and `emb` footers (pure).

`geo` follows GeoParquet 1.1.0. `emb` carries the keys of Earth Index's published files and
the names of the STAC embedding extension v0.0.1, both, since readers know one or the other.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from importlib.metadata import version
from typing import Any

import pyproj

EXTENSION = "https://stac-extensions.github.io/embeddings/v0.0.1/schema.json"

_QUANTIZATION = {
    "method": "cast",
    "original_dtype": "float32",
    "quantized_dtype": "float16",
    "scale": [1.0],
    "offset": [0.0],
}

TERRADRIFT = "terradrift"
"""Footer key that tells import the table's schema and model, as JSON."""

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Contents:
    """What an exported table holds, as far as its footers and STAC say it."""

    kind: str
    """embeddings, changes or events."""
    model: Mapping[str, str]
    """Schema metadata of the embeddings: model, revision, licence, source and more."""
    dimensions: int
    dtype: str
    """float16 or float32, of the vectors in the file."""
    patch_size: int
    """Metres."""
    patch_px: int | None
    grid_crs: str
    bands: tuple[str, ...]
    bbox: Box | None
    """West, south, east, north in degrees; None where there are no rows."""
    start: datetime | None
    end: datetime | None
    collections: tuple[str, ...] = ()
    sources: tuple[str, ...] = field(default=())
    """Links to the source data."""


def geo(contents: Contents, geometry_types: list[str]) -> dict[str, Any]:
    """The GeoParquet 1.1.0 footer for a WKB column with a bbox covering column."""
    column: dict[str, Any] = {
        "encoding": "WKB",
        "geometry_types": geometry_types,
        "crs": pyproj.CRS.from_user_input("OGC:CRS84").to_json_dict(),
        "edges": "planar",
        "covering": {
            "bbox": {side: ["bbox", side] for side in ("xmin", "ymin", "xmax", "ymax")}
        },
    }
    if contents.bbox is not None:
        column["bbox"] = list(contents.bbox)
    return {
        "version": "1.1.0",
        "primary_column": "geometry",
        "columns": {"geometry": column},
    }


def emb(contents: Contents) -> dict[str, Any]:
    """The `emb` footer: what made the vectors, and how they lie on the ground."""
    model = contents.model
    return {
        "version": "0.0.1",
        "model": {
            "id": f"{model.get('model', '')}@{model.get('revision', '')}",
            "name": model.get("model", ""),
            "version": model.get("revision", ""),
            "family": model.get("model", "").partition("-")[0],
            "description": model.get("preprocessing", ""),
            "config": dict(model),
            "source": model.get("source", ""),
        },
        "providers": [],
        "license": model.get("licence", ""),
        "datetime": None,
        "start_datetime": iso(contents.start),
        "end_datetime": iso(contents.end),
        "datasets": list(contents.collections),
        "embedding": {
            "dim": contents.dimensions,
            "quantization": quantization(contents),
        },
        # Of changes no row is of one item: they lie between two.
        **(
            {"stac_item_id_column": "stac_item_id"}
            if contents.kind == "embeddings"
            else {}
        ),
        "stac_extensions": [EXTENSION],
        **collection_fields(contents),
        "emb:quantization": quantization(contents),
        "emb:preprocessing": preprocessing(contents),
        "processing:software": {"terradrift": version("terradrift")},
    }


def collection_fields(contents: Contents) -> dict[str, Any]:
    """What the STAC embedding extension asks of a collection."""
    px = contents.patch_px
    layout: dict[str, Any] = {
        "layout_type": "regular_grid",
        "grid_id": f"terradrift {contents.grid_crs} {contents.patch_size} m",
    }
    if px is not None:
        layout |= {"chip_size": [px, px], "stride": [px, px]}
    return {
        "emb:type": "chip",
        "emb:dimensions": contents.dimensions,
        "data_type": contents.dtype,
        "gsd": contents.patch_size,
        "emb:chip_layout": layout,
        "emb:temporal_resolution": "single_acquisition",
        "emb:fit_for_use": ["change_detection", "retrieval"],
    }


def quantization(contents: Contents) -> dict[str, Any]:
    """How stored vectors were made of the model's, by the extension's names.

    Those that leave as float32 were float16 in the archive, and are widened exactly.
    """
    if contents.dtype == "float32":
        return {"method": "cast to float16 and back", "original_dtype": "float32"}
    return dict(_QUANTIZATION)


def preprocessing(contents: Contents) -> dict[str, str]:
    """What was done to reflectance before the model, as a Processing expression."""
    words = contents.model.get("preprocessing", "")
    return {"format": "text", "expression": words}


def iso(instant: datetime | None) -> str | None:
    """An instant as STAC writes it."""
    return None if instant is None else instant.isoformat().replace("+00:00", "Z")
