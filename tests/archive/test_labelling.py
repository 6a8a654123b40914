"""Verdicts: who said what last, what they are of now, and files of them that evaluate reads."""

import json
import shutil
from pathlib import Path

import pyarrow as pa
import pytest
from click.testing import Result
from typer.testing import CliRunner

import terradrift as td
from terradrift import schema
from terradrift.cli import app
from terradrift.errors import ArchiveError, QueryError
from terradrift.evaluate import fields
from terradrift.evaluate.labels import read_vector
from tests.query import judged
from tests.query.conftest import SUFFIX

NAME = "clear-cut"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return judged.store(tmp_path_factory.mktemp("judged")).root


@pytest.fixture
def archive(made: Path, tmp_path: Path) -> td.Archive:
    return td.open(shutil.copytree(made, tmp_path / "judged.td"))


def said(archive: td.Archive, name: str | None = None) -> list[tuple[object, ...]]:
    rows = archive.labels(name).to_pylist()
    return [(row["target_id"], row["verdict"], row["name"], row["who"]) for row in rows]


def test_the_latest_verdict_of_each_person_counts(archive: td.Archive) -> None:
    assert archive.label(["c00000", "c00001", "c00000"], "yes", NAME) == 2
    archive.label("c00000", "no", NAME)
    archive.label("c00000", "yes", NAME, "ann")
    archive.label("c00000", "yes", "flood")
    assert said(archive) == [
        ("c00001", "yes", NAME, None),
        ("c00000", "no", NAME, None),
        ("c00000", "yes", NAME, "ann"),
        ("c00000", "yes", "flood", None),
    ]
    assert said(archive, "flood") == [("c00000", "yes", "flood", None)]


def test_a_verdict_can_be_withdrawn_once(archive: td.Archive) -> None:
    archive.label(["c00000", "c00001"], "yes", NAME)
    assert archive.unlabel("c00000", NAME) == 1
    assert said(archive) == [("c00001", "yes", NAME, None)]
    for target, who in (("c00000", None), ("c00001", "ann")):
        with pytest.raises(ArchiveError, match=f"{target} has no verdict 'clear-cut'"):
            archive.unlabel(target, NAME, who)
    archive.label("c00000", "no", NAME)
    assert said(archive)[-1] == ("c00000", "no", NAME, None)


def test_names_of_kinds_are_left_alone(archive: td.Archive) -> None:
    store = archive.store
    row = {
        "label_id": "1",
        "target_id": f"kind/{SUFFIX}/3",
        "verdict": "name",
        "name": NAME,
        "who": None,
        "at": "2018-01-01",
    }
    rows = pa.table({name: [value] for name, value in row.items()})
    at = rows["at"].cast(pa.timestamp("us")).cast(schema.INSTANT)
    store.append("labels", rows.set_column(5, "at", at).cast(schema.labels()))
    assert said(archive) == []
    archive.label("c00000", "yes", NAME)
    assert said(archive) == [("c00000", "yes", NAME, None)]
    assert store.count("labels") == 2


def test_labels_tell_what_they_are_of(archive: td.Archive) -> None:
    archive.label(["c00000", "event-0001"], "yes", NAME)
    change, event = archive.labels().to_pylist()
    assert (change["target"], event["target"]) == ("change", "event")
    assert change["model"] == event["model"] == SUFFIX
    assert f"{change['date']:%Y-%m-%d}" == "2018-04-10"
    assert f"{event['date']:%Y-%m-%d}" == "2018-04-13"
    assert change["geometry"] is not None


def test_labels_outlive_detection_and_say_what_is_gone(archive: td.Archive) -> None:
    archive.label(["c00000", "c00001", "event-0005"], "yes", NAME)
    archive.label(["c00003", "c00100"], "no", NAME)
    rows = judged.rows()
    kept = [i for i in range(rows.num_rows) if i not in (1, 100)]
    archive.store.overwrite(f"changes_{SUFFIX}", rows.take(kept))
    told = {row["target_id"]: row["target"] for row in archive.labels().to_pylist()}
    assert told == {
        "c00000": "change",
        "c00001": "gone",
        "event-0005": "event",
        "c00003": "change",
        "c00100": "gone",
    }
    found = archive.similar(labels=NAME, k=5)
    assert found.note is not None
    assert "2 of 5 labels clear-cut are left out: their changes are not" in found.note
    same = archive.similar(like=["c00000", "event-0005"], unlike=["c00003"], k=5)
    assert found.to_arrow().equals(same.to_arrow())
    archive.unlabel("c00001", NAME)
    assert "c00001" not in {row[0] for row in said(archive)}


def test_labels_on_which_people_disagree_teach_nothing(archive: td.Archive) -> None:
    archive.label(["c00000", "c00012"], "yes", NAME, "ann")
    archive.label(["c00012", "c00003"], "no", NAME, "bea")
    found = archive.similar(labels=NAME, k=5)
    same = archive.similar(like=["c00000"], unlike=["c00003"], k=5)
    assert found.to_arrow().equals(same.to_arrow())
    assert found.note is not None
    assert "1 labels clear-cut are left out: people disagree" in found.note


