"""A folder of GeoParquet files as one table: the same columns, and hive partitions that hold."""

import datetime as dt
from collections.abc import Set as AbstractSet
from pathlib import Path
from urllib.parse import unquote

import pyarrow as pa
from pyarrow import parquet

from terradrift.conform.finding import Findings, line, named, short
from terradrift.conform.geoparquet import checking

FILES_ROWS = 1_000_000
"""Geometries that are read of all files together."""
_LEAST_ROWS = 2_000
SPEC = "Hive partitioning, as Arrow, DuckDB and Spark read it"


def check(
    root: Path, files: list[Path], found: Findings, where: str, seen: AbstractSet[Path]
) -> None:
    """Every file but those that were seen, and what those of one table must have in common.

    Files below a folder whose own folders are named `key=value` are one table; others lie
    side by side and need not be alike.
    """
    each = max(_LEAST_ROWS, min(checking.ROWS, FILES_ROWS // max(1, len(files))))
    for path in files:
        if path.resolve() not in seen:
            checking.check(path, found, _named(root, path, where), each)
    tops = {top for path in files if (top := _top(root, path)) is not None}
    for top in sorted(tops):
        parts = [path for path in files if top in path.parents]
        _table(top, parts, found, _named(root, top, where).removesuffix("/."))


def _named(root: Path, path: Path, where: str) -> str:
    return f"{where}/{named(str(path.relative_to(root)))}"


def _top(root: Path, path: Path) -> Path | None:
    """The folder above the first `key=value` on the way to a file."""
    at = root
    for part in path.relative_to(root).parts[:-1]:
        if "=" in part:
            return at
        at = at / part
    return None


def _table(top: Path, files: list[Path], found: Findings, where: str) -> None:
    first: tuple[str, pa.Schema] | None = None
    keys: tuple[str, tuple[str, ...]] | None = None
    for path in sorted(files, key=lambda one: (not partitions(top, one), str(one))):
        at = _named(top, path, where)
        values = partitions(top, path)
        names = tuple(values)
        if keys is None:
            keys = at, names
        elif names != keys[1]:
            found.error(
                "folder.partitions",
                at,
                f"the keys of {keys[0]}: {', '.join(keys[1])}",
                ", ".join(map(named, names)) or "none",
                "put every file under folders of the same keys",
                SPEC,
            )
        held = _schema(path)
        if held is None:
            continue
        _partition(path, values, found, at)
        if first is None:
            first = at, held
        elif not held.equals(first[1]):
            found.error(
                "folder.schema",
                at,
                f"the columns of {first[0]}",
                _different(held, first[1]),
                "write all parts with one schema",
                SPEC,
            )


def partitions(root: Path, path: Path) -> dict[str, str]:
    """Keys and values in the names of the folders above a file."""
    pairs = [part.partition("=") for part in path.relative_to(root).parts[:-1]]
    return {key: unquote(value) for key, sign, value in pairs if sign and key}


def _schema(path: Path) -> pa.Schema | None:
    try:
        return parquet.read_schema(path).remove_metadata()
    except (pa.ArrowException, OSError, ValueError, MemoryError):
        return None  # told by the check of the file


def _different(held: pa.Schema, first: pa.Schema) -> str:
    for one in held:
        at = first.get_field_index(one.name)
        if at < 0:
            return f"also {named(one.name)}"
        if not first.field(at).type.equals(one.type):
            return f"{named(one.name)} as {one.type}"
    missing = [name for name in first.names if held.get_field_index(name) < 0]
    if missing:
        return f"no {named(missing[0])}"
    return "another order of columns, or other columns that may be null"


def _partition(path: Path, values: dict[str, str], found: Findings, at: str) -> None:
    """A key that is a column as well must have its folder's value in every row."""
    try:
        held = parquet.read_metadata(path)
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        found.error("parquet", at, "a Parquet footer", line(error), "write it again")
        return
    for key, value in values.items():
        for i in range(held.num_row_groups):
            group = held.row_group(i)
            one = next(
                (
                    group.column(c)
                    for c in range(group.num_columns)
                    if group.column(c).path_in_schema == key
                ),
                None,
            )
            if one is None or not one.is_stats_set or not one.statistics.has_min_max:
                continue
            held_values = {_text(one.statistics.min), _text(one.statistics.max)}
            if held_values != {value}:
                found.error(
                    "folder.partition",
                    f"{at}#{named(key)}",
                    f"{short(value)}, as the folder says",
                    ", ".join(sorted(map(short, held_values))),
                    "put rows into the folder of their value",
                    SPEC,
                )
                break


def _text(value: object) -> str:
    if isinstance(value, dt.date | dt.datetime):
        return value.isoformat()
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
