"""The page `docs/sql.md`, made of what is described.

terradrift simulate farms --size-px 384 --dates 48 --seed 31
terradrift run farms.td farms/catalog.json --patch-size 40
python -m terradrift.query.sql.page farms.td > docs/sql.md
"""

import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from terradrift.query.sql import ask
from terradrift.query.sql.described import VIEWS, fields, types
from terradrift.query.sql.meanings import UNITS
from terradrift.query.sql.meanings.functions import FUNCTIONS
from terradrift.store.tables import Store

if TYPE_CHECKING:
    import pandas as pd

    from terradrift.query.relation import Relation

EXAMPLES = (
    (
        "Changes by month, the strong ones",
        """SELECT month_of(onset) AS month, count(*) AS changes,
       round(max(score), 1) AS strongest
FROM changes WHERE p_value <= 0.005 GROUP BY month ORDER BY month LIMIT 6""",
    ),
    (
        "The events that rank first, and what the indices say of them",
        """SELECT rank, event_id, start::DATE AS start, n_patches, label
FROM events ORDER BY rank LIMIT 4""",
    ),
    (
        "One patch through time",
        """SELECT datetime::DATE AS day, round(ndvi, 2) AS ndvi, round(drift, 3) AS drift,
       round(z, 1) AS z, reason
FROM series((SELECT patch_id FROM changes ORDER BY score DESC LIMIT 1))
WHERE clear_percent >= 70 ORDER BY datetime LIMIT 6""",
    ),
    (
        "Changes like the strongest, most alike first",
        """SELECT rank, round(distance, 3) AS distance, onset::DATE AS onset,
       round(score, 1) AS score, persistence
FROM similar_changes((SELECT change_id FROM changes ORDER BY score DESC LIMIT 1), 4)""",
    ),
    (
        "Of the three strongest the one most like each",
        """SELECT c.change_id, m.change_id AS most_alike, round(m.distance, 3) AS distance
FROM (FROM changes ORDER BY score DESC LIMIT 3) c, similar_changes(c.change_id, 1) m
ORDER BY c.score DESC""",
    ),
    (
        "Patches that differ most from summer to summer",
        """SELECT patch_id, round(drift_between(patch_id, '2019-07-01', '2020-07-01'), 3) AS drift,
       largest_change(patch_id).onset::DATE AS changed
FROM patches ORDER BY drift DESC NULLS LAST LIMIT 4""",
    ),
    (
        "Inside a polygon",
        """SELECT count(*) AS changes, count(DISTINCT event_id) AS events
FROM changes WHERE within(geometry, '{"type": "Polygon", "coordinates":
    [[[2.99, 51.0], [3.02, 51.0], [3.02, 51.03], [2.99, 51.03], [2.99, 51.0]]]}')""",
    ),
    (
        "What a column means",
        """SELECT "column", unit, source FROM columns_described
WHERE view = 'scores' AND unit = '0..1'""",
    ),
)
"""What the page asks, with real answers."""

_TYPES = (
    ("VARCHAR", "string", "object (str)", "String"),
    (
        "TIMESTAMP WITH TIME ZONE",
        "timestamp[us, tz=UTC]",
        "datetime64[us, UTC]",
        "Datetime(us, UTC)",
    ),
    ("DATE", "date32", "datetime64[us]", "Date"),
    (
        "INTEGER, BIGINT",
        "int32, int64",
        "int32, int64; with nulls Int32, Int64",
        "Int32, Int64",
    ),
    (
        "FLOAT, DOUBLE",
        "float, double",
        "float32, float64, null as NaN",
        "Float32, Float64",
    ),
    ("BOOLEAN", "bool", "bool; with nulls boolean", "Boolean"),
    (
        "FLOAT[d], a vector",
        "fixed_size_list<float>[d]",
        "object (numpy array)",
        "Array(Float32, d)",
    ),
    ("T[], a list", "list<T>", "object (numpy array)", "List(T)"),
    ("STRUCT, such as bbox", "struct", "object (dict)", "Struct"),
    ("GEOMETRY", "binary (geoarrow.wkb)", "object (bytes)", "Binary (geoarrow.wkb)"),
)