def test_labels_all_gone_are_told(archive: td.Archive) -> None:
    archive.label("c00000", "yes", NAME)
    rows = judged.rows()
    archive.store.overwrite(f"changes_{SUFFIX}", rows.slice(10))
    with pytest.raises(
        QueryError, match="nothing is liked: labels clear-cut hold no yes"
    ):
        archive.similar(labels=NAME)


@pytest.mark.parametrize(
    ("ids", "verdict", "name", "words"),
    [
        (["c00000", "c0000x"], "yes", NAME, "no change 'c0000x'.*did you mean c0000"),
        ([], "yes", NAME, "expected ids of changes or events to label, got none"),
        (["c00000"], "maybe", NAME, "expected the verdict yes or no, got 'maybe'"),
        (["c00000"], "yes", "  ", "expected a name of 1 to 200 characters, got 0"),
        (["kind/toy_v1_0/3"], "yes", NAME, "no change 'kind/toy_v1_0/3'"),
    ],
)
def test_nothing_is_written_where_something_is_wrong(
    archive: td.Archive, ids: list[str], verdict: str, name: str, words: str
) -> None:
    with pytest.raises(ArchiveError, match=words):
        archive.label(ids, verdict, name)  # type: ignore[arg-type] # wrong on purpose
    assert not archive.store.exists("labels")


def test_an_archive_without_changes_says_so(tmp_path: Path) -> None:
    empty = td.create(tmp_path / "empty.td", td.Grid(160))
    with pytest.raises(ArchiveError, match="holds no changes to label"):
        empty.label("c00000", "yes", NAME)
    assert empty.labels().num_rows == 0


@pytest.mark.parametrize(
    "ending",
    [".geojson", ".gpkg", ".fgb", ".parquet"],
)
def test_exported_labels_are_read_by_evaluate(
    archive: td.Archive, tmp_path: Path, ending: str
) -> None:
    archive.label(["c00000", "event-0001"], "yes", NAME)
    archive.label("c00040", "no", NAME)
    path = tmp_path / f"labels{ending}"
    assert archive.export(path, what="labels") == 3
    read = read_vector(path, fields.Reading())
    order = read.onset.argsort(kind="stable")
    assert read.changed[order].tolist() == [True, True, False]
    assert read.kind.tolist() == [NAME] * 3
    days = ["2018-04-10", "2018-04-13", "2018-05-20"]
    assert read.onset[order].astype(str).tolist() == days
    assert {shape.geom_type for shape in read.shapes} == {"Polygon"}


@pytest.mark.parametrize("ending", [".csv", ".jsonl"])
def test_labels_are_exported_as_tables(
    archive: td.Archive, tmp_path: Path, ending: str
) -> None:
    archive.label(["c00000", "event-0001"], "yes", NAME, "ann")
    path = tmp_path / f"labels{ending}"
    assert archive.export(path, what="labels") == 2
    text = path.read_text()
    assert "c00000" in text
    assert "ann" in text


def command(*words: object) -> Result:
    """The command in this process, which has everything loaded."""
    return CliRunner().invoke(app, [str(word) for word in words])


def test_the_command_says_what_python_says(archive: td.Archive) -> None:
    root = archive.store.root
    done = command(
        *("label", root, "--name", NAME, "--who", "ann"),
        *("--yes", "c00000,c00012", "--no", "c00003", "--next", 4, "--json"),
    )
    assert done.exit_code == 0, done.stderr
    assert "2 are clear-cut" in done.stderr
    assert said(archive) == [
        ("c00000", "yes", NAME, "ann"),
        ("c00012", "yes", NAME, "ann"),
        ("c00003", "no", NAME, "ann"),
    ]
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    python = archive.uncertain(labels=NAME, n=4).to_arrow()
    assert [line["change_id"] for line in lines] == python["change_id"].to_pylist()
    done = command("similar", root, "--labels", NAME, "-k", 6, "--json")
    lines = [json.loads(line) for line in done.stdout.splitlines()]
    python = archive.similar(labels=NAME, k=6).to_arrow()
    assert [line["change_id"] for line in lines] == python["change_id"].to_pylist()
    assert [line["distance"] for line in lines] == python["distance"].to_pylist()


@pytest.mark.parametrize(
    ("words", "status", "phrase"),
    [
        (("--yes", "c00000"), 2, "expected --name"),
        (("--name", NAME), 2, "expected --yes, --no, --withdraw, --list or --next N"),
        (
            ("--name", NAME, "--yes", "c00000", "--no", "c00000"),
            2,
            "both --yes and --no",
        ),
        (("--name", NAME, "--yes", "c0000x"), 1, "error: no change 'c0000x'"),
        (("--name", NAME, "--next", "0"), 1, "between 1 and 1,000"),
    ],
)
def test_the_command_says_what_is_wrong(
    archive: td.Archive, words: tuple[str, ...], status: int, phrase: str
) -> None:
    done = command("label", archive.store.root, *words)
    told = done.output + (f"error: {done.exception}" if done.exception else "")
    assert done.exit_code == status
    assert phrase in " ".join(told.split())
