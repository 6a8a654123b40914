"""What an archive's tables hold, read without a database: many tests ask for a few rows."""

from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from terradrift import schema
from terradrift.store.tables import Store


def observations(place: Path, model: str | None = None) -> pa.Table:
    """All of a model (usually the archive's own) with their places, by date and patch."""
    store = Store.open(place)
    name = schema.suffix(model or str(store.settings.model))
    rows = store.scan(f"embeddings_{name}").read_all()
    patches = store.scan("patches").read_all()
    at = pc.index_in(rows["patch_id"], patches["patch_id"])
    for column in ("crs", "longitude", "latitude"):
        rows = rows.append_column(column, patches[column].take(at))
    return rows.sort_by([("datetime", "ascending"), ("patch_id", "ascending")])


def records(place: Path, model: str | None = None) -> list[dict]:
    """The same row by row; vectors are arrays."""
    rows = observations(place, model)
    vectors = rows["embedding"].combine_chunks()
    length = vectors.type.list_size
    told = rows.drop_columns(["embedding"]).to_pandas().to_dict("records")
    values = vectors.flatten().to_numpy().reshape(len(rows), length).astype("float32")
    return [one | {"embedding": value} for one, value in zip(told, values, strict=True)]


def shape(place: Path) -> bytes:
    """The first patch as WKB."""
    rows = Store.open(place).scan("patches", ["geometry"]).read_all()
    return rows["geometry"][0].as_py()
