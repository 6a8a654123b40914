"""Models of archives with patches of different size, on one grid and one label rule."""

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

import terradrift as td
from terradrift.archive.judge import comparing
from terradrift.archive.judge.two_dates import span
from terradrift.cli import app
from terradrift.errors import ArchiveError, SourceError
from terradrift.evaluate.fields import Reading

DATES = {"date_before": "2019-02", "date_after": "2019-06"}


@pytest.fixture(scope="module")
def coarse(scenes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("coarse") / "coarse.td"
    made = td.create(place, td.Grid(160))
    made.ingest(scenes)
    made.embed("spectral", quiet=True)
    return place


def test_two_archives_are_held_to_the_same_cells(
    finished: Path, coarse: Path, scenes: Path, tmp_path: Path
) -> None:
    days = [str(day) for day in _days(finished)]
    found = td.open(finished).compare(
        scenes.parent / "truth.geojson",
        others=[coarse],
        date_before=days[0],
        date_after=days[-1],
        quiet=True,
    )
    assert found.cell == 160
    assert {(line.model, line.patch_size) for line in found.lines} == {
        ("mosaiks", 80),
        ("spectral", 160),
    }
    assert {line.measure for line in found.lines} == {"cosine", "Euclidean"}
    assert len({line.common.cells for line in found.lines}) == 1
    assert len({tuple(line.common.changed.values()) for line in found.lines}) == 1
    first = {line.patch_size: line.own for line in found.lines}
    assert first[80].cells == 4 * first[160].cells
    for line in found.lines:
        same = line.patch_size == found.cell
        assert (line.common.roc_auc == line.own.roc_auc) == same
        assert line.own.silent < line.own.cells / 2
    page, record = comparing.write(found, tmp_path / "out")
    assert page.read_text() == page.read_text().strip() + "\n"
    assert '"common"' in record.read_text()


def test_all_dates_are_ranked_by_detectors(coarse: Path, scenes: Path) -> None:
    found = td.open(coarse).compare(
        scenes.parent / "truth.geojson", detectors=["centroid-drift"], quiet=True
    )
    assert [line.measure for line in found.lines] == ["centroid-drift"]
    assert found.dates.startswith("The largest score of any date, 20")


def test_what_cannot_be_compared_is_told_in_one_line(
    finished: Path, coarse: Path, scenes: Path, tmp_path: Path
) -> None:
    labels, one = scenes.parent / "truth.geojson", td.open(coarse)
    with pytest.raises(
        ValueError, match="expected both --date-before and --date-after"
    ):
        one.compare(labels, date_before="2019-01-01")
    with pytest.raises(
        ArchiveError, match=r"no vectors of dinov2-s, only of spectral; "
    ):
        one.compare(labels, models=["dinov2-s"])
    with pytest.raises(ArchiveError, match="no archive holds vectors of presto; run"):
        one.compare(labels, models=["spectral", "presto"], quiet=True)
    with pytest.raises(SourceError, match="expected labels, got no file"):
        one.compare(tmp_path / "none.geojson")
    with pytest.raises(ArchiveError, match=r"clear up to 1999-01-31 and again from"):
        one.compare(labels, date_before="1999-01", date_after="1999-06", quiet=True)
    far = tmp_path / "far.csv"
    far.write_text("longitude,latitude\n-70.0,10.0\n")
    with pytest.raises(SourceError, match="nothing changed on the ground that all"):
        one.compare(far, detectors=["centroid-drift"], quiet=True)
    with pytest.raises(ValueError, match="temporal-median reads no embedding"):
        one.compare(labels, detectors=["temporal-median"], quiet=True)
    with pytest.raises(ArchiveError, match="holds no vectors of any model; run"):
        td.create(tmp_path / "empty.td").compare(labels)
    with pytest.raises(ValueError, match="a date before and a later one after, got"):
        span("2019-05", "2019-05-03")
    for wrong in ("x", "2019-05/2019-06", "2019-13"):
        with pytest.raises(ValueError, match="expected a date such as 2018-05-16 or"):
            span("2019-01-01", wrong)


def test_one_date_is_nothing_to_compare(
    coarse: Path, scenes: Path, tmp_path: Path
) -> None:
    made = td.create(tmp_path / "one.td", td.Grid(160))
    made.ingest(scenes, datetime=str(_days(coarse)[0]))
    made.embed("spectral", quiet=True)
    with pytest.raises(
        ArchiveError, match=r"expected two clear dates or more in .* got"
    ):
        made.compare(scenes.parent / "truth.geojson", quiet=True)


def test_archives_of_other_ground_are_told_apart(
    coarse: Path, tmp_path: Path, scenes: Path
) -> None:
    other = td.create(tmp_path / "e.td", td.Grid(160, crs="EPSG:3035"))
    other.ingest(scenes)
    other.embed("spectral", quiet=True)
    with pytest.raises(
        ArchiveError, match=r"same ground in one CRS, got .*EPSG:32631.*EPSG:3035"
    ):
        comparing.compare(
            [td.open(coarse), other],
            scenes.parent / "truth.geojson",
            Reading(),
            detectors=["centroid-drift"],
            quiet=True,
        )


def test_the_verb_writes_a_page(coarse: Path, scenes: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    days = _days(coarse)
    ran = CliRunner().invoke(
        app,
        [
            "compare",
            str(shutil.copytree(coarse, tmp_path / "copy.td")),
            "--labels",
            str(scenes.parent / "truth.geojson"),
            "--date-before",
            str(days[0]),
            "--date-after",
            str(days[-1]),
            "--cell",
            "320",
            "-q",
            "-o",
            str(page),
        ],
    )
    assert ran.exit_code == 0, ran.output
    assert "On the common grid of 320 m" in page.read_text()


def _days(place: Path) -> list:
    text = "SELECT DISTINCT CAST(datetime AS DATE) AS day FROM scenes ORDER BY day"
    return [row[0] for row in td.open(place).sql(text).fetchall()]
