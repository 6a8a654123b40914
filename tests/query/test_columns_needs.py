"""What a statement needs of which view, by its parsed tree."""

import json

import duckdb
import pytest

from terradrift.query.columns import needs

VIEWS = ("scores", "patches", "changes")
COLUMNS = ["patch_id", "drift", "bbox"]


def read(text: str) -> needs.Needs:
    row = duckdb.execute("SELECT json_serialize_sql($1::VARCHAR)", [text]).fetchone()
    assert row
    return needs.read(json.loads(row[0]), VIEWS)


@pytest.mark.parametrize(
    ("text", "columns"),
    [
        ("SELECT count(*) FROM scores", []),
        ("SELECT DRIFT FROM Scores", ["drift"]),
        ("SELECT s.bbox.xmin FROM main.scores s", ["bbox"]),
        ("SELECT drift FROM scores ORDER BY ALL", ["drift"]),
        ("SELECT drift, count(*) FROM scores GROUP BY ALL", ["drift"]),
        ("SELECT * FROM (SELECT drift FROM scores)", ["drift"]),
        ("WITH a AS (SELECT drift FROM scores) FROM a", ["drift"]),
        ("SELECT 1 FROM scores JOIN changes USING (patch_id)", ["patch_id"]),
        (
            "SELECT 1 FROM changes WHERE EXISTS (FROM (SELECT drift FROM scores))",
            ["drift"],
        ),
        ("SELECT * FROM scores", COLUMNS),
        ("FROM scores", COLUMNS),
        ("SELECT s.* FROM scores s", COLUMNS),
        ("SELECT COLUMNS('d.*') FROM scores", COLUMNS),
        ("SELECT drift FROM scores ORDER BY COLUMNS('d.*')", COLUMNS),
        ("SELECT drift FROM scores NATURAL JOIN changes", COLUMNS),
        ("SELECT s FROM scores s", COLUMNS),
        ("SELECT scores FROM scores", COLUMNS),
        ("SELECT a FROM scores s(a, b)", COLUMNS),
        ("PIVOT scores ON drift IN (1) USING count(*)", COLUMNS),
        ("SUMMARIZE scores", COLUMNS),
        ("DESCRIBE scores", COLUMNS),
        ("WITH scores AS (FROM scores) SELECT drift FROM scores", COLUMNS),
        ("SELECT 1 FROM changes WHERE EXISTS (FROM scores)", COLUMNS),
        ("SELECT drift FROM scores UNION ALL FROM scores", COLUMNS),
    ],
)
def test_no_more_is_needed_than_a_statement_may_mean(
    text: str, columns: list[str]
) -> None:
    found = read(text)
    assert "scores" in found.views
    assert found.of("scores", COLUMNS) == columns


@pytest.mark.parametrize(
    ("condition", "sought"),
    [
        ("patch_id = 'a'", True),
        ("$1 = patch_id", True),
        ("patch_id IN ('a', 'b')", True),
        ("patch_id IN (SELECT patch_id FROM patches)", True),
        ("patch_id = tile", False),
        ("patch_id > 'a'", False),
    ],
)
def test_a_patch_is_sought_where_its_id_is_set_equal_to_a_value(
    condition: str, sought: bool
) -> None:
    found = read(f"SELECT drift FROM scores WHERE {condition}")  # noqa: S608
    assert ("patch_id" in found.sought) is sought


def test_statements_may_be_nested_deeply() -> None:
    text = "SELECT drift FROM scores"
    for _ in range(200):
        text = f"SELECT drift FROM ({text})"  # noqa: S608
    assert read(text).of("scores", COLUMNS) == ["drift"]
