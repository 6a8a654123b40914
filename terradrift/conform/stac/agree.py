"""What documents and files say of one another: collections, dimensions, types, boxes."""

from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet

from terradrift.conform.finding import named, short
from terradrift.conform.stac.embedding import SPEC
from terradrift.conform.stac.walk import Walk, meant


def check(walk: Walk) -> None:
    """Findings over all documents of a walk."""
    documents = {path: one for path, one in walk.seen.items() if one is not None}
    collections = {
        str(one.get("id")): one
        for one in documents.values()
        if one.get("type") == "Collection"
    }
    for path, one in documents.items():
        if one.get("type") != "Feature":
            continue
        name = one.get("collection")
        where = walk.where(path)
        if isinstance(name, str) and collections and name not in collections:
            walk.found.error(
                "stac.collection",
                f"{where}#collection",
                f"one of {', '.join(map(named, list(collections)[:5]))}",
                short(name),
                "name the collection by its id",
                "STAC 1.1.0, Item, collection",
            )
        _vectors(one, collections.get(str(name), {}), path, walk)


def _vectors(
    item: dict[str, Any], collection: dict[str, Any], path: Path, walk: Walk
) -> None:
    """Size and type of the vectors in the item's GeoParquet."""
    assets = item.get("assets")
    asset = assets.get("embeddings") if isinstance(assets, dict) else None
    try:
        target = meant(asset.get("href"), path) if isinstance(asset, dict) else None
    except (ValueError, OSError):
        return  # told by the walk
    if target is None or target.suffix != ".parquet" or not target.is_file():
        return
    try:
        held = parquet.read_schema(target)
    except (pa.ArrowException, OSError, ValueError, MemoryError):
        return  # told by the check of the file
    vectors = [one.type for one in held if pa.types.is_fixed_size_list(one.type)]
    at = f"{walk.where(path)}#assets.embeddings"
    dimensions = collection.get("emb:dimensions")
    sizes = {one.list_size for one in vectors}
    if isinstance(dimensions, int) and sizes and dimensions not in sizes:
        walk.found.error(
            "emb.dimensions",
            at,
            f"vectors of {dimensions}, as the collection says",
            ", ".join(map(str, sorted(sizes))),
            "mend emb:dimensions",
            f"{SPEC}, Collection Fields",
        )
    words = {pa.float16(): "float16", pa.float32(): "float32", pa.float64(): "float64"}
    kinds = {words.get(one.value_type, str(one.value_type)) for one in vectors}
    said = collection.get("data_type")
    if isinstance(said, str) and kinds and said not in kinds:
        walk.found.error(
            "emb.data_type",
            at,
            f"{short(said)}, as the collection says",
            ", ".join(sorted(kinds)),
            "mend data_type",
            f"{SPEC}, Collection Fields",
        )
