"""The GeoParquet footer `emb`: Earth Index's keys beside the names of the STAC extension."""

from typing import Any

import pyarrow as pa
from pyarrow import parquet

from terradrift.conform import by_schema
from terradrift.conform.finding import Findings, named, short
from terradrift.conform.plain import parsed

SPEC = "geoembeddings.org, GeoParquet recommendation"
LINKS = ("stac_item_id", "stac_item", "item_id")
"""Columns that are taken for the link of a row to its STAC item where none is named."""


def check(file: parquet.ParquetFile, found: Findings, where: str) -> None:
    """Findings of the footer, where there is one; a note where vectors have none."""
    raw = (file.metadata.metadata or {}).get(b"emb")
    held = file.schema_arrow
    vectors = _vectors(held)
    if raw is None:
        if vectors:
            found.note(
                "emb.none",
                where,
                "no footer emb: nothing in the file says which model made its vectors",
                "write what made them as JSON under emb",
            )
        return
    at = f"{where}#emb"
    value = parsed(raw, found, at)
    if value is None:
        return
    schema = by_schema.schema("emb")
    whole = by_schema.against(schema, value, found, at, "emb", SPEC)
    if not isinstance(value, dict):
        return
    _license(value, found, at)
    _time(value, found, at)
    if whole:
        _width(value, vectors, found, at)
    _items(value, file, found, at)


def _vectors(held: pa.Schema) -> dict[str, int | None]:
    """Columns of numeric vectors and their fixed size; None where it is not fixed."""
    sizes: dict[str, int | None] = {}
    for one in held:
        kind = one.type
        if pa.types.is_fixed_size_list(kind):
            sizes[one.name] = kind.list_size
        elif (
            pa.types.is_list(kind) or pa.types.is_large_list(kind)
        ) and one.name.startswith("embedding"):
            sizes[one.name] = None
    return sizes


def _license(value: dict[str, Any], found: Findings, at: str) -> None:
    if not value.get("license"):
        found.warning(
            "emb.license",
            f"{at}.license",
            "the licence of the embeddings",
            "none",
            "say it; nobody may use them otherwise",
            SPEC,
        )


def _time(value: dict[str, Any], found: Findings, at: str) -> None:
    both = value.get("start_datetime") and value.get("end_datetime")
    if not both and not value.get("datetime"):
        found.error(
            "emb.datetime",
            f"{at}.datetime",
            "datetime, or start_datetime and end_datetime",
            short({key: value.get(key) for key in ("start_datetime", "end_datetime")}),
            "say which time the embeddings are of",
            SPEC,
        )


def _width(
    value: dict[str, Any], vectors: dict[str, int | None], found: Findings, at: str
) -> None:
    told = {"embedding.dim": value["embedding"]["dim"]}
    if "emb:dimensions" in value:
        told["emb:dimensions"] = value["emb:dimensions"]
    for name, dimensions in told.items():
        sizes = {size for size in vectors.values() if size is not None}
        if not vectors:
            found.error(
                f"emb.{name.rpartition('.')[2].removeprefix('emb:')}",
                f"{at}.{name}",
                "a column of vectors",
                "none",
                "leave emb out of a file without embeddings",
                SPEC,
            )
        elif sizes and sizes != {dimensions}:
            found.error(
                f"emb.{name.rpartition('.')[2].removeprefix('emb:')}",
                f"{at}.{name}",
                f"the size of the vectors, {', '.join(map(str, sorted(sizes)))}",
                f"{dimensions}",
                "write the real size",
                SPEC,
            )
    quantization = value.get("emb:quantization", {})
    for name in ("scale", "offset"):
        many = len(quantization.get(name, [0]))
        if many not in (1, value["embedding"]["dim"]):
            found.error(
                f"emb.{name}",
                f"{at}.emb:quantization.{name}",
                f"1 number, or one per dimension ({value['embedding']['dim']})",
                f"{many}",
                "write as many",
                "STAC Embedding extension v0.0.1, Quantization Object",
            )


def _items(
    value: dict[str, Any], file: parquet.ParquetFile, found: Findings, at: str
) -> None:
    """One file is one STAC item, or each row links to its own."""
    held = file.schema_arrow
    linked = value.get("stac_item_id_column")
    names = [linked] if isinstance(linked, str) else list(LINKS)
    there = [name for name in names if held.get_field_index(name) >= 0]
    for name in there:
        if not (
            pa.types.is_string(held.field(name).type)
            or pa.types.is_large_string(held.field(name).type)
            or pa.types.is_dictionary(held.field(name).type)
        ):
            found.error(
                "emb.stac_item_id",
                at,
                f"text in the column {named(name)}",
                str(held.field(name).type),
                "write the id, or the address, of the STAC item",
                SPEC,
            )
    if there:
        return
    if isinstance(linked, str):
        found.error(
            "emb.stac_item_id",
            f"{at}.stac_item_id_column",
            f"a column {named(linked)}",
            "none",
            "write it, or name the column that links to the STAC item",
            SPEC,
        )
        return
    dates = _dates(file)
    if dates is not None and dates[0] != dates[1]:
        found.error(
            "emb.stac_item_id",
            at,
            "one STAC item per file, or a column stac_item_id",
            "rows of several dates and no such column",
            "write one file per item, or link each row to its item",
            SPEC,
        )


def _dates(file: parquet.ParquetFile) -> tuple[float, float] | None:
    """The first and last of a column `datetime`, by statistics; None where not known."""
    held = file.metadata
    low, high = [], []
    for i in range(held.num_row_groups):
        group = held.row_group(i)
        for c in range(group.num_columns):
            one = group.column(c)
            if one.path_in_schema != "datetime" or not one.is_stats_set:
                continue
            if one.statistics.has_min_max:
                low.append(one.statistics.min_raw)
                high.append(one.statistics.max_raw)
    numbers = all(isinstance(one, int) for one in low + high)
    return (float(min(low)), float(max(high))) if low and numbers else None