_BEFORE = """# SQL over the archive

`terradrift sql ARCHIVE "SELECT ..."`, or `td.open("farms.td").sql("SELECT ...")`: DuckDB's SQL over the archive's tables as they are now, read-only. What a statement may not do stands in [sql-safety.md](sql-safety.md), how fast it is in [sql-speed.md](sql-speed.md), what tables are for in [architecture.md](architecture.md).

    terradrift sql farms.td                    # a shell
    terradrift sql farms.td --schema           # views, columns and functions
    terradrift sql farms.td --schema scores    # what each column of one means
    terradrift sql farms.td "FROM events LIMIT 5" --json

Values are bound by name: `archive.sql("FROM changes WHERE onset >= $since", since="2020-01-01")`. Answers are read by `.df()`, `.pl()`, `.to_arrow()`, `.to_geopandas()`, `.fetchall()`, or written by `.export("changes.parquet")`.

This page is made by `python -m terradrift.query.sql.page`, from what the code says of its columns; SQL finds the same in `columns_described`.

"""

_GEOMETRY = """## Geometry with `spatial` and without

Places are WGS 84 degrees, longitude first. Where DuckDB's `spatial` extension lies beside it (the wheel `duckdb-extension-spatial`; it is never fetched) `geometry` is GEOMETRY, and all `ST_` functions that only compute are there. Where it does not, `geometry` is WKB in a BLOB; `within`, `in_bbox`, the `bbox` of every row and `longitude`, `latitude` work all the same, and all other functions of this page too. Arrow, pandas and Polars are handed WKB in both cases; `.to_geopandas()` decodes it. Of columns with one name the second is called `a_1`. What Arrow has no type for is text in files, Polars and print: an INTERVAL is `3 days 00:10:16`. In CSV, lists, maps and structs are JSON and vectors are left out, with a notice.

"""


def page(store: Store | None) -> str:
    """The page, with the answers of an archive; without one where these would stand."""
    answered = None if store is None else lambda text: _answer(ask.sql(store, text))
    return "".join(_parts(answered))


def _parts(answered: Callable[[str], str] | None) -> Iterator[str]:
    yield _BEFORE
    yield "## Functions\n\n| function | gives | what |\n| --- | --- | --- |\n"
    for each in FUNCTIONS.values():
        yield f"| `{each.call}` | {each.gives} | {_cell(each.meaning)} |\n"
    yield "\nAll take constants, bound values or columns; null gives null, or no rows. "
    yield "A patch or a change that is not there is an error that names it, but for those "
    yield "of first, last and largest, which give null.\n\n## Examples\n\n"
    yield "From simulated scenes: 48 dates in two years, 9,216 patches of 40 m (seed 31). "
    yield "Commands that make this archive stand in `terradrift/query/sql/page.py`.\n"
    for title, text in EXAMPLES:
        answer = answered(text) if answered else ""
        yield f"\n{title}:\n\n```sql\n{text}\n```\n\n```\n{answer}```\n"
    yield "\n## Types\n\n| SQL | Arrow | pandas | Polars |\n| --- | --- | --- | --- |\n"
    for row in _TYPES:
        yield f"| {' | '.join(row)} |\n"
    yield f"\n{_GEOMETRY}## Views\n\n"
    yield "A view without suffix shows the archive's current model; `changes_<model>` and its "
    yield "like show each model that there is. A table that is not there yet is an empty view.\n"
    for name in VIEWS:
        yield from _view(name)
    yield "\n## Units\n\n| unit | means |\n| --- | --- |\n"
    for unit, words in UNITS.items():
        yield f"| {unit} | {_cell(words)} |\n"


def _view(name: str) -> Iterator[str]:
    view = VIEWS[name]
    shown = types(name)
    yield f"\n### {name}\n\nOne row: {view.row}. Key: `{'`, `'.join(view.key)}`.\n\n"
    yield "| column | type | unit | meaning | source | null |\n"
    yield "| --- | --- | --- | --- | --- | --- |\n"
    for column in fields(name).names:
        told = view.columns[column]
        cells = (shown[column], told.unit, told.meaning, told.source, told.null)
        yield f"| `{column}` | {' | '.join(map(_cell, cells))} |\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _answer(relation: "Relation") -> str:
    frame: pd.DataFrame = relation.df()
    shown = frame.astype(object).where(frame.notna(), "")
    return f"{shown.to_string(index=False)}\n"


if __name__ == "__main__":
    sys.stdout.write(page(Store.open(sys.argv[1])))
