"""The command as a user runs it: a process, its output, its exit status."""

import json
import os
import re
import shutil
import subprocess
import sys
from inspect import signature
from pathlib import Path

import pytest

import terradrift as td
from terradrift.cli import _VERBS
from terradrift.cli.run import run as run_verb


def run(
    *words: str | Path, env: dict[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "terradrift", *map(str, words)],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **(env or {})},
    )


def refused(done: subprocess.CompletedProcess[str], status: int, *phrases: str) -> None:
    assert done.returncode == status, done.stderr
    assert "Traceback" not in done.stderr
    for phrase in phrases:
        assert phrase in " ".join(done.stderr.split())
    if status == 1:
        last = done.stderr.strip().splitlines()[-1]
        assert last.startswith("error: ")


def json_lines(done: subprocess.CompletedProcess[str]) -> list[dict[str, object]]:
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_help_names_every_verb() -> None:
    done = run("--help")
    assert done.returncode == 0
    for verb in ("run", "ingest", "embed", "detect", "cluster", "sql", "similar"):
        assert f"  {verb} " in done.stdout


def test_help_is_plain_whole_lines_in_groups() -> None:
    done = run("--help", env={"COLUMNS": "80", "FORCE_COLOR": "1"})
    lines = done.stdout.splitlines()
    assert max(map(len, lines)) <= 80
    assert "..." not in done.stdout.split("[ARGS]...")[1]
    assert "\x1b" not in done.stdout
    for heading in ("Make an archive:", "Ask it:", "Judge what it says:", "Keep it:"):
        assert heading in lines
    verbs = [line for line in lines if line.startswith("  ") and line[2].islower()]
    # Those added one by one, and `models`.
    assert len(verbs) == sum(map(len, _VERBS.values())) + 1
    assert all(line.endswith(".") for line in verbs)


def test_many_options_stand_in_groups_and_none_is_lost() -> None:
    said = run("run", "--help", env={"COLUMNS": "80"}).stdout
    sections = said.split("\n\n")
    (scenes,) = (part for part in sections if part.startswith("Which scenes:"))
    assert "--bbox" in scenes
    assert "--model" not in scenes
    (rest,) = (part for part in sections if part.startswith("Options:"))
    assert "--dry-run" in rest
    assert "--help" in rest
    listed = re.findall(r"^  (?:-\w, )?--([a-z-]+)", said, re.MULTILINE)
    wanted = {name.replace("_", "-") for name in signature(run_verb).parameters}
    named = wanted - {"archive", "source", "as-json"} | {"json", "help"}
    assert sorted(listed) == sorted(named)


def test_run_prints_ranked_events_as_json_lines(scenes: Path, tmp_path: Path) -> None:
    place = tmp_path / "a.td"
    done = run(
        *("run", place, scenes, "--patch-size", "80", "--model", "spectral"),
        *("--threads", "2", "--json"),
    )
    events = json_lines(done)
    assert [event["rank"] for event in events] == list(range(1, len(events) + 1))
    assert "scenes found" in done.stderr
    again = run("run", place, scenes, "--model", "spectral", "--json", "--quiet")
    assert json_lines(again) == events
    assert again.stderr == ""


def test_a_dry_run_counts_and_reads_nothing(scenes: Path, tmp_path: Path) -> None:
    place = tmp_path / "a.td"
    done = run("run", place, scenes, "--patch-size", "80", "--dry-run", "--json")
    (plan,) = json_lines(done)
    assert plan["scenes"] == 14
    assert isinstance(plan["bytes"], int)
    assert plan["bytes"] > 1_000_000
    assert not place.exists()


def test_a_dry_run_leaves_an_archive_as_it_was(scenes: Path, tmp_path: Path) -> None:
    place = tmp_path / "a.td"
    first = ("ingest", place, scenes, "--patch-size", "80", "--datetime", "2019-01")
    (done,) = json_lines(run(*first, "--json"))
    assert done["new"] == done["found"] == 3
    (plan,) = json_lines(run("run", place, scenes, "--dry-run", "--json"))
    assert plan["scenes"] == 14
    (facts,) = json_lines(run("info", place, "--json"))
    assert facts["scenes"] == 3
    assert facts["runs"] == "1 rows"


def test_a_first_run_that_failed_does_not_settle_the_grid(
    scenes: Path, tmp_path: Path
) -> None:
    place = tmp_path / "a.td"
    refused(run("run", place, scenes, "--patch-size", "7"), 1, "multiple of 10")
    (done,) = json_lines(run("ingest", place, scenes, "--patch-size", "80", "--json"))
    assert done["patch_size"] == 80


