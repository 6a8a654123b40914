"""The verb `taxonomy` as a user runs it, on an archive of two models."""

import json
import shutil

import pyarrow as pa
import pytest
from typer.testing import CliRunner

import terradrift as td
from terradrift.cli import app

DEFAULT, OTHER = "spectral", "mosaiks"
CALLED = ["--regimes", "3", "--paths", "1"]


@pytest.fixture(scope="module")
def archive(finished, tmp_path_factory):
    """Five regimes of spectral, which was embedded last; of mosaiks none yet."""
    place = tmp_path_factory.mktemp("two") / "two.td"
    shutil.copytree(finished, place)
    opened = td.open(place)
    opened.embed("spectral", quiet=True)
    assert opened.model == DEFAULT
    opened.taxonomy(regimes=5, paths=1, quiet=True)
    return opened


def run(archive, *given):
    return CliRunner().invoke(app, ["taxonomy", str(archive.store.root), *given])


def test_the_regimes_of_the_model_that_was_asked_for_are_printed(archive):
    done = run(archive, "--model", OTHER, *CALLED, "--json")
    assert done.exit_code == 0, done.output
    told, *regimes = [json.loads(line) for line in done.stdout.splitlines()]
    assert (told["ground"], len(regimes)) == (3, 3)
    held = archive.store.scan(f"taxonomy_{OTHER}").read_all().to_pylist()
    assert [each["label"] for each in regimes] == [each["label"] for each in held]
    assert [each["description"] for each in regimes] == [
        each["description"] for each in held
    ]
    done = run(archive, "--regimes", "5", "--paths", "1", "--json")
    assert len(done.stdout.splitlines()) == 1 + 5


def test_the_table_for_people_is_narrow(archive):
    done = run(archive, "--model", OTHER, *CALLED)
    head, *rows = done.stdout.splitlines()
    assert head.split() == [
        "regime",
        "parent",
        "level",
        "size",
        "share",
        "cohesion",
        "label",
    ]
    assert len(rows) == 3
    assert max(map(len, rows)) <= 100


@pytest.mark.parametrize(
    "given",
    [
        ["--method", "kmeans"],
        ["--regimes", "3"],
        ["--paths", "1"],
        ["--period", "../2019-05"],
        ["--steps", "6"],
        ["--season"],
        ["--min-clear", "50"],
        ["--refine"],
        ["--stability"],
        ["--seed", "0"],
    ],
)
def test_assign_takes_nothing_that_finds_regimes(archive, given):
    done = run(archive, "--assign", *given)
    assert done.exit_code == 2
    assert f"as they were found, got {given[0]}; leave" in " ".join(
        done.output.replace("│", " ").split()
    )


def test_hazy_observations_take_part_where_that_is_asked(archive):
    bad = run(archive, "--min-clear", "101")
    assert bad.exit_code == 2
    hazy = archive.sql(
        "SELECT count(*) FROM embeddings WHERE clear_percent BETWEEN 20 AND 69"
    ).fetchone()[0]
    assert hazy > 0
    done = run(archive, "--model", OTHER, *CALLED, "--min-clear", "20", "--quiet")
    assert done.exit_code == 0, done.output
    rows = archive.store.scan(f"anomalies_taxonomy_{OTHER}").read_all().to_pylist()
    assert all(
        (row["reason"] == "not clear enough") == (row["clear_percent"] < 20)
        for row in rows
    )


def test_an_archive_that_is_too_hazy_says_what_to_ask_for(archive, tmp_path):
    place = tmp_path / "hazy.td"
    shutil.copytree(archive.store.root, place)
    store = td.open(place).store
    rows = store.scan(f"embeddings_{DEFAULT}").read_all()
    at = rows.schema.get_field_index("clear_percent")
    haze = pa.array([40.0] * len(rows), rows.schema.field(at).type)
    hazy = rows.set_column(at, rows.schema.field(at), haze)
    store.overwrite(f"embeddings_{DEFAULT}", hazy, rows.schema)
    done = CliRunner().invoke(app, ["taxonomy", str(place), "--period", "2019"])
    assert done.exit_code != 0
    assert "--min-clear" in str(done.exception) + done.output
