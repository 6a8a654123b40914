"""Names that are not there are answered with those that are."""

import re

import pytest

from terradrift.errors import QueryError
from terradrift.query.sql import near_miss
from terradrift.query.sql.ask import connect, sql
from terradrift.store.tables import Store


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT lat FROM changes", "no column lat in changes; did you mean latitude?"),
        ("SELECT c.lon FROM changes c", "did you mean longitude?"),
        ("SELECT date FROM observations", "did you mean datetime?"),
        ("SELECT date FROM changes", "did you mean onset or date_after?"),
        ("SELECT geom FROM patches", "did you mean geometry?"),
        ("SELECT cluster_id FROM changes", "did you mean kind?"),
        ("SELECT changes.clstr FROM changes", "no column clstr in changes"),
        ("SELECT onset FROM patches", "no column onset in patches; alerts and changes"),
        ("SELECT kind FROM changes ORDER BY scor", "did you mean score?"),
        ("SELECT * EXCLUDE (delt) FROM changes", "did you mean delta"),
        ("FROM change", "no view change; did you mean changes"),
        ("FROM clusters", "no view clusters; did you mean kinds?"),
        ("FROM images", "did you mean scenes?"),
        ("FROM qqqqqq", "no view qqqqqq; there are "),
        (
            "SELECT cosine_similarity(delta, delta) FROM changes",
            "did you mean 1 - cosine_distance(a, b)?",
        ),
        ("SELECT month_off(onset) FROM changes", "did you mean month_of"),
        ("SELECT sumx(kind) FROM changes", "did you mean sum"),
    ],
)
def test_the_name_that_was_meant_is_said_in_one_line(
    store: Store, query: str, said: str
) -> None:
    with pytest.raises(QueryError, match=r"^SQL cannot be answered: no ") as caught:
        sql(store, query)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("SELECT similar_changes('c1', 3)", "write FROM similar_changes(...)"),
        ("SELECT patch_id, series(patch_id) FROM patches", "write FROM series(...)"),
        ("FROM first_change('p0001')", "write SELECT first_change(...)"),
    ],
)
def test_rows_in_the_place_of_a_value_are_told_how_to_be_written(
    store: Store, query: str, said: str
) -> None:
    with pytest.raises(QueryError, match=r"^SQL cannot be answered: ") as caught:
        sql(store, query)
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_every_word_leads_to_a_name_that_is_there(store: Store) -> None:
    connection = connect(store, threads=1)
    held = near_miss._columns(connection)
    columns = {column for view in held.values() for column in view}
    assert {word for words in near_miss.COLUMNS.values() for word in words} <= columns
    assert set(near_miss.TABLES.values()) <= set(held)
    rows = connection.execute("SELECT DISTINCT function_name FROM duckdb_functions()")
    known = {name for (name,) in rows.fetchall()}
    plain = {said for said in near_miss.FUNCTIONS.values() if said.isidentifier()}
    assert plain <= known
    assert not set(near_miss.FUNCTIONS) & known


def test_words_of_elsewhere_are_not_words_of_here(store: Store) -> None:
    held = near_miss._columns(connect(store, threads=1))
    assert not set(near_miss.TABLES) & set(held)


@pytest.mark.parametrize(
    ("query", "said"),
    [
        (
            "SELECT end FROM alerts",
            'end is a word of SQL; as a name write it "end"; did you mean ended?',
        ),
        (
            "SELECT end FROM events",
            'end is a word of SQL; as a name write it "end"',
        ),
        ("SELECT max(at) FROM labels", 'at is a word of SQL; as a name write it "at"'),
        ("SELECT name FROM labels ORDER BY AT", 'as a name write it "at"'),
        ("SELECT at, 'é' /* at */ FROM labels", 'as a name write it "at"'),
    ],
)
def test_words_of_sql_that_stand_for_columns_are_to_be_quoted(
    store: Store, query: str, said: str
) -> None:
    with pytest.raises(QueryError, match=r"^SQL cannot be answered: ") as caught:
        sql(store, query)
    assert str(caught.value).endswith(said)
    assert sql(store, 'SELECT max("at") FROM labels').fetchall() == [(None,)]


def test_other_errors_of_syntax_stay_as_they_are(store: Store) -> None:
    for query in ("SELECT FROM changes WHERE", "SELECT CASE WHEN true THEN 1 END, 1 1"):
        with pytest.raises(QueryError, match=r"syntax error at [^:]*$"):
            sql(store, query)


def test_names_of_our_own_make_are_not_told(store: Store) -> None:
    for query in ("FROM columns_describe", "FROM rows", "SELECT touchs(1), reion(1)"):
        with pytest.raises(QueryError, match=r"no (view|function) ") as caught:
            sql(store, query)
        assert not re.search(r"_\b|mean rows", str(caught.value))
    with pytest.raises(QueryError, match="columns_described_"):
        sql(store, "FROM columns_described_")