def test_a_model_that_is_not_there_is_refused_before_anything_is_written(
    scenes: Path, tmp_path: Path
) -> None:
    place = tmp_path / "a.td"
    refused(
        run("run", place, scenes, "--model", "clya"),
        1,
        "'clya'; did you mean",
        "clay-v1.5",
    )
    refused(run("run", place, scenes, "--device", "abacus"), 2, "got 'abacus'")
    assert not place.exists()


def test_scenes_without_a_mask_are_told(scenes: Path, tmp_path: Path) -> None:
    done = run("run", tmp_path / "a.td", scenes, "--mask", "none", "--dry-run")
    assert "14 without a mask: their clouds count as clear" in done.stderr


def test_one_date_is_refused_and_stays_for_the_next_run(
    scenes: Path, tmp_path: Path
) -> None:
    place = tmp_path / "a.td"
    words = ("run", place, scenes, "--patch-size", "80", "--model", "spectral")
    refused(
        run(*words, "--datetime", "2019-01-16"),
        1,
        "at least 2 dates, got 1",
        "run again",
    )
    assert run("validate", place).returncode == 0
    assert run(*words, "--quiet").returncode == 0


def test_too_few_dates_are_told_wherever_changes_are_asked_for(
    scenes: Path, tmp_path: Path
) -> None:
    place = tmp_path / "a.td"
    words = ("run", place, scenes, "--patch-size", "80", "--model", "spectral")
    assert run(*words, "--datetime", "2019-01").returncode == 0
    assert "a change takes 6: ingest more" in run("events", place).stderr
    assert "0 kinds of change" in run("cluster", place).stderr
    out = tmp_path / "changes.parquet"
    assert "0 changes to" in run("export", place, out).stderr
    page = tmp_path / "report.html"
    assert run("report", place, "-o", page).returncode == 0
    assert "no patch was clear on enough of them" in page.read_text()


def test_a_row_of_a_table_that_goes_into_a_pipe_is_one_line(finished: Path) -> None:
    done = run("sql", finished, "SELECT repeat('a b ', 200) AS long, 1 AS one")
    assert len(done.stdout.splitlines()) == 2


def test_sql_answers_as_table_json_and_file(finished: Path, tmp_path: Path) -> None:
    text = "SELECT count(*) AS n FROM changes"
    assert "n" in run("sql", finished, text).stdout
    (row,) = json_lines(run("sql", finished, text, "--json"))
    out = tmp_path / "answer.csv"
    assert run("sql", finished, text, "-o", out).returncode == 0
    assert out.read_text().splitlines()[1] == str(row["n"])


def test_similar_filters_first_and_gives_k_rows(finished: Path) -> None:
    (best, *_) = json_lines(run("events", finished, "--json"))
    assert {"longitude", "latitude", "n_patches", "max_score", "peak"} <= set(best)
    head, first, *_ = run("events", finished).stdout.splitlines()
    assert head.split()[:3] == ["rank", "event_id", "start"]
    assert str(best["event_id"]) in first
    assert len(first) <= 110
    event = best["event_id"]
    rows = json_lines(
        run("similar", finished, "--event", str(event), "-k", "5", "--json")
    )
    ((others,),) = (
        td.open(finished)
        .sql("SELECT count(*) FROM changes WHERE event_id <> $event", event=event)
        .fetchall(),
    )
    assert 0 < len(rows) == min(5, others[0])
    assert [row["rank"] for row in rows] == list(range(1, len(rows) + 1))


def test_a_user_can_look_around(finished: Path, tmp_path: Path) -> None:
    (facts,) = json_lines(run("info", finished, "--json"))
    assert facts["sensor"] == "sentinel-2"
    assert run("validate", finished).returncode == 0
    names = [row["name"] for row in json_lines(run("models", "--json"))]
    assert {"mosaiks", "spectral"} <= set(names)
    page = tmp_path / "report.html"
    assert run("report", finished, "-o", page, "-n", "2").returncode == 0
    assert page.exists()


