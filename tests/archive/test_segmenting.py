"""Regions of an archive's images judged by their past: rows, maps, polygons, abstaining."""

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyproj
import pytest
import rasterio
import shapely

import terradrift as td
from terradrift.embed import library
from terradrift.embed.models.galileo import NANO
from terradrift.errors import ArchiveError
from terradrift.grid import Grid
from terradrift.ingest.plan import patches
from terradrift.ingest.simulate import simulate
from terradrift.store.settings import Settings
from terradrift.store.tables import Store
from tests.ingest.rasters import DAY, UTM, place, table, written

HEIGHT, WIDTH = 70, 90
BLOCK = slice(20, 40), slice(50, 70)
"""Rows and columns of the change, which comes on the last day."""
CLOUDS = {2: (slice(40, 70), slice(0, 30)), 5: (slice(0, 30), slice(0, 30))}
"""By day."""
CORNER = (500_040.0, 5_002_020.0)
"""Inside one tile."""


def _ground(day: int, last: int) -> np.ndarray:
    random = np.random.default_rng(7)
    fields = random.integers(800, 3500, (2, 7, 9)).repeat(10, axis=1).repeat(10, axis=2)
    noise = np.random.default_rng(day).integers(-60, 60, (2, HEIGHT, WIDTH))
    found = fields + noise
    if day == last:
        found[0][BLOCK] = 4000 + noise[0][BLOCK]
        found[1][BLOCK] = 300 + noise[1][BLOCK]
    return found.astype(np.uint16)


def _archive(folder: Path, days: int) -> td.Archive:
    rows = []
    for day in range(days):
        scl = np.full((HEIGHT, WIDTH), 4, np.uint8)
        if day in CLOUDS:
            scl[CLOUDS[day]] = 9
        rows.append(
            written(
                folder,
                f"s{day}",
                _ground(day, days - 1),
                UTM,
                place(corner=CORNER),
                DAY + timedelta(days=5 * day),
                scl=scl,
                scale=1e-4,
            )
        )
    scenes, grid = table(rows), Grid(80, 10.0)
    store = Store.create(folder / "a.td", Settings(grid=grid, bands=("b0", "b1")))
    store.append("patches", patches(scenes, grid, None))
    store.append("scenes", scenes)
    return td.open(folder / "a.td")


def _detect(archive: td.Archive, **given: Any) -> Any:
    settings = {"segments": "superpixels", **given}
    return archive.detect(
        "spectral", method="segments", quiet=True, threads=1, **settings
    )


def _rows(archive: td.Archive) -> Any:
    return archive.sql(
        "SELECT a.*, longitude, latitude FROM anomalies_segments_spectral a "
        "JOIN patches USING (patch_id) ORDER BY datetime, patch_id"
    ).df()


def _inside(rows: Any, margin: int = 4) -> np.ndarray:
    """Whether the middles of patches lie in the block, so far from its border in pixels."""
    x, y = pyproj.Transformer.from_crs(4326, UTM, always_xy=True).transform(
        rows.longitude, rows.latitude
    )
    row, col = (CORNER[1] - np.array(y)) / 10, (np.array(x) - CORNER[0]) / 10
    return (
        (row > BLOCK[0].start + margin)
        & (row < BLOCK[0].stop - margin)
        & (col > BLOCK[1].start + margin)
        & (col < BLOCK[1].stop - margin)
    )


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> td.Archive:
    return _archive(tmp_path_factory.mktemp("segments"), 6)


