"""What cannot be read is one line that names the argument, whatever it is of."""

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from terradrift.errors import QueryError
from terradrift.query import events
from terradrift.query.search.similar import similar
from terradrift.query.search.uncertain import uncertain
from terradrift.query.sql import ask
from terradrift.store.tables import Store

ONES = np.ones(8)

CONDITIONS = [
    ("k", "5", "expected k as a whole number, got '5'"),
    ("k", 2.5, "expected k as a whole number, got 2.5"),
    ("k", None, "expected k as a whole number, got None"),
    ("k", True, "expected k as a whole number, got True"),
    ("per_event", 1.5, "expected per_event as a whole number, got 1.5"),
    ("per_patch", "1", "expected per_patch as a whole number, got '1'"),
    (
        "kind",
        [],
        r"expected kind as one or more whole numbers, got \[\]; .* leave it out",
    ),
    ("kind", "", "expected kind as one or more whole numbers, got ''"),
    ("kind", [1.5], r"expected kind as one or more whole numbers, got \[1.5\]"),
    ("kind", 1.5, "expected kind as one or more whole numbers, got 1.5"),
    (
        "persistence",
        [],
        r"expected persistence as one or more of persistent, .* got \[\]",
    ),
    ("persistence", 5, "expected persistence as one or more of persistent, .* got 5"),
    ("between", "", "expected between as a period such as .* got ''; .* leave it out"),
    ("between", "/", "expected between as a period such as .* got '/'"),
    ("between", 5, "expected between as a period such as .* got 5"),
    ("between", ("2018",), r"expected between as a period such as .* got \('2018',\)"),
    (
        "between",
        "2018-05-16/2018-05-15",
        "empty: 2018-05-16 is after 2018-05-15; give the",
    ),
    ("bbox", "", "expected a box west,south,east,north in degrees, got ''"),
    ("bbox", 5, "expected a box west,south,east,north in degrees, got 5"),
    ("within", "", "as region, got ''; leave it out"),
    ("within", "1 2," * 1000, "as region, got no file 1 2,1 2"),
    ("min_score", "a", "expected min_score as a number, got 'a'"),
    ("where", "", "expected where as a condition in SQL such as score > 5, got ''"),
    ("where", 5, "expected where as a condition in SQL such as score > 5, got 5"),
    (
        "where",
        "score >",
        "expected where as one condition .* got 'score >'; it ends too early",
    ),
    ("where", "scoer > 1", r"no column scoer in changes; did you mean score\?"),
    ("exclude", "", "exclude must be one of event, self, none, got ''"),
    (
        "exclude_radius",
        True,
        "expected exclude_radius as metres above 0 or as 5km, got True",
    ),
    ("mode", 5, "mode must be one of"),
    ("target", [], "target must be changes or observations"),
    (
        "refine",
        "probe",
        "refine=probe says how to learn from like=, .*; got none of them",
    ),
    ("exact", "no", "expected exact as True or False, got 'no'"),
    ("vectors", "x", "expected vectors as True or False, got 'x'"),
    ("columns", 5, "expected columns as names of columns, got 5"),
    ("model", "", "expected model as the name of a model, got ''"),
    ("space", "", "expected space as the name of a space, such as raw, got ''"),
    ("threads", "2", "expected threads as a whole number, got '2'"),
    ("device", "tpu", "device must be auto, cpu or cuda, got 'tpu'"),
    ("limits", 5, "expected limits as Limits"),
]
EXAMPLES = [
    ("change", 5, "expected change as the id of one change, got 5"),
    ("change", "", "expected change as the id of one change, got ''"),
    (
        "event",
        ["a", "b"],
        r"expected event as the id of one event, .*; like=\[...\] takes",
    ),
    ("like_kind", "1", "expected like_kind as a whole number, got '1'"),
    ("patch", 5, "expected patch as the id of one patch, got 5"),
    ("region", "", "as region, got ''"),
    ("labels", "", "expected labels as the name of stored labels, got ''"),
    ("like", 5, "expected like as ids of changes, of events or PATCH@DATE, got 5"),
    ("like", [5], "expected like as ids of changes, of events or PATCH@DATE, got 5"),
    ("like", "p0001@", "expected like as ids .* or PATCH@DATE, got 'p0001@'"),
    ("like", "@2018", "expected like as ids .* or PATCH@DATE, got '@2018'"),
    ("unlike", [None], "expected unlike as ids .* or PATCH@DATE, got None"),
    ("vector", ONES * 1j, "expected a vector of numbers, got complex numbers"),
    ("vector", ONES > 0, "expected a vector of numbers, got booleans"),
    ("vector", ["1"] * 8, "expected a vector of numbers, got text"),
    ("vector", ONES * 1e300, r"expected a vector of finite numbers up to 1e\+15"),
    ("vector", ONES * 1e38, r"expected a vector of finite numbers up to 1e\+15"),
    ("vector", [10**400] * 8, "expected a vector of numbers, got"),
    ("vector", "", "or a .json file with a list of numbers, got ''"),
]


