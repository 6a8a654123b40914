"""Every column that SQL shows is described, and nothing else."""

import re
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

import terradrift as td
from terradrift import schema
from terradrift.errors import QueryError
from terradrift.query.sql import described
from terradrift.query.sql.ask import sql
from terradrift.query.sql.described import VIEWS
from terradrift.query.sql.meanings import UNITS
from terradrift.query.sql.views import OF_PATCHES, PER_MODEL, PLAIN
from terradrift.store.tables import Store
from tests.query.conftest import DIMENSIONS


def test_every_view_without_a_model_in_its_name_is_described(
    make: Callable[..., Store],
) -> None:
    shown = {name for (name,) in sql(make(), "SHOW TABLES").fetchall()}
    assert shown == {*VIEWS, described.NAME}
    assert {*PLAIN, *PER_MODEL, *OF_PATCHES, "observations", "anomalies"} == set(VIEWS)


@pytest.mark.parametrize("view", VIEWS)
def test_columns_described_are_those_of_the_schema(view: str) -> None:
    build = getattr(schema, view, None)
    if build is None:  # joined: observations
        return
    names = (build(1) if view in ("embeddings", "changes") else build()).names
    assert list(VIEWS[view].columns)[: len(names)] == names


@pytest.mark.parametrize("view", VIEWS)
def test_columns_and_types_described_are_those_that_duckdb_shows(
    store: Store, view: str
) -> None:
    shown = [row[:2] for row in sql(store, f"DESCRIBE {view}").fetchall()]
    told = described.table(view).to_pylist()
    types = [
        (row["column"], row["type"].replace("[d]", f"[{DIMENSIONS}]")) for row in told
    ]
    assert types == shown


@pytest.mark.parametrize("view", VIEWS)
def test_each_column_has_a_unit_of_the_list_a_meaning_and_a_source(view: str) -> None:
    assert set(VIEWS[view].key) <= set(VIEWS[view].columns)
    for column, told in VIEWS[view].columns.items():
        assert told.unit in UNITS, column
        assert all((told.meaning, told.source, told.null)), column
        assert not told.meaning.endswith("."), column
        assert told.meaning[0] == told.meaning[0].lower() or told.meaning[:2].isupper()


def test_what_is_said_never_to_be_null_is_not(finished: Path) -> None:
    archive = td.open(finished)
    for view, told in VIEWS.items():
        sure = [name for name, column in told.columns.items() if column.null == "never"]
        counts = ", ".join(f'count(*) - count("{name}")' for name in sure)
        (nulls,) = archive.sql(f"SELECT {counts} FROM {view}").fetchall()  # noqa: S608
        assert not any(nulls), (view, dict(zip(sure, nulls, strict=True)))


def test_what_is_said_to_be_null_with_another_column_is(finished: Path) -> None:
    archive = td.open(finished)
    pairs = [
        (view, name, column.null.removesuffix(" is null"))
        for view, told in VIEWS.items()
        for name, column in told.columns.items()
        if column.null.removesuffix(" is null") in told.columns
    ]
    assert len(pairs) >= 5
    for view, one, other in pairs:
        query = f'SELECT count(*) FROM {view} WHERE ("{one}" IS NULL) <> ("{other}" IS NULL)'  # noqa: S608
        assert archive.sql(query).fetchall() == [(0,)], (view, one, other)


def test_sql_finds_the_descriptions(store: Store) -> None:
    query = "SELECT unit, meaning FROM columns_described WHERE view = 'scores' AND \"column\" = 'drift'"
    ((unit, meaning),) = sql(store, query).fetchall()
    assert unit == "cosine"
    assert meaning == VIEWS["scores"].columns["drift"].meaning


def test_one_view_or_all_are_told() -> None:
    whole = described.table()
    assert whole.num_rows == sum(len(view.columns) for view in VIEWS.values())
    one = described.table("events")
    assert one.equals(whole.filter(pa.compute.field("view") == "events"))
    assert "rank: " not in described.text()
    assert all(f"\n{name}: " in f"\n{described.text()}" for name in VIEWS)
    assert "Benjamini-Hochberg" in described.text("scores")


def test_a_view_that_is_not_there_is_named(store: Store) -> None:
    with pytest.raises(QueryError, match="no view change; did you mean changes"):
        described.table("change")


@pytest.mark.parametrize(
    ("view", "said"),
    [
        ("lables", "no view lables; did you mean labels"),
        ("clusters", "no view clusters; did you mean kinds?"),
        ("qqqqqq", "no view qqqqqq; there are scenes"),
    ],
)
def test_a_view_that_is_misspelt_is_told_the_one_that_was_meant(
    view: str, said: str
) -> None:
    with pytest.raises(QueryError, match=f"^{re.escape(said)}"):
        described.text(view)
