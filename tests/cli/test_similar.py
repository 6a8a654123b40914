"""`terradrift similar` says what Python says, and how it got it."""

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner, Result

import terradrift as td
from terradrift.cli import app
from terradrift.errors import QueryError
from terradrift.store.tables import Settings, Store
from tests.query.conftest import (
    DIMENSIONS,
    MODEL,
    SUFFIX,
    changes_table,
    embeddings_table,
    patches_table,
    scenes_table,
)

BOX = '{"type":"Polygon","coordinates":[[[3,50],[3.03,50],[3.03,50.02],[3,50.02],[3,50]]]}'


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("cli") / "toy.td"
    made = Store.create(path, Settings(td.Grid(160), model=MODEL))
    made.append("scenes", scenes_table())
    made.append("patches", patches_table())
    made.append(f"embeddings_{SUFFIX}", embeddings_table())
    made.append(f"changes_{SUFFIX}", changes_table(600))
    np.save(path.parent / "v.npy", np.arange(1.0, DIMENSIONS + 1))
    return path


def ask(archive: Path, *words: str) -> Result:
    return CliRunner().invoke(app, ["similar", str(archive), *words])


@pytest.mark.parametrize(
    ("words", "asked"),
    [
        (["--change", "c00007"], {"change": "c00007"}),
        (
            ["--change", "c00007", "--mode", "reverse", "--per-patch", "1"],
            {"change": "c00007", "mode": "reverse", "per_patch": 1},
        ),
        (
            ["--like-kind", "2", "--exclude-radius", "2km", "--kind", "1"],
            None,
        ),
        (
            ["--region", BOX, "--exclude-radius", "2km", "--exact"],
            {"region": BOX, "exclude_radius": "2km", "exact": True},
        ),
        (
            ["--patch", "p0005", "--date", "2018-04", "--target", "observations"],
            {"patch": "p0005", "date": "2018-04", "target": "observations"},
        ),
        (
            ["--like", "c00001", "--like", "c00009", "--unlike", "c00004"],
            {"like": ["c00001", "c00009"], "unlike": ["c00004"]},
        ),
        (
            ["--vector", "v.npy", "--mode", "after"],
            {"vector": "v.npy", "mode": "after"},
        ),
    ],
)
def test_the_command_answers_as_python_does(
    archive: Path, words: list[str], asked: dict[str, Any] | None
) -> None:
    file = str(archive.parent / "v.npy")
    words = [file if word == "v.npy" else word for word in words]
    done = ask(archive, *words, "-k", "12", "--json")
    if asked is None:
        assert isinstance(done.exception, QueryError)
        assert "kind 2 (120 changes) is of no place" in str(done.exception)
        return
    asked = {name: file if value == "v.npy" else value for name, value in asked.items()}
    assert done.exit_code == 0, done.output
    found = td.open(archive).similar(k=12, **asked)
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    assert len(lines) == len(found) == 12
    key = "change_id" if "change_id" in lines[0] else "patch_id"
    for name in (key, "distance", "rank"):
        assert [line[name] for line in lines] == found.to_arrow()[name].to_pylist()
    assert f"{found.mode}, compared in raw: {found.plan}" in done.stderr


def test_an_answer_goes_to_a_file(archive: Path, tmp_path: Path) -> None:
    out = tmp_path / "like-this.csv"
    done = ask(archive, "--change", "c00007", "-k", "3", "-o", str(out))
    assert done.exit_code == 0
    assert done.stdout == ""
    assert f"3 rows to {out}" in done.stderr
    assert len(out.read_text().splitlines()) == 4