@pytest.mark.parametrize(("name", "value", "said"), CONDITIONS)
def test_a_condition_that_cannot_be_read_is_named(
    store: Store, name: str, value: Any, said: str
) -> None:
    assert_one_line(said, similar, store, **{"change": "c00001", name: value})


@pytest.mark.parametrize(("name", "value", "said"), EXAMPLES)
def test_an_example_that_cannot_be_read_is_named(
    store: Store, name: str, value: Any, said: str
) -> None:
    date = {"date": "2018"} if name == "patch" else {}
    assert_one_line(said, similar, store, **{name: value, **date})


@pytest.mark.parametrize("date", ["", "/", "..", 5])
def test_a_day_is_never_guessed(store: Store, date: Any) -> None:
    said = f"expected date as a day such as 2018-05-16, got {date!r}"
    assert_one_line(said, similar, store, patch="p0001", date=date)


def test_a_day_may_be_a_date(store: Store) -> None:
    day = dt.date(2018, 4, 10)
    told: Any = day
    found = similar(store, patch="p0001", date=told).to_arrow()
    assert found.equals(similar(store, patch="p0001", date="2018-04-10").to_arrow())


def test_brackets_without_end_are_no_vector(store: Store, tmp_path: Path) -> None:
    (tmp_path / "nest.json").write_text("[" * 100_000)
    said = "a .json file with a list of numbers, cannot read"
    assert_one_line(said, similar, store, vector=tmp_path / "nest.json")


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("n", "5", "expected n as a whole number, got '5'"),
        ("n", None, "expected n as a whole number, got None"),
        ("like", [5], "expected like as ids"),
        ("kind", [], "expected kind as one or more whole numbers"),
        ("where", " ", "expected where as a condition in SQL"),
    ],
)
def test_what_to_label_next_names_arguments_too(
    store: Store, name: str, value: Any, said: str
) -> None:
    assert_one_line(said, uncertain, store, **{"like": "c00001", name: value})


@pytest.mark.parametrize(
    ("name", "value", "said"),
    [
        ("since", "", "expected since as a date such as 2018-05 or 2018-05-16, got ''"),
        (
            "until",
            "..",
            "expected until as a date such as 2018-05 or 2018-05-16, got '..'",
        ),
        ("since", 5, "expected since as a date such as 2018-05 or 2018-05-16, got 5"),
        ("limit", "a", "expected limit as a whole number, got 'a'"),
        ("limit", -1, "expected limit as 0 rows or more, got -1"),
        ("kind", [], "expected kind as one or more whole numbers"),
    ],
)
def test_events_name_arguments_too(name: str, value: Any, said: str) -> None:
    assert_one_line(said, events.statement, **{name: value})


@pytest.mark.parametrize("text", [5, None])
def test_sql_is_text(store: Store, text: Any) -> None:
    said = f"expected SQL as the text of one SELECT statement, got {text}"
    assert_one_line(said, ask.sql, store, text)


def assert_one_line(said: str, function: Any, *given: Any, **named: Any) -> None:
    with pytest.raises(QueryError, match=said) as caught:
        function(*given, **named)
    assert "\n" not in str(caught.value)
    assert len(str(caught.value)) < 1000
