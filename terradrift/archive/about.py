"""What an archive holds, in a few facts."""

import json
from typing import Any

from terradrift import schema
from terradrift.query.columns import files as columns
from terradrift.query.index import kept
from terradrift.query.index.files import FOLDER
from terradrift.query.sql import ask
from terradrift.space import RAW
from terradrift.store.size import sizes
from terradrift.store.tables import Store

_SPAN = """
    SELECT count(*) AS scenes, min(datetime) AS first, max(datetime) AS last,
           any_value(collection) AS collection,
           list(DISTINCT boa_offset ORDER BY boa_offset) AS boa_offsets
    FROM scenes
"""
_SEEN = "SELECT min(datetime) AS first, max(datetime) AS last FROM observations"


def about(store: Store, model: str) -> dict[str, Any]:
    """Facts in the order in which one would tell them."""
    settings = store.settings
    (span,) = ask.sql(store, _SPAN).to_arrow_table().to_pylist()
    embeddings = f"embeddings_{schema.suffix(model)}"
    if not span["scenes"] and store.exists(embeddings):
        # Imported embeddings have no scenes: their own instants say when.
        (seen,) = ask.sql(store, _SEEN).to_arrow_table().to_pylist()
        span |= seen
    facts: dict[str, Any] = {
        "archive": str(store.root),
        "made with": f"terradrift {settings.version}, {settings.created}",
        "grid": f"{settings.grid.patch_size} m patches at "
        f"{settings.grid.gsd or 'the first scene'} m, {settings.grid.crs}",
        "sensor": settings.constellation,
        "bands": " ".join(settings.bands),
        "scenes": span["scenes"],
        "first": span["first"] and f"{span['first']:%Y-%m-%d}",
        "last": span["last"] and f"{span['last']:%Y-%m-%d}",
        "offsets of digital numbers": span["boa_offsets"],
        "model": model,
        "space": settings.spaces.get(schema.suffix(model), RAW),
    }
    for table in store.tables():
        if schema.suffix(table) != "scenes":
            facts[table] = f"{store.count(table):,} rows"
    if store.exists(embeddings):
        metadata = store.dataset(embeddings).schema.metadata or {}
        for key in ("revision", "weights_sha256", "preprocessing"):
            facts[f"model {key}"] = metadata.get(key.encode(), b"").decode()
    folder = store.root / FOLDER
    if folder.exists() and not folder.is_dir():
        facts["index"] = (
            f"expected a folder at {folder}, got a file; move it away, then run "
            "terradrift index"
        )
    for held in kept.told(store):
        facts[f"index {held.name}"] = str(held)
    opened = {table: store.opened(table) for table in store.tables()}
    for table, held_columns in columns.told(store.root, opened).items():
        facts[f"columns {table}"] = held_columns
    facts["bytes on disk"] = sum(sizes(store.root))
    return json.loads(json.dumps(facts, default=str))  # type: ignore[no-any-return]
