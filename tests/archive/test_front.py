import inspect
import json
import shutil
from pathlib import Path

import pytest

import terradrift as td
from terradrift.errors import ArchiveError, ModelMismatchError, SourceError
from terradrift.ingest.simulate import simulate


def rows(archive: td.Archive, table: str) -> list[dict[str, object]]:
    return archive.store.scan(table).read_all().to_pylist()


def by_key(archive: td.Archive) -> dict[tuple[object, object], list[float]]:
    table = archive.store.scan("embeddings_mosaiks").read_all()
    return {
        (row["patch_id"], row["datetime"]): row["embedding"]
        for row in table.select(["patch_id", "datetime", "embedding"]).to_pylist()
    }


def test_the_main_job_goes_from_a_catalogue_to_ranked_events(finished: Path) -> None:
    archive = td.open(finished)
    events = archive.events()
    assert events["rank"].to_pylist() == list(range(1, len(events) + 1))
    assert archive.validate() == []
    verbs = [row["verb"] for row in rows(archive, "runs")]
    assert verbs == ["ingest", "embed", "detect", "cluster"]
    assert {row["status"] for row in rows(archive, "runs")} == {"done"}


def test_help_and_completion_show_what_can_be_asked(finished: Path) -> None:
    from terradrift.query.search import similar, uncertain

    archive = td.open(finished)
    for method, function in (
        (archive.similar, similar.similar),
        (archive.uncertain, uncertain.uncertain),
    ):
        _, *wanted = inspect.signature(function).parameters.values()
        assert list(inspect.signature(method).parameters.values()) == wanted
        assert method.__doc__ == function.__doc__
        assert method.__name__ == function.__name__
    unbound = inspect.signature(type(archive).similar).parameters
    assert list(unbound)[:2] == ["self", "change"]
    with pytest.raises(TypeError, match="unexpected keyword argument 'onn'"):
        archive.similar(onn="delta")  # type: ignore[call-arg]  # what is tested


