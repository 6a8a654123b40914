"""`terradrift sql ARCHIVE --schema`: what SQL shows, described."""

import json
from pathlib import Path

from typer.testing import CliRunner

import terradrift as td
from terradrift.cli import app
from terradrift.query.sql import described


def said(place: Path, *words: str) -> str:
    done = CliRunner().invoke(app, ["sql", str(place), "--schema", *words])
    assert done.exit_code == 0, done.output
    return done.stdout


def test_schema_tells_views_columns_and_functions(tmp_path: Path) -> None:
    td.create(tmp_path / "a.td", td.Grid(80))
    place = tmp_path / "a.td"
    assert said(place) == described.text() + "\n"
    assert "drift_between(patch, t1, t2)" in said(place)
    assert said(place, "scores") == described.text("scores") + "\n"


def test_schema_as_json_is_a_line_per_column(tmp_path: Path) -> None:
    td.create(tmp_path / "a.td", td.Grid(80))
    lines = said(tmp_path / "a.td", "events", "--json").splitlines()
    assert [json.loads(line) for line in lines] == described.table("events").to_pylist()


def test_a_view_that_is_not_there_is_named(tmp_path: Path) -> None:
    td.create(tmp_path / "a.td", td.Grid(80))
    done = CliRunner().invoke(app, ["sql", str(tmp_path / "a.td"), "--schema", "cows"])
    assert done.exit_code != 0
    assert "no view cows" in str(done.exception)