def test_the_file_of_an_export_is_an_argument_or_an_option(
    finished: Path, tmp_path: Path
) -> None:
    files = [tmp_path / "one.geojson", tmp_path / "two.geojson"]
    assert run("export", finished, files[0]).returncode == 0
    assert run("export", finished, "-o", files[1]).returncode == 0
    one, two = (json.loads(file.read_text())["features"] for file in files)
    assert one == two != []
    refused(run("export", finished), 2, "expected one file")
    refused(run("export", finished, files[0], "-o", files[1]), 2, "expected one file")


def test_optimize_keeps_the_answers(finished: Path, tmp_path: Path) -> None:
    copy = tmp_path / "copy.td"
    shutil.copytree(finished, copy)
    before = json_lines(run("events", copy, "--json"))
    assert run("optimize", copy).returncode == 0
    assert json_lines(run("events", copy, "--json")) == before
    (done,) = json_lines(run("detect", copy, "--json"))
    assert done["fresh"] is False


@pytest.mark.parametrize(
    "case",
    [
        (("frobnicate",), 2, "No such command"),
        (("run", "{new}", "{scenes}", "--bbox", "3,4"), 1, "expected a box west"),
        (("run", "{new}", "{scenes}", "--datetime", "soon"), 2, "expected a period"),
        (("run", "{new}", "{scenes}", "--patch-size", "0"), 2, "metres above 0"),
        (("run", "{new}", "{scenes}", "--crs", "EPSG:4326"), 2, "grid CRS must be"),
        (("run", "{new}", "{scenes}", "--boa-offset", "5"), 2, "expected 0 or -1000"),
        (("run", "{new}", "{scenes}", "--pattern", "x.tif"), 2, "a pattern with one"),
        (("run", "{new}", "/nowhere"), 1, "/nowhere"),
        (
            ("run", "{old}", "{scenes}", "--model", "clya"),
            1,
            "did you mean clay-v1.0 or clay-v1.5",
        ),
        (("run", "{old}", "{scenes}", "--patch-size", "40"), 1, "has a grid with"),
        (("sql", "{old}", "DROP TABLE changes"), 1, "only reads"),
        (("sql", "{old}", "SELECT * FROM read_csv('/etc/passwd')"), 1, "read_csv"),
        (("sql", "{old}", "SELECT nosuch FROM changes"), 1, "nosuch"),
        (("similar", "{old}", "--change", "x", "-k", "0"), 1, "between 1 and 100,000"),
        (("similar", "{old}", "--change", "nosuch"), 1, "nosuch"),
        (("info", "{new}"), 1, "no archive at"),
        (("export", "{old}", "x.xyz"), 1, "expected a file ending in"),
        (("export", "{old}", "x.parquet", "--what", "cows"), 2, "got 'cows'"),
    ],
)
def test_bad_input_gets_one_clear_line(
    finished: Path,
    scenes: Path,
    tmp_path: Path,
    case: tuple[tuple[str, ...], int, str],
) -> None:
    words, status, phrase = case
    places = {"new": tmp_path / "new.td", "old": finished, "scenes": scenes}
    refused(run(*(word.format(**places) for word in words)), status, phrase)


def test_a_folder_that_may_not_be_written_is_refused(tmp_path: Path) -> None:
    taken = tmp_path / "file"
    taken.write_text("")
    refused(run("run", taken / "a.td", "/nowhere"), 1, str(taken))


def test_a_scene_that_cannot_be_read_is_named_and_harms_nothing(
    scenes: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "scenes"
    shutil.copytree(scenes.parent, folder)
    images = sorted((folder / "images").glob("*.tif"))
    whole = images[5].read_bytes()
    images[5].write_bytes(whole[: len(whole) // 3])
    place, catalog = tmp_path / "a.td", folder / "catalog.json"
    words = ("run", place, catalog, "--patch-size", "80", "--model", "spectral")
    refused(run(*words), 1, images[5].stem)
    done = run(*words, "--skip-bad", "--json")
    assert json_lines(done)
    assert images[5].stem in done.stderr
    assert run("validate", place).returncode == 0
    # The scene was not marked as done: mended, it is the only one read.
    images[5].write_bytes(whole)
    mended = run(*words, "--dry-run", "--json")
    (plan,) = json_lines(mended)
    assert plan["scenes"] == 1


def test_a_second_writer_is_told_who_holds_the_archive(
    finished: Path, tmp_path: Path, scenes: Path
) -> None:
    import terradrift as td

    copy = tmp_path / "held.td"
    shutil.copytree(finished, copy)
    with td.open(copy).store.lock("embed"):
        done = run("ingest", copy, scenes)
    refused(done, 1, f"{os.getpid()}", "embed")
