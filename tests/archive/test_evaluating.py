import json
from pathlib import Path

import geopandas as gpd
import numpy as np
import pytest
import shapely

import terradrift as td
from terradrift.errors import ArchiveError, SourceError


@pytest.fixture(scope="module")
def truth(scenes: Path) -> Path:
    return scenes.parent / "truth.geojson"


def test_planted_changes_are_measured_from_file_to_record(
    finished: Path, truth: Path
) -> None:
    planted = gpd.read_file(truth)
    found = td.open(finished).evaluate(truth, any_touch=True)
    record = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert found.archive == finished.name
    assert record["patches"]["all"] == td.open(finished).store.count("patches")
    assert found.objects is not None
    assert found.objects.count == len(planted)
    assert {one.class_name for one in found.objects.each} == set(planted["kind"])
    assert "dates are read from onset" in found.notes
    assert "false changes / 1,000 km2 yr" in str(found)


def test_what_is_reported_is_what_the_tables_hold(finished: Path, truth: Path) -> None:
    archive = td.open(finished)
    found = archive.evaluate(truth)
    told = archive.sql("SELECT count(DISTINCT patch_id) FROM changes").fetchone()
    assert found.reported is not None
    assert told == (found.reported.reported + found.reported.reported_unknown,)
    years = archive.sql("""
        SELECT sum(days) / 365.25 FROM (
            SELECT date_diff('day', min(datetime), max(datetime)) AS days
            FROM scores SEMI JOIN (
                FROM patch_changes WHERE score IS NOT NULL
            ) USING (patch_id)
            WHERE clear_percent >= 70 GROUP BY patch_id
        )
    """).fetchone()
    assert found.false_alarms is not None
    whole = years[0] * 0.08**2
    assert 0 < found.false_alarms.km2_years < whole
    assert found.picture.corners.shape == (found.patches.all, 4, 2)


def test_scores_of_single_dates_can_be_ranked_by(finished: Path, truth: Path) -> None:
    archive = td.open(finished)
    found = archive.evaluate(truth, score="drift", any_touch=True)
    largest = archive.sql("""
        SELECT patch_id, max(drift) AS score FROM scores
        WHERE clear_percent >= 70 GROUP BY patch_id
    """).to_arrow_table()
    count = largest.num_rows - largest["score"].null_count
    judged = found.patches.judged_changed + found.patches.judged_unchanged
    assert judged <= count
    assert found.reported is None
    assert found.false_alarms is None
    with pytest.raises(ValueError, match="score must be one of change, drift, z, lof"):
        archive.evaluate(truth, score="novelty")


def test_labels_of_points_in_a_table_stand_for_their_patches(
    finished: Path, tmp_path: Path
) -> None:
    archive = td.open(finished)
    some = archive.sql(
        "SELECT patch_id, longitude, latitude FROM patches ORDER BY patch_id LIMIT 40"
    ).to_arrow_table()
    table = some.to_pandas()
    table["changed"] = (np.arange(40) % 4 == 0).astype(int)
    table["date"] = archive.sql("SELECT max(datetime) FROM scenes").fetchone()[0].date()
    table.to_csv(tmp_path / "patches.csv", index=False)
    table.drop(columns="patch_id").to_csv(tmp_path / "points.csv", index=False)
    by_id, by_place = (
        archive.evaluate(tmp_path / name) for name in ("patches.csv", "points.csv")
    )
    assert by_id.patches.changed == 10
    assert by_id.patches.unchanged == 30
    assert by_place.patches == by_id.patches
    assert by_place.ranking == by_id.ranking


def test_labels_that_say_nothing_of_the_archive_are_refused(
    finished: Path, truth: Path, tmp_path: Path
) -> None:
    archive = td.open(finished)
    far = tmp_path / "far.geojson"
    gpd.GeoDataFrame(geometry=[shapely.box(100, 0, 101, 1)], crs=4326).to_file(far)
    with pytest.raises(SourceError, match="no patch of the archive is known to have"):
        archive.evaluate(far)
    with pytest.raises(SourceError, match="dated outside the archive's period"):
        archive.evaluate(truth, date="1999-01-01")
    with pytest.raises(SourceError, match="got no file"):
        archive.evaluate(tmp_path / "absent.tif")
    with pytest.raises(ValueError, match="a raster of labels says itself"):
        archive.evaluate(tmp_path / "absent.tif", controls=far)
    with pytest.raises(ValueError, match="days must be numbers from 0 on"):
        archive.evaluate(truth, days=(-1,))


def test_an_archive_without_changes_says_what_to_do(
    truth: Path, tmp_path: Path
) -> None:
    empty = td.create(tmp_path / "new.td", td.Grid(80))
    with pytest.raises(ArchiveError, match="run terradrift"):
        empty.evaluate(truth)
