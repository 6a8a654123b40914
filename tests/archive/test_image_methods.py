"""`detect --method` of detectors on pixels: rows, maps, no future, and what is refused."""

import json
import shutil
from datetime import UTC
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import rasterio
from typer.testing import CliRunner

import terradrift as td
from terradrift.archive.pixels.stacks import stacks
from terradrift.cli import app
from terradrift.detect.image.median import TemporalMedian
from terradrift.detect.image.patches import upper_mean
from terradrift.errors import ArchiveError, UnknownPluginError


@pytest.fixture(scope="module")
def place(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    copied = tmp_path_factory.mktemp("pixels") / "small.td"
    return Path(shutil.copytree(finished, copied))


@pytest.fixture
def archive(place: Path) -> td.Archive:
    return td.open(place)


def _rows(archive: td.Archive, method: str = "temporal-median") -> dict[Any, Any]:
    name = "anomalies_" + method.replace("-", "_")
    rows = archive.store.scan(name).read_all().to_pylist()
    for row in rows:
        del row["run_id"]
    return {(row["patch_id"], row["datetime"]): row for row in rows}


def test_every_observation_has_a_row_with_the_score_of_its_patch(
    archive: td.Archive,
) -> None:
    done = archive.detect(method="temporal-median", quiet=True, min_history=3)
    rows = _rows(archive)
    assert (len(rows), done.table) == (done.observations, "anomalies_temporal_median")
    seen = 0
    for stack in stacks(archive.store, threads=1):
        at = len(stack) - 1
        score = TemporalMedian().detect(stack).score
        each = upper_mean(score, stack.patch_px, 0.1)
        for n, patch in enumerate(stack.patch_ids.tolist()):
            when = stack.times[at, n]
            if not stack.clear_percent[at, n] > 0:
                continue
            row = rows[patch, when.item().replace(tzinfo=UTC)]
            assert row["tile"] == stack.tile
            assert row["scene_id"] == stack.scenes[at, n]
            assert row["clear_percent"] == stack.clear_percent[at, n]
            if stack.clear_percent[at, n] < 70:
                assert (row["score"], row["reason"]) == (None, "not clear enough")
            else:
                want = each[stack.rows[n], stack.cols[n]]
                assert row["score"] == pytest.approx(want)
                assert row["n_reference"] == (stack.clear_percent[:at, n] >= 70).sum()
                assert row["reference_end"] < row["datetime"]
                seen += 1
    assert seen
    assert archive.validate() == []
    told = archive.sql(
        "SELECT verb, rows, status FROM runs ORDER BY ended DESC LIMIT 1"
    ).fetchone()
    assert told == ("detect-temporal-median", done.observations, "done")
    about = archive.store.dataset("anomalies_temporal_median").schema.metadata
    assert about[b"detector"].startswith(b"TemporalMedian(")
    assert about[b"min_history"] == b"3"


def test_no_date_knows_a_later_one(archive: td.Archive) -> None:
    archive.detect(method="rx-difference", quiet=True, min_history=3)
    whole = _rows(archive, "rx-difference")
    days = sorted({when.date() for _, when in whole})
    archive.detect(
        method="rx-difference", quiet=True, min_history=3, until=str(days[-3])
    )
    early = _rows(archive, "rx-difference")
    assert max(when.date() for _, when in early) == days[-3]
    assert all(whole[key] == row for key, row in early.items())
    since = str(days[-4])
    archive.detect(method="rx-difference", quiet=True, min_history=3, since=since)
    late = _rows(archive, "rx-difference")
    assert {when.date() for _, when in late} == set(days[-4:])
    assert all(whole[key] == row for key, row in late.items())


def test_scores_do_not_depend_on_windows_or_threads(archive: td.Archive) -> None:
    how: dict[str, Any] = {"method": "temporal-median", "quiet": True, "robust": False}
    archive.detect(threads=1, **how)
    whole = _rows(archive)
    archive.detect(threads=3, window_px=48, **how)
    cut = _rows(archive)
    assert whole.keys() == cut.keys()
    for key, row in whole.items():
        assert cut[key]["score"] == pytest.approx(row["score"])
        assert cut[key]["scene_id"] == row["scene_id"]


def test_few_frames_are_shown_where_few_are_asked_for(archive: td.Archive) -> None:
    how: dict[str, Any] = {"method": "temporal-median", "quiet": True, "min_history": 3}
    archive.detect(max_frames=3, **how)
    whole = _rows(archive)
    since = str(sorted({when.date() for _, when in whole})[-2])
    archive.detect(max_frames=3, calibration=0, since=since, **how)
    late = _rows(archive)
    assert late
    for key, row in late.items():
        assert row["n_reference"] <= 3
        for name in ("score", "n_reference", "reference_start", "reference_end"):
            assert row[name] == whole[key][name]
        assert row["p_value"] is None


def test_maps_lie_on_the_ground_that_was_judged(
    archive: td.Archive, tmp_path: Path
) -> None:
    done = archive.detect(
        method="temporal-median",
        quiet=True,
        min_history=3,
        window_px=64,
        maps=tmp_path / "maps",
    )
    made = sorted((tmp_path / "maps").iterdir())
    assert sorted(map(Path, done.maps)) == made
    checked = 0
    for stack in stacks(archive.store, threads=1):
        at = len(stack) - 1
        name = f"temporal-median_{stack.tile}_{stack.days[at]}.tif"
        found = TemporalMedian().detect(stack)
        with rasterio.open(tmp_path / "maps" / name) as file:
            assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
            assert file.crs.to_epsg() == stack.epsg
            assert file.descriptions == (
                "score",
                *(f"expected {band}" for band in stack.bands),
            )
            a, _, west, _, e, north = tuple(file.transform)[:6]
            assert (a, e) == (stack.gsd, -stack.gsd)
            assert (west, north) == stack.corner
            assert found.expected is not None
            np.testing.assert_allclose(file.read(1), found.score, rtol=1e-6)
            np.testing.assert_allclose(file.read(2), found.expected[0], rtol=1e-6)
        checked += 1
    assert checked


def test_the_command_takes_settings_and_says_what_it_did(
    place: Path, tmp_path: Path
) -> None:
    def run(text: str) -> Any:
        return CliRunner().invoke(app, f"detect {place} {text}".split())

    done = run(
        "--method rx-temporal --set min_history=4 --set min_past=4 --set share=0.2 "
        f"--json -q --maps {tmp_path / 'maps'} --since 2018-06 --until 2030"
    )
    assert done.exit_code == 0, done.output
    told = json.loads(done.stdout)
    assert told["method"] == "rx-temporal"
    assert 0 < told["scored"] <= told["observations"]
    assert len(told["maps"]) == len(list((tmp_path / "maps").glob("rx-temporal_*.tif")))
    for text, said in (
        ("--method rx-temporal --set min_hist=4", "did you mean min_history"),
        ("--method rx-temporal --set min_past=1", "min_past must be at least 2"),
        ("--method rx-temporal --max-false-alarms 1", "a method reports no"),
        ("--method rx-temporal --since yesterday", "expected a period"),
        ("--method rx-temporal --set since=2018", "pass --since instead"),
        ("--since 2018", "only go with a method"),
        ("--set a=b", "only go with a method"),
    ):
        refused = run(text)
        assert refused.exit_code == 2, text
        assert said in " ".join(refused.output.replace("│", " ").split()), text


@pytest.mark.parametrize("method", ["rx", "segments"])
def test_maps_that_cannot_be_written_are_told_before_anything_is_judged(
    archive: td.Archive,
    tmp_path: Path,
    method: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(rasterio, "open", None)
    there = tmp_path / "afile"
    there.write_text("mine")
    how: dict[str, Any] = {"method": method, "quiet": True, "threads": 1}
    for folder in (there, there / "below", Path("/proc/x")):
        with pytest.raises(ArchiveError, match=r"cannot write maps into .*: ") as told:
            archive.detect(**how, maps=folder)
        assert "\n" not in str(told.value)
    assert there.read_text() == "mine"


def test_a_method_of_one_frame_judges_the_first_and_others_say_how_to_begin_earlier(
    archive: td.Archive,
) -> None:
    archive.detect(method="rx", quiet=True)
    rows = _rows(archive, "rx").values()
    assert not [row for row in rows if row["reason"] == "too few frames before"]
    first = min(row["datetime"].date() for row in rows)
    assert any(row["score"] for row in rows if row["datetime"].date() == first)
    until = str(sorted({row["datetime"].date() for row in rows})[1])
    few: dict[str, Any] = {"method": "temporal-median", "quiet": True, "until": until}
    none = archive.detect(**few)
    assert none.scored == 0
    assert any("--set min_history=1" in note for note in none.notes)
    assert archive.detect(**few, min_history=1).scored


def test_what_cannot_be_judged_leaves_the_old_rows(
    archive: td.Archive, monkeypatch: pytest.MonkeyPatch
) -> None:
    none = archive.detect(method="temporal-median", quiet=True, min_past=1000)
    assert none.scored == 0
    assert any("no pixel has enough clear frames" in note for note in none.notes)
    archive.detect(method="rx", quiet=True)
    before = _rows(archive, "rx")
    with monkeypatch.context() as closed:
        closed.setattr(rasterio, "open", None)  # said before the first file is read
        with pytest.raises(ArchiveError, match="no clear pixel from 2031"):
            archive.detect(method="rx", quiet=True, since="2031")
    assert _rows(archive, "rx") == before
    with pytest.raises(UnknownPluginError, match=r"there are: .*rx-temporal: Squared"):
        archive.detect(method="rx-tempral", quiet=True)
    with pytest.raises(ValueError, match="max_frames must be at least min_history"):
        archive.detect(method="rx-difference", quiet=True, max_frames=2)
