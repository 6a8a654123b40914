"""Files of columns in a connection: attached to read, before it is sealed."""

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import duckdb

from terradrift.query.columns import files, form
from terradrift.query.columns.form import Form
from terradrift.query.lance_scan import FloatDataset

if TYPE_CHECKING:
    from collections.abc import Mapping

    import lance
    import pyarrow as pa

FRESH = "fresh"
"""Schema of the rows that files do not cover, a view per table."""

_PRUNED = 2000
"""Places of a box up to which a scan skips blocks that hold none of them."""


@dataclass(frozen=True, slots=True)
class Attached:
    """A table's file in a connection."""

    name: str
    """Of the database, to be quoted."""
    form: Form
    fresh: bool
    """Whether the table has rows beside, in `fresh."<table>"`."""


def root_of(tables: "Mapping[str, lance.LanceDataset]") -> Path | None:
    """The folder that the tables lie in; None where there are none."""
    for dataset in tables.values():
        return Path(dataset.uri.removeprefix("file://")).parent
    return None


def attach(
    connection: "duckdb.DuckDBPyConnection",
    tables: "Mapping[str, lance.LanceDataset]",
    *,
    spatial: bool,
) -> tuple[dict[str, Attached], dict[str, str]]:
    """Attach the files of `tables` that may be used; and why others may not, by table.

    A sealed connection can still write to the paths of what is attached by COPY, so only
    statements that `sandbox.check` let pass may run on it.
    """
    root = root_of(tables)
    found: dict[str, Attached] = {}
    reasons: dict[str, str] = {}
    if root is None or not files.listed(root):
        return found, reasons
    connection.execute(f"CREATE SCHEMA {FRESH}")
    connection.execute(f"SET GLOBAL dynamic_or_filter_threshold = {_PRUNED:d}")
    for table, dataset in tables.items():
        if not form.covers(table):
            continue
        held, why = files.find(root, table, tables)
        if held is None:
            if why:
                reasons[table] = why[-1]
            continue
        name = f"columns.{table}"
        path = files.quoted(str(held.path))
        try:
            connection.execute(f'ATTACH {path} AS "{name}" (READ_ONLY)')
        except duckdb.IOException:  # replaced since it was found
            reasons[table] = f"{held.path.name} was removed; ask again"
            continue
        if held.fresh:
            _view(connection, table, _Part(dataset, held.fresh), spatial=spatial)
        laid = form.of(table, dataset.schema)
        found[table] = Attached(name, laid, bool(held.fresh))
    return found, reasons


def _view(
    connection: "duckdb.DuckDBPyConnection", table: str, part: "_Part", *, spatial: bool
) -> None:
    dataset = cast("lance.LanceDataset", part)  # as much of it as is read
    relation = connection.from_arrow(FloatDataset(dataset))
    if spatial and "geometry" in part.schema.names:
        relation = relation.project("* REPLACE (ST_GeomFromWKB(geometry) AS geometry)")
    connection.execute(f"SET schema = {FRESH}")
    relation.create_view(table)
    connection.execute("SET schema = main")


class _Part:
    """Some fragments of a Lance table, for readers of a whole one."""

    def __init__(self, table: "lance.LanceDataset", fragments: tuple[int, ...]) -> None:
        self._table = table
        wanted = set(fragments)
        self._parts = [p for p in table.get_fragments() if p.fragment_id in wanted]
        self.schema: pa.Schema = table.schema

    def scanner(self, **options: Any) -> "lance.LanceScanner":  # noqa: ANN401 - Lance's own
        """As that of the table, of these fragments."""
        return self._table.scanner(fragments=self._parts, **options)

    def count_rows(self) -> int:
        """Rows of these fragments."""
        return sum(int(part.count_rows()) for part in self._parts)
