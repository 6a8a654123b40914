"""A GeoParquet file to import from: its columns and footers checked, its rows as the store's."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads
import pyarrow.parquet as pq

from terradrift import schema
from terradrift.errors import ArchiveError, SchemaError
from terradrift.store.footer import TERRADRIFT
from terradrift.store.spatial import ITEM

PLACE = ("bbox", "geometry")
"""Columns that an export of observations adds to their own."""

_GROUP_BYTES = 64 << 20
_TABLES = frozenset({"embeddings", "changes", "events"})


@dataclass(frozen=True, slots=True, eq=False)
class Source:
    """A file whose columns and footer were checked."""

    path: Path
    model: str
    columns: pa.Schema
    """The schema of the table that its rows go to."""
    described: pa.Schema
    """Names in its metadata the model that made the vectors."""
    rows: int
    tile: str | None = None
    """That of all its rows, by the folder it lies in; None: a column says."""

    @classmethod
    def open(cls, path: Path, kind: str, model: str | None) -> "Source":
        """Check the file's columns and footers; reads no rows.

        Raises:
            SchemaError: they are not those of an export of that kind of table.
            ArchiveError: it cannot be read, or is of another model than `model`.
        """
        try:
            with pq.ParquetFile(path) as file:
                found, rows = file.schema_arrow, file.metadata.num_rows
                footers = file.metadata.metadata or {}
        except FileNotFoundError as error:
            raise ArchiveError(f"no file at {path}") from error
        except (OSError, pa.ArrowInvalid) as error:
            raise ArchiveError(
                f"expected a Parquet file, got {path}: {str(error).splitlines()[0]}"
            ) from error
        tile = _folder(path, found)
        if tile is not None:
            found = found.append(pa.field("tile", pa.string()))
        said = _footer(footers, TERRADRIFT)
        described = said.get("model", {})
        holds = str(said.get("schema", "")).partition("/")[0]
        if holds in _TABLES and holds != kind:
            raise SchemaError(
                f"expected a file of {kind}, {path} holds {holds}; pass --what {holds} "
                f"(in Python what={holds!r})"
            )
        columns = _columns(kind, found, described, footers, path)
        name = described.get("model")
        if not name:
            raise SchemaError(
                f"{path} does not say which model made it: expected a footer "
                f"{TERRADRIFT!r} as `terradrift export` writes it"
            )
        if model is not None and schema.suffix(model) != schema.suffix(name):
            raise ArchiveError(
                f"expected rows of model {model}, {path} is of {name}; pass that model"
            )
        return cls(path, name, columns, schema.embeddings(1, **described), rows, tile)

    def batches(self, columns: list[str]) -> Iterator[pa.RecordBatch]:
        """All rows, cast to the table's types."""
        with pq.ParquetFile(self.path) as file:
            for batch in file.iter_batches(batch_size=8192, columns=columns):
                yield _cast(self._with_tile(batch), self.columns)

    def by_tile(self) -> Iterator[pa.Table]:
        """Whole tiles, some at a time, with their place columns; bounded memory."""
        names = [*self.columns.names, *PLACE]
        if self.tile is not None:
            with pq.ParquetFile(self.path) as file:
                batches = [
                    _cast(self._with_tile(batch), self.columns, keep=PLACE)
                    for batch in file.iter_batches(batch_size=8192, columns=names)
                ]
            if batches:
                yield pa.Table.from_batches(batches)
            return
        counts: dict[str, int] = {}
        with pq.ParquetFile(self.path) as file:
            for batch in file.iter_batches(columns=["tile"]):
                for pair in batch.column("tile").value_counts():
                    tile = pair["values"].as_py()
                    counts[tile] = counts.get(tile, 0) + pair["counts"].as_py()
        size = self.columns.field("embedding").type.list_size * 4 + 512
        dataset = pads.dataset(self.path)
        for group in _groups(counts, max(1, _GROUP_BYTES // size)):
            kept = dataset.to_table(
                columns=names,
                filter=pc.field("tile").isin(group),
                batch_readahead=1,
                fragment_readahead=1,
            )
            batches = [
                _cast(batch, self.columns, keep=PLACE) for batch in kept.to_batches()
            ]
            yield pa.Table.from_batches(batches)

    def _with_tile(self, batch: pa.RecordBatch) -> pa.RecordBatch:
        if self.tile is None or "tile" not in self.columns.names:
            return batch
        return batch.append_column(
            "tile", pa.array([self.tile] * batch.num_rows, pa.string())
        )


def _folder(path: Path, found: pa.Schema) -> str | None:
    """The tile that a folder above a file names, where no column does."""
    if "tile" in found.names:
        return None
    return next(
        (
            part.removeprefix("tile=")
            for part in reversed(path.absolute().parts[:-1])
            if part.startswith("tile=")
        ),
        None,
    )


def _columns(
    kind: str,
    found: pa.Schema,
    model: dict[str, str],
    footers: dict[bytes, bytes],
    path: Path,
) -> pa.Schema:
    """The table's schema, if the file's columns are those of an export of it."""
    d = _dimensions(kind, found, footers)
    if kind == "embeddings":
        want, extra = schema.embeddings(d, **model), {ITEM, *PLACE}
    else:
        want, extra = (
            (schema.changes(d) if kind == "changes" else schema.events()),
            {ITEM},
        )
    known = {field.name: field for field in want}
    claimed = pa.schema(
        [
            known[one.name]
            if one.name in known and _castable(one, known[one.name])
            else one
            for one in found
            if one.name not in extra or one.name in known
        ]
    )
    schema.check(claimed, want, str(path))
    if missing := [name for name in PLACE if name not in found.names]:
        raise SchemaError(f"{path} has no column {' and no column '.join(missing)}")
    return want


def _dimensions(kind: str, found: pa.Schema, footers: dict[bytes, bytes]) -> int:
    """Length of the file's vectors; 1 where there is none to tell."""
    name = {"embeddings": "embedding", "changes": "delta"}.get(kind, "")
    at = found.get_field_index(name)
    if at >= 0 and pa.types.is_fixed_size_list(found.field(at).type):
        return int(found.field(at).type.list_size)
    # Other writers forget the fixed length; the footer keeps it.
    return int(_footer(footers, "emb").get("emb:dimensions", 1))


def _footer(footers: dict[bytes, bytes], name: str) -> dict[str, Any]:
    try:
        said = json.loads(footers.get(name.encode(), b"{}"))
    except ValueError:
        return {}
    return said if isinstance(said, dict) else {}


def _castable(given: pa.Field, want: pa.Field) -> bool:
    """Whether values can become the wanted type: of the same sort, in another width."""
    same = (
        pa.types.is_floating,
        pa.types.is_integer,
        pa.types.is_timestamp,
        pa.types.is_struct,
        lambda type_: pa.types.is_string(type_) or pa.types.is_large_string(type_),
        lambda type_: pa.types.is_binary(type_) or pa.types.is_large_binary(type_),
        lambda type_: (
            hasattr(type_, "value_type") and pa.types.is_floating(type_.value_type)
        ),
    )
    return any(sort(given.type) and sort(want.type) for sort in same)


def _cast(
    batch: pa.RecordBatch, want: pa.Schema, keep: tuple[str, ...] = ()
) -> pa.RecordBatch:
    fields = [*want, *(batch.schema.field(name) for name in keep)]
    target = pa.schema(fields, want.metadata)
    columns = [batch.column(one.name).cast(one.type, safe=False) for one in target]
    return pa.RecordBatch.from_arrays(columns, schema=target)


def _groups(counts: dict[str, int], rows: int) -> Iterator[list[str]]:
    """Tiles in the file's order, together at most `rows` rows (or one tile)."""
    group: list[str] = []
    held = 0
    for tile, count in counts.items():
        if group and held + count > rows:
            yield group
            group, held = [], 0
        group.append(tile)
        held += count
    if group:
        yield group
