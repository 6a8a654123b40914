"""STAC items and collections of exported files (pure).

Follows the Embedding extension v0.0.1, whose schema asks for STAC 1.0.0.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from typing import Any

import pyarrow as pa
import shapely

from terradrift.grid import Grid
from terradrift.store import footer
from terradrift.store.footer import EXTENSION, Contents
from terradrift.store.out import links
from terradrift.store.out.sources import Embedded, Scene

STAC = "1.0.0"
_BASE = "https://stac-extensions.github.io"
PROCESSING = f"{_BASE}/processing/v1.2.0/schema.json"
PROJECTION = f"{_BASE}/projection/v2.0.0/schema.json"
FILE = f"{_BASE}/file/v2.1.0/schema.json"
TABLE = f"{_BASE}/table/v1.2.0/schema.json"
SCIENTIFIC = f"{_BASE}/scientific/v1.0.0/schema.json"
ITEM_ASSETS = f"{_BASE}/item-assets/v1.0.0/schema.json"

PARQUET = "application/vnd.apache.parquet"
_JSON, _GEOJSON = "application/json", "application/geo+json"
_SHA256 = "1220"
"""First bytes of a multihash: SHA-256 of 32 bytes."""
_NEVER = datetime.min.replace(tzinfo=UTC)
_LICENCE = re.compile(r"[\w\-.+]+")


@dataclass(frozen=True, slots=True, kw_only=True)
class Made:
    """One exported file, and what its rows came from."""

    name: str
    """Id of its item."""
    collection: str
    href: str
    """The file, relative to the item."""
    collection_href: str
    contents: Contents
    columns: pa.Schema
    rows: int
    scenes: Sequence[Scene]
    runs: Sequence[Embedded]
    created: datetime
    tile: str
    """The one tile that its rows are of."""
    grid: Grid
    size: int | None = None
    """Bytes; None while it is being written."""
    sha256: str | None = None


def item(made: Made) -> dict[str, Any]:
    """The STAC item whose first asset, `embeddings`, is the file.

    Raises:
        ValueError: the file has no rows, so neither place nor time.
    """
    contents = made.contents
    if contents.bbox is None or contents.start is None:
        raise ValueError(
            f"a STAC item needs a place and a time; {made.href} has no rows"
        )
    return {
        "type": "Feature",
        "stac_version": STAC,
        "stac_extensions": [
            EXTENSION,
            PROCESSING,
            TABLE,
            *([FILE] if made.size is not None else []),
            PROJECTION,
        ],
        "id": made.name,
        "collection": made.collection,
        "geometry": shapely.box(*contents.bbox).__geo_interface__,
        "bbox": list(contents.bbox),
        "properties": {
            "datetime": None,
            "start_datetime": footer.iso(contents.start),
            "end_datetime": footer.iso(contents.end),
            "created": footer.iso(made.created),
            **_processing(made),
            **_projection(made),
            "emb:preprocessing": footer.preprocessing(contents),
            "emb:quantization": footer.quantization(contents),
        },
        "assets": {"embeddings": _asset(made)},
        "links": [
            *(
                {"rel": rel, "href": made.collection_href, "type": _JSON}
                for rel in ("root", "parent", "collection")
            ),
            {"rel": "emb:model", "href": links.model(contents.model)},
            *(
                {"rel": "emb:source-data", "href": scene.href, "type": _GEOJSON}
                for scene in made.scenes
            ),
        ],
    }


def collection(
    name: str,
    contents: Contents,
    items: Sequence[Mapping[str, str]],
    columns: pa.Schema,
) -> dict[str, Any]:
    """The collection of all items; `items` are their `href` and `title`.

    `contents` are those of all files together.
    """
    bbox = list(contents.bbox or (-180.0, -90.0, 180.0, 90.0))
    fields = footer.collection_fields(contents)
    publications = [
        {"doi": doi, "citation": contents.model.get("source", "")}
        for doi in [links.doi(contents.model)]
        if doi
    ]
    return {
        "type": "Collection",
        "stac_version": STAC,
        "stac_extensions": [
            EXTENSION,
            ITEM_ASSETS,
            *([SCIENTIFIC] if publications else []),
        ],
        "id": name,
        "title": f"{contents.kind} by {contents.model.get('model', '')}",
        "description": f"{contents.kind} by {contents.model.get('model', '')}, "
        f"one per {contents.patch_size} m patch and date",
        "license": _licence(contents.model.get("licence", "")),
        "extent": {
            "spatial": {"bbox": [bbox]},
            "temporal": {
                "interval": [[footer.iso(contents.start), footer.iso(contents.end)]]
            },
        },
        **fields,
        **({"sci:publications": publications} if publications else {}),
        "summaries": {
            "emb:type": [fields["emb:type"]],
            "emb:dimensions": [fields["emb:dimensions"]],
            "data_type": [fields["data_type"]],
        },
        "item_assets": {
            "embeddings": {
                "type": PARQUET,
                "roles": ["data"],
                "title": contents.kind,
                "description": f"GeoParquet 1.1: {', '.join(columns.names)}",
            }
        },
        "links": [
            {"rel": "root", "href": "./collection.json", "type": _JSON},
            {
                "rel": "emb:model",
                "href": links.model(contents.model),
                "title": contents.model.get("model", ""),
            },
            *(
                {"rel": "emb:source-data", "href": href}
                for href in links.source_data(contents.collections, contents.sources)
            ),
            *({"rel": "item", "type": _GEOJSON, **one} for one in items),
        ],
    }


def _processing(made: Made) -> dict[str, Any]:
    """When and how the vectors were made; energy was not measured and is not told."""
    found: dict[str, Any] = {
        "processing:software": {"terradrift": version("terradrift")}
    }
    if baselines := sorted({one.baseline for one in made.scenes if one.baseline}):
        found["processing:version"] = ", ".join(baselines)
    if made.runs:
        last = max(made.runs, key=lambda run: run.ended or _NEVER)
        found["processing:datetime"] = footer.iso(last.ended)
        found["processing:software"] = dict(last.versions)
        found["emb:runtime_parameters"] = {
            **last.parameters,
            "device": last.device,
            "bands": list(made.contents.bands),
        }
    return found


def _projection(made: Made) -> dict[str, Any]:
    """Where the patches of the tile lie: a pixel of `proj:shape` is a patch."""
    epsg, row, col = made.grid.tile_cells(made.tile)
    side, size = made.grid.tile_patches, made.grid.patch_size
    left, bottom = col * size, row * size
    top = bottom + side * size
    return {
        "proj:code": f"EPSG:{epsg}",
        "proj:bbox": [left, bottom, left + side * size, top],
        "proj:shape": [side, side],
        "proj:transform": [size, 0, left, 0, -size, top],
    }


def _asset(made: Made) -> dict[str, Any]:
    asset = {
        "href": made.href,
        "type": PARQUET,
        "title": made.contents.kind,
        "roles": ["data"],
        "table:row_count": made.rows,
        "table:primary_geometry": "geometry",
        "table:columns": [
            {"name": field.name, "type": str(field.type)} for field in made.columns
        ],
    }
    if made.size is not None:
        asset["file:size"] = made.size
    if made.sha256 is not None:
        asset["file:checksum"] = _SHA256 + made.sha256
    return asset


def _licence(text: str) -> str:
    """As STAC 1.0 has it: an SPDX id, or `proprietary` for what has none."""
    return text if _LICENCE.fullmatch(text) else "proprietary"
