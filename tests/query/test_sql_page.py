"""docs/sql.md says what the code says."""

import re
from pathlib import Path

import polars as pl
import pyarrow as pa
import pytest

from terradrift.query.sql import page
from terradrift.query.sql.ask import sql
from terradrift.store.tables import Store
from tests.conftest import ROOT

PAGE = ROOT / "docs" / "sql.md"
ANSWER = re.compile(r"(\n```sql\n.*?\n```\n\n```\n)(.*?)(```\n)", re.DOTALL)


def test_the_page_is_up_to_date() -> None:
    """Where this fails: make the page anew, as `terradrift/query/sql/page.py` says."""
    assert ANSWER.sub(r"\1\3", PAGE.read_text()) == page.page(None)


def test_each_example_gives_the_columns_that_the_page_shows(finished: Path) -> None:
    store = Store.open(finished)
    answers = [found[1] for found in ANSWER.findall(PAGE.read_text())]
    for (_, text), answer in zip(page.EXAMPLES, answers, strict=True):
        relation = sql(store, text)
        assert answer.split("\n")[0].split() == relation.columns
        assert answer.count("\n") > 1
        relation.fetchall()


def test_links_of_the_page_lead_somewhere() -> None:
    links = re.findall(r"\]\((?!http)([^)#]+)", PAGE.read_text())
    assert links
    # These are written beside this page; the others are there.
    late = {"sql-safety.md", "sql-speed.md"}
    assert [
        link for link in links if link not in late and not (PAGE.parent / link).exists()
    ] == []


@pytest.mark.parametrize(
    ("name", "arrow", "pandas", "polars"),
    [
        ("change_id", pa.string(), "object", pl.String()),
        (
            "onset",
            pa.timestamp("us", "UTC"),
            "datetime64[us, UTC]",
            pl.Datetime("us", "UTC"),
        ),
        ("onset::DATE", pa.date32(), "datetime64[us]", pl.Date()),
        ("kind", pa.int32(), "int32", pl.Int32()),
        ("nullif(kind, 1)", pa.int32(), "Int32", pl.Int32()),
        ("score", pa.float32(), "float32", pl.Float32()),
        ("longitude", pa.float64(), "float64", pl.Float64()),
        ("score > 1", pa.bool_(), "bool", pl.Boolean()),
        ("nullif(kind > 1, true)", pa.bool_(), "boolean", pl.Boolean()),
        ("delta", pa.list_(pa.float32(), 8), "object", pl.Array(pl.Float32, 8)),
    ],
)
def test_types_are_those_that_the_page_tells(
    store: Store, name: str, arrow: pa.DataType, pandas: str, polars: pl.DataType
) -> None:
    answer = sql(store, f"SELECT {name} AS one FROM changes LIMIT 20")  # noqa: S608
    type_ = answer.to_arrow().schema.field("one").type
    if pa.types.is_fixed_size_list(type_):
        assert (type_.value_type, type_.list_size) == (
            arrow.value_type,
            arrow.list_size,
        )
    else:
        assert type_ == arrow
    assert str(answer.df().dtypes["one"]) == pandas
    assert answer.pl().schema["one"] == polars


def test_geometry_is_wkb_for_all_of_them(store: Store) -> None:
    answer = sql(store, "SELECT geometry FROM changes LIMIT 1")
    field = answer.to_arrow().schema.field("geometry")
    assert field.type == pa.binary()
    assert isinstance(answer.df()["geometry"][0], bytes | bytearray)