def test_a_second_run_reads_nothing_and_changes_nothing(
    finished: Path, scenes: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "again.td"
    shutil.copytree(finished, copy)
    archive = td.open(copy)
    before = {name: archive.store.dataset(name).version for name in _results(archive)}
    assert archive.ingest(scenes).new == 0
    assert archive.plan().units == ()
    done = archive.run(scenes, quiet=True)
    assert not done.fresh
    after = {name: archive.store.dataset(name).version for name in _results(archive)}
    assert after == before


def test_one_more_scene_is_the_only_one_read(tmp_path: Path) -> None:
    folder = tmp_path / "scenes"
    catalog = simulate(folder, size_px=128, dates=8, seed=3)
    archive = td.create(tmp_path / "grows.td", td.Grid(80))
    archive.run(catalog, quiet=True)
    before = by_key(archive)
    simulate(folder, size_px=128, dates=9, seed=3)
    assert archive.ingest(catalog).new == 1
    assert archive.plan().scenes == 1
    archive.run(catalog, quiet=True)
    after = by_key(archive)
    assert {key: after[key] for key in before} == before
    assert {when for _, when in after.keys() - before} <= {
        max(when for _, when in after)
    }
    assert archive.validate() == []


def test_an_archive_in_two_steps_holds_what_one_step_gives(tmp_path: Path) -> None:
    catalog = simulate(tmp_path / "scenes", size_px=128, dates=8, seed=3)
    whole = td.create(tmp_path / "whole.td", td.Grid(80))
    whole.ingest(catalog)
    whole.embed("spectral", quiet=True)
    parts = td.create(tmp_path / "parts.td", td.Grid(80))
    for period in ("2019-01/2019-02", "2019-03/.."):
        parts.ingest(catalog, datetime=period)
        parts.embed("spectral", quiet=True)
    tables = [
        archive.store.scan("embeddings_spectral")
        .read_all()
        .drop_columns(["run_id"])
        .sort_by([("patch_id", "ascending"), ("datetime", "ascending")])
        for archive in (whole, parts)
    ]
    assert tables[0].equals(tables[1])


def test_the_baseline_jump_of_the_series_is_recorded_and_undone(finished: Path) -> None:
    archive = td.open(finished)
    table = archive.sql(
        "SELECT DISTINCT processing_baseline, boa_offset, boa_offset_source FROM scenes"
    ).df()
    offsets = dict(zip(table.processing_baseline, table.boa_offset, strict=True))
    assert all(
        offset == (-1000 if baseline >= "04.00" else 0)
        for baseline, offset in offsets.items()
    )


def test_every_score_that_is_null_says_why(finished: Path) -> None:
    archive = td.open(finished)
    assert archive.sql(
        "SELECT count(*) FROM scores WHERE z IS NULL AND reason IS NULL"
    ).fetchone() == (0,)


def test_a_box_keeps_only_the_patches_that_it_touches(
    scenes: Path, tmp_path: Path
) -> None:
    item = json.loads(next((scenes.parent / "items").glob("*.json")).read_text())
    west, south, east, north = item["bbox"]
    box = (west, south, (west + east) / 2, (south + north) / 2)
    archive = td.create(tmp_path / "part.td", td.Grid(80))
    done = archive.ingest(scenes, bbox=box)
    whole = td.create(tmp_path / "whole.td", td.Grid(80)).ingest(scenes)
    assert 0.2 < done.new_patches / whole.new_patches < 0.4
    assert archive.ingest(scenes, bbox=box).new == 0
    with pytest.raises(ArchiveError, match="made for another region"):
        archive.ingest(scenes, bbox=(west, south, east, north))


def test_another_sensor_is_refused(shared, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    archive = td.create(tmp_path / "one.td", td.Grid(40))
    archive.ingest(shared("data/s2-flanders-2018/catalog.json"), datetime="2018-05")
    with pytest.raises(ArchiveError, match="one archive holds one sensor, got landsat"):
        archive.ingest(shared("data/l8-flanders-2018/catalog.json"))


def test_verbs_out_of_order_say_which_comes_first(tmp_path: Path) -> None:
    archive = td.create(tmp_path / "empty.td")
    with pytest.raises(ArchiveError, match="no scenes yet; run terradrift ingest"):
        archive.embed(quiet=True)
    with pytest.raises(ArchiveError, match="no embeddings of mosaiks; run terradrift"):
        archive.detect(quiet=True)
    with pytest.raises(ArchiveError, match="no changes of mosaiks; run terradrift"):
        archive.cluster(quiet=True)
    assert len(archive.events()) == 0
    assert archive.info()["scenes"] == 0


def test_a_setting_that_detect_does_not_have_is_named(finished: Path) -> None:
    with pytest.raises(ArchiveError, match=r"no setting colour; it has .*controls"):
        td.open(finished).detect(colour=3, quiet=True)


def test_a_patch_that_is_no_whole_number_of_pixels_is_refused(
    scenes: Path, tmp_path: Path
) -> None:
    archive = td.create(tmp_path / "odd.td", td.Grid(85))
    with pytest.raises(ArchiveError, match="pass --patch-size as a multiple of 10"):
        archive.ingest(scenes)


def test_an_empty_selection_says_what_to_widen(scenes: Path, tmp_path: Path) -> None:
    archive = td.create(tmp_path / "none.td")
    with pytest.raises(SourceError, match="widen --bbox"):
        archive.ingest(scenes, datetime="1999")
    assert rows(archive, "runs")[-1]["status"] == "failed"


def test_vectors_of_a_refitted_model_are_refused(
    finished: Path, tmp_path: Path
) -> None:
    copy = tmp_path / "refit.td"
    shutil.copytree(finished, copy)
    scenes = simulate(tmp_path / "scenes", size_px=192, dates=15, seed=3)
    (copy / "models" / "mosaiks.safetensors").unlink()
    archive = td.open(copy)
    archive.ingest(scenes, datetime="2019-07/..")
    with pytest.raises(ModelMismatchError):
        archive.embed(quiet=True)


def test_imported_vectors_without_their_model_ask_for_it(
    finished: Path, scenes: Path, tmp_path: Path
) -> None:
    path = tmp_path / "embeddings.parquet"
    td.open(finished).export(path, what="embeddings")
    archive = td.create(tmp_path / "back.td", td.Grid(80, 10.0))
    archive.import_table(path)
    simulate(tmp_path / "scenes", size_px=192, dates=15, seed=3)
    archive.ingest(tmp_path / "scenes" / "catalog.json")
    with pytest.raises(
        ModelMismatchError, match=r"copy models/mosaiks\.safetensors of"
    ):
        archive.embed(quiet=True)


def test_similar_changes_come_nearest_first_and_without_the_example(
    finished: Path,
) -> None:
    archive = td.open(finished)
    best = archive.sql("SELECT change_id FROM changes ORDER BY score DESC LIMIT 1")
    (change,) = best.fetchone() or ("",)
    found = archive.similar(change=change, k=20).to_arrow()
    distances = found["distance"].to_pylist()
    assert distances == sorted(distances)
    assert change not in found["change_id"].to_pylist()


@pytest.mark.parametrize("ending", ["parquet", "gpkg", "csv", "jsonl"])
def test_changes_leave_in_every_format(
    finished: Path, tmp_path: Path, ending: str
) -> None:
    archive = td.open(finished)
    path = tmp_path / f"changes.{ending}"
    assert archive.export(path) == archive.store.count("changes_mosaiks")
    assert path.stat().st_size > 0


def test_exported_embeddings_come_back_into_an_archive(
    finished: Path, tmp_path: Path
) -> None:
    path = tmp_path / "embeddings.parquet"
    count = td.open(finished).export(path, what="embeddings")
    fresh = td.create(tmp_path / "back.td", td.Grid(80, 10.0))
    assert fresh.import_table(path) == count
    assert fresh.import_table(path) == 0
    assert by_key(fresh) == by_key(td.open(finished))


def test_a_report_is_one_page_or_a_folder_of_pictures(
    finished: Path, tmp_path: Path
) -> None:
    archive = td.open(finished)
    page = archive.report(tmp_path / "report.html", events=3).read_text()
    assert "Before" in page
    assert "http://" not in page.replace("http://www.w3.org", "")
    archive.report(tmp_path / "pictures", events=3)
    assert (tmp_path / "pictures" / "map.png").read_bytes().startswith(b"\x89PNG")


def _results(archive: td.Archive) -> list[str]:
    return [name for name in archive.store.tables() if name != "runs"]


def test_too_few_dates_for_a_change_are_said_and_drift_is_there(
    scenes: Path, tmp_path: Path
) -> None:
    archive = td.create(tmp_path / "pair.td", td.Grid(80))
    archive.ingest(scenes, datetime="2019-01-01/2019-01-31")
    archive.embed("spectral", quiet=True)
    done = archive.detect(quiet=True)
    assert done.events == 0
    assert "a change takes 6: ingest more" in str(done)
    drift = archive.sql("SELECT count(drift), count(z) FROM scores").fetchone()
    assert drift is not None
    assert drift[0] > 0
