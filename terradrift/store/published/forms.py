"""The forms in which embeddings are published as GeoParquet, and how each is known (pure).

Column names are those of samples and readers of each product (docs/import.md says which).
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from terradrift.errors import SchemaError
from terradrift.store.published.files import File

EARTH_INDEX, CLAY, LGND, VECTORS = "earth-index", "clay", "lgnd", "vectors"
NAMES = (EARTH_INDEX, CLAY, LGND, VECTORS)
_VECTOR = ("embedding", "embeddings")
_EARTH_INDEX = 384
_CLIP = 5.0
"""Earth Index of 2025: bytes from 0 to 255 stand for values from -5 to 5."""
_SIDE = {EARTH_INDEX: 320.0}
"""Metres of a patch's side, of products whose geometries may be points."""
_SCENE = {LGND: "stac_item_id"}
_LIKE = {EARTH_INDEX: "earth-index", CLAY: "clay", LGND: "lgnd"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """How one file is read."""

    name: str
    vector: str
    """Column of the vectors."""
    scene: str | None
    """Column that says which item a row is of; None: the file."""
    product: str | None
    """Column of the collection, by which a model is told; None: there is none."""
    clear: str | None
    """Column of clear, or of cloudy, percent."""
    side: float | None
    """Metres; None: as its squares are."""
    quantized: bool
    """Whether vectors are bytes between -5 and 5."""


def vector_of(columns: pa.Schema) -> str | None:
    """The column of vectors: `embedding`, or `embeddings` as Clay has it; None: neither."""
    return next((one for one in _VECTOR if one in columns.names), None)


def recognised(
    columns: pa.Schema, said: Mapping[str, Any], dimensions: int
) -> str | None:
    """Which form a file is of; None: it has no vectors or no places.

    Args:
        columns: of the file.
        said: its `emb` footer, or {}.
        dimensions: of a vector.
    """
    names, vector = set(columns.names), vector_of(columns)
    if vector is None or "geometry" not in names:
        return None
    if {"chips_id", "embedding"} <= names:
        return LGND
    if vector == "embeddings":
        return CLAY
    bare = names <= {"id", "tile_id", "embedding", "geometry", "bbox"}
    of_model = "earth" in str(said.get("model", "")).lower()
    if of_model or (dimensions == _EARTH_INDEX and (said or bare)):
        return EARTH_INDEX
    return VECTORS


def form(name: str, columns: pa.Schema, file: File) -> Form:
    """How a file of a form is read.

    Raises:
        SchemaError: it has no column of vectors, or none of places.
    """
    names = columns.names
    vector = vector_of(columns)
    if vector is None or "geometry" not in names:
        missing = "embedding" if vector is None else "geometry"
        raise SchemaError(
            f"expected a table of {name} embeddings, {file.path} has no column {missing}; "
            f"it has {', '.join(names)}"
        )
    value = _value(columns, vector)
    if not (pa.types.is_floating(value) or pa.types.is_uint8(value)):
        raise SchemaError(
            f"{file.path}: expected lists of floats, or of uint8 as Earth Index has them, in "
            f"{vector}, got {columns.field(vector).type}"
        )
    if pa.types.is_uint8(value) and name != EARTH_INDEX:
        raise SchemaError(
            f"{file.path}: {vector} holds bytes, and only of Earth Index it is known what they "
            "stand for; pass --form earth-index, or turn them into floats"
        )
    scene = _SCENE.get(name)
    return Form(
        name=name,
        vector=vector,
        scene=scene if scene in names else None,
        product="collection" if "collection" in names else None,
        clear=next(
            (one for one in ("clear_percent", "cloud_percent") if one in names), None
        ),
        side=_SIDE.get(name),
        quantized=pa.types.is_uint8(value),
    )


def identity(
    read: Form,
    dimensions: int,
    said: Mapping[str, Any],
    *,
    file: File,
    collection: str | None,
    asked: str | None,
) -> dict[str, str]:
    """Metadata that names the model of published vectors; its weights are not known.

    Args:
        read: the file's form.
        dimensions: of a vector.
        said: its `emb` footer, or {}.
        file: hive folders above it name a product.
        collection: of its first row; None: no such column.
        asked: a name to give them.

    Raises:
        SchemaError: nothing tells what made them, and no name was given.
    """
    told = said.get("model")
    told = told if isinstance(told, dict) else {}
    product = " ".join(filter(None, (file.keys.get("product"), collection)))
    name, revision = asked or "", "as published"
    if read.name == EARTH_INDEX:
        by = str(told.get("name") or told.get("family") or "")
        kind = "yearly" if read.quantized else "2024" if by else "unnamed"
        name = name or "-".join(filter(None, (_LIKE[read.name], kind, by)))
        revision = "Earth Index, as published"
    elif read.name == CLAY:
        name = name or ("clay-v0" if dimensions == 768 else f"clay-{dimensions}")
        revision = "Clay, as published"
    elif read.name == LGND:
        name = name or "-".join(
            filter(None, ("lgnd-clay", str(dimensions), *product.split()))
        )
        revision = "LGND, as published"
    if not name and not told:
        raise SchemaError(
            f"{file.path} does not say which model made its vectors of {dimensions} numbers; "
            "pass --model to name it"
        )
    name = name or str(told.get("name") or told.get("id"))
    stated = "@".join(str(told[key]) for key in ("id", "version") if told.get(key))
    return {
        "model": re.sub(r"[^\w.+-]+", "-", name).strip("-").lower(),
        "revision": f"{revision}: {stated}" if stated else revision,
        "weights_sha256": "unknown",
        "bands": "unknown",
        "preprocessing": f"unknown, of {product}" if product else "unknown",
        "quantization": "uint8 from -5 to 5, then float16"
        if read.quantized
        else "float16",
        **({"licence": str(said["license"])} if said.get("license") else {}),
    }


def span() -> tuple[float, float]:
    """What bytes 0 and 255 stand for."""
    return -_CLIP, _CLIP


def _value(columns: pa.Schema, name: str) -> pa.DataType:
    kind = columns.field(name).type
    return getattr(kind, "value_type", pa.null())
