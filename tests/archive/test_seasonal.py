"""`detect --method seasonal` on an archive: rows, reasons, and the same on any threads."""

import json
import shutil
from pathlib import Path

import numpy as np
import pytest

import terradrift as td
from terradrift.archive.methods.scene_codes import SceneCodes
from terradrift.errors import ArchiveError
from terradrift.store import series

TABLE = "anomalies_seasonal_mosaiks"


@pytest.fixture(scope="module")
def archive(finished: Path, tmp_path_factory: pytest.TempPathFactory) -> td.Archive:
    place = tmp_path_factory.mktemp("seasonal") / "copy.td"
    opened = td.open(shutil.copytree(finished, place))
    opened.detect(method="seasonal", threads=1, quiet=True, min_past=20)
    return opened


def _rows(archive: td.Archive) -> list[dict[str, object]]:
    held = archive.store.dataset(TABLE).to_table().drop_columns(["run_id"])
    return sorted(
        held.to_pylist(), key=lambda row: (row["patch_id"], str(row["datetime"]))
    )


def test_every_observation_has_a_row_with_a_score_or_a_reason(
    archive: td.Archive,
) -> None:
    rows = _rows(archive)
    assert len(rows) == archive.store.count("embeddings_mosaiks")
    assert {row["method"] for row in rows} == {"seasonal"}
    for row in rows:
        assert (row["reason"] is None) == (row["p_value"] is not None)
        if row["score"] is not None:
            assert 0 <= row["score"] <= 2
            assert row["n_reference"] >= 1
            assert row["reference_start"] <= row["reference_end"] < row["datetime"]
        if row["p_value"] is not None:
            assert 0 < row["p_value"] <= 1
            assert row["persistent"] == (row["cusum"] > 5)
    assert sum(row["p_value"] is not None for row in rows) > 100
    assert archive.validate() == []


def test_rows_name_the_scene_that_was_seen(archive: td.Archive) -> None:
    wrong = archive.sql(
        "SELECT count(*) FROM anomalies a JOIN observations o USING (patch_id, datetime) "
        "WHERE a.scene_id IS DISTINCT FROM o.scene_id"
    )
    assert wrong.fetchall() == [(0,)]
    ids = SceneCodes(archive.store, "mosaiks")
    for block in series.blocks(archive.store, "mosaiks"):
        assert ((ids.of(block) >= 0) == ~np.isnat(block.times)).all()


def test_the_median_of_a_scene_is_taken_off(archive: td.Archive) -> None:
    medians = archive.sql(
        "SELECT median(score_spatial) FROM anomalies WHERE score_spatial IS NOT NULL "
        "GROUP BY scene_id"
    )
    assert all(abs(value) < 1e-5 for (value,) in medians.fetchall())


def test_the_table_says_how_it_was_made(archive: td.Archive) -> None:
    said = archive.store.dataset(TABLE).schema.metadata
    assert json.loads(said[b"settings"])["min_past"] == 20
    assert said[b"model"] == b"mosaiks"
    assert len(said[b"weights_sha256"]) in (0, 64)
    assert said[b"preprocessing"]


def test_threads_change_nothing_and_a_period_is_kept_to(archive: td.Archive) -> None:
    before = _rows(archive)
    done = archive.detect(method="seasonal", threads=3, quiet=True, min_past=20)
    assert _rows(archive) == before
    assert "seasons are seen as change" in str(done)
    assert done.scored == sum(row["score"] is not None for row in before)
    ranked = sum(row["p_value"] is not None for row in before)
    assert f"{ranked:,} with a p-value" in done.notes
    day = before[len(before) // 2]["datetime"]
    archive.detect(
        method="seasonal",
        quiet=True,
        min_past=20,
        since=str(day)[:10],
        until=str(day)[:10],
    )
    kept = [row for row in before if str(row["datetime"])[:10] == str(day)[:10]]
    assert _rows(archive) == kept


def test_what_cannot_be_judged_is_told(archive: td.Archive, tmp_path: Path) -> None:
    empty = td.create(tmp_path / "empty.td", td.Grid(80))
    with pytest.raises(ArchiveError, match="run terradrift embed first"):
        empty.detect("mosaiks", method="seasonal", quiet=True)
    with pytest.raises(ValueError, match="no single date"):
        archive.detect(method="seasonal", quiet=True, loudest=9.0)
    with pytest.raises(ValueError, match="draws no maps"):
        archive.detect(method="seasonal", quiet=True, maps=tmp_path / "maps")
    with pytest.raises(ValueError, match="did you mean guard_days"):
        archive.detect(method="seasonal", quiet=True, gard_days=3)


@pytest.mark.parametrize("method", ["seasonal", "local"])
def test_a_space_that_knows_later_days_is_told(
    archive: td.Archive, tmp_path: Path, method: str
) -> None:
    copy = td.open(shutil.copytree(archive.store.root, tmp_path / "copy.td"))
    copy.space("whiten")
    settings = {"min_reference": 5}
    done = copy.detect(method=method, quiet=True, **settings)
    table = f"anomalies_{method}_mosaiks"
    fitted = copy.store.dataset(table).schema.metadata[b"space_fitted_on"].decode()
    assert fitted.startswith("up to 20")
    held = copy.store.dataset(table).to_table(columns=["datetime", "score"])
    days = held.to_pandas().dropna().datetime
    first = f"{days.min():%Y-%m-%d}"
    assert f"whiten/1 was fitted on days {fitted}: it knows days after {first}" in str(
        done
    )
    copy.space("raw")
    assert "fitted on" not in str(copy.detect(method=method, quiet=True, **settings))