def test_a_change_is_found_where_and_when_it_was_and_maps_lie_there(
    archive: td.Archive, tmp_path: Path
) -> None:
    done = _detect(archive, maps=tmp_path)
    assert done.table == "anomalies_segments_spectral"
    assert any("superpixels" in note for note in done.notes)
    assert archive.validate() == []
    rows = _rows(archive)
    assert done.observations == len(rows)
    assert done.scored == rows.score.notna().sum()
    last = rows[rows.datetime == rows.datetime.max()]
    inside = _inside(last)
    assert inside.sum() >= 2
    assert last.z[inside].min() > last.z[~_inside(last, -8)].max()
    # Ranked among some 40 patches of like texture, of which a few touch the block.
    assert last.p_value[inside].max() < 0.03
    assert (last.score_spatial[inside] > 0).all()
    before = rows[(rows.datetime < rows.datetime.max()) & rows.p_value.notna()]
    assert (before.p_value <= 0.05).mean() < 0.12

    day = str(last.datetime.iloc[0].date())
    (path,) = [Path(p) for p in done.maps if p.endswith(f"{day}.tif")]
    with rasterio.open(path) as file:
        assert file.crs.to_epsg() == 32631
        assert file.descriptions == ("change", "novelty", "z", "p_value")
        west, north = CORNER
        left, right = (west + 10 * at for at in (BLOCK[1].start, BLOCK[1].stop))
        top, bottom = (north - 10 * at for at in (BLOCK[0].start, BLOCK[0].stop))
        there = rasterio.windows.from_bounds(left, bottom, right, top, file.transform)
        change, novelty, z, _ = file.read()
        rows_, cols = (
            slice(round(a), round(b)) for a, b in zip(*_ends(there), strict=True)
        )
        assert np.median(novelty[rows_, cols]) > 10 * np.nanmedian(novelty)
        assert (
            novelty[np.isfinite(novelty)] <= change[np.isfinite(novelty)] + 1e-6
        ).all()
        assert np.isfinite(z).any()
        # Clouds of the day are in no map.
        cloud = file.sample([(west + 100, north - 100)])
        assert np.isnan(next(cloud)).all()

    (polygons,) = [Path(p) for p in done.maps if p.endswith(".geojson")]
    found = json.loads(polygons.read_text())["features"]
    told = [one for one in found if one["properties"]["date"] == day]
    shape = shapely.union_all([shapely.from_geojson(json.dumps(one)) for one in told])
    to_degrees = pyproj.Transformer.from_crs(UTM, 4326, always_xy=True)
    block = shapely.box(
        *to_degrees.transform(left, bottom), *to_degrees.transform(right, top)
    )
    assert shapely.area(shapely.intersection(shape, block)) > 0.7 * shapely.area(block)
    of_block = max(told, key=lambda one: one["properties"]["z"])["properties"]
    assert of_block["n_reference"] == 5
    assert of_block["reference_end"] < day
    assert of_block["z"] >= 3
    assert of_block["p_value"] <= 0.03
    assert 1_000 <= of_block["area_m2"] <= 60_000
    assert not list(tmp_path.glob(".*")), "nothing unfinished stays"


def _ends(window: Any) -> tuple[tuple[float, float], tuple[float, float]]:
    return (window.row_off, window.col_off), (
        window.row_off + window.height,
        window.col_off + window.width,
    )


def test_what_is_not_clear_or_has_no_past_says_so(archive: td.Archive) -> None:
    done = _detect(archive)
    rows = _rows(archive)
    days = sorted(rows.datetime.unique())
    # Patches at the border of the scene are seen in part.
    seen = rows[rows.clear_percent >= 50]
    first = seen[seen.datetime == days[0]]
    assert set(first.reason) == {"no earlier clear date"}
    assert first.score.isna().all()
    second = seen[seen.datetime == days[1]]
    assert set(second.reason) == {"too few earlier clear dates to calibrate"}
    assert second.score.notna().all()
    assert (second.n_reference == 1).all()
    assert any("stage 1 alone" in note for note in done.notes)
    cloudy = rows[(rows.datetime == days[5]) & (rows.clear_percent < 50)]
    assert len(cloudy) > 4
    assert set(cloudy.reason) == {"not clear"}
    assert cloudy.score.isna().all()
    rest = rows[(rows.datetime == days[5]) & (rows.clear_percent > 60)]
    assert rest.reason.isna().all()
    # Where day 2 was cloudy there is one reference less.
    assert set(rest.n_reference) == {4, 5}
    assert (rest.reference_end < rest.datetime).all()
    assert (rest.reference_start == days[0]).all()


def test_later_dates_change_nothing_and_a_period_is_kept_to(
    archive: td.Archive,
) -> None:
    _detect(archive)
    whole = _rows(archive)
    days = sorted(whole.datetime.unique())
    _detect(archive, since=str(days[3])[:10], until=str(days[4])[:10])
    part = _rows(archive)
    assert sorted(part.datetime.unique()) == days[3:5]
    same = whole[whole.datetime.isin(days[3:5])]
    for name in ("score", "z", "p_value", "n_reference"):
        np.testing.assert_allclose(part[name], same[name], rtol=1e-5)


def test_small_windows_say_much_the_same(archive: td.Archive) -> None:
    _detect(archive)
    whole = _rows(archive)
    _detect(archive, window_px=32)
    small = _rows(archive)
    # A window has no frame on a day without a clear pixel of it.
    both = small.merge(whole, on=["patch_id", "datetime"])
    assert len(both) == len(small) > 0.95 * len(whole)
    scored = both.score_x.notna()
    np.testing.assert_array_equal(scored, both.score_y.notna())
    one, other = (np.log(both[name][scored]) for name in ("score_x", "score_y"))
    assert np.corrcoef(one, other)[0, 1] > 0.9


def test_two_dates_give_stage_one_and_no_calibration(tmp_path: Path) -> None:
    archive = _archive(tmp_path, 2)
    done = _detect(archive)
    assert "no p-values: they take two earlier clear dates or more" in done.notes
    rows = _rows(archive)
    assert rows.p_value.isna().all()
    last = rows[rows.datetime == rows.datetime.max()]
    inside = _inside(last)
    assert last.score[inside].min() > last.score[~_inside(last, -8)].max()


def test_a_day_without_a_clear_pixel_is_nothing_to_judge(
    archive: td.Archive, tmp_path: Path
) -> None:
    done = _detect(archive, since="2021-01-01", maps=tmp_path)
    assert done.observations == 0
    assert any("nothing to judge" in note for note in done.notes)
    (path,) = done.maps
    assert json.loads(Path(path).read_text())["features"] == []
    assert archive.validate() == []


def test_tokens_of_a_foundation_model_give_the_map(
    tmp_path: Path, shared: Callable[[str], Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERRADRIFT_MODELS", str(tmp_path))
    library.add(NANO, shared("weights/galileo_nano/encoder.pt"))
    made = td.create(tmp_path / "a.td", td.Grid(160))
    made.ingest(simulate(tmp_path / "scenes", size_px=48, dates=3, seed=3))
    given = {"method": "segments", "quiet": True, "threads": 1, "cell_px": 8}
    given |= {"chip_size": 16, "segments": "superpixels"}
    with pytest.raises(ValueError, match="made for L1C"):
        made.detect("galileo-nano", **given)
    done = made.detect("galileo-nano", **given, allow_mismatch=True)
    assert done.table == "anomalies_segments_galileo_nano"
    held = made.store.dataset(done.table).schema.metadata
    assert held[b"model"] == b"galileo-nano-tokens"
    assert b"cells of 8 pixels" in held[b"preprocessing"]
    rows = made.sql("SELECT score, clear_percent FROM anomalies ORDER BY datetime").df()
    assert done.scored == rows.score.notna().sum() > 0
    assert rows.score.dropna().between(0, 2).all()


def test_what_cannot_be_done_is_told_in_one_line(archive: td.Archive) -> None:
    with pytest.raises(ArchiveError, match="no fitted mosaiks; run terradrift embed"):
        archive.detect("mosaiks", method="segments", quiet=True)
    with pytest.raises(ValueError, match="no chips of its own"):
        _detect(archive, chip_size=64)
    with pytest.raises(ValueError, match="alert_p is a share"):
        _detect(archive, alert_p=2)
    with pytest.raises(ValueError, match="segments must be auto or sam or superpixels"):
        _detect(archive, segments="slic")
    with pytest.raises(ArchiveError, match="cannot write maps into"):
        _detect(archive, maps=Path(__file__) / "x")
