"""Archives, relations and results as HTML: escaped, bounded, without scripts."""

import re
from pathlib import Path
from xml.etree import ElementTree as ET

import numpy as np
import pyarrow as pa
import pytest

import terradrift as td
from terradrift.errors import ArchiveError, QueryError
from terradrift.query.result import Result
from terradrift.query.shown import answers, html, places

EVIL = "<script>alert('x')</script>\"&"


def drawings(text: str) -> list[ET.Element]:
    """The SVG in a text, each well formed."""
    return [
        ET.fromstring(one)  # noqa: S314 - ours
        for one in re.findall(r"<svg.*?</svg>", text, re.DOTALL)
    ]


def matches(count: int, **columns: object) -> Result:
    held = {
        "rank": list(range(1, count + 1)),
        "distance": np.linspace(0, 1, count),
        "change_id": [f"c{i}" for i in range(count)],
        "longitude": np.linspace(3, 4, count),
        "latitude": np.linspace(50, 51, count),
    }
    return Result(pa.table(held | columns))


def test_what_is_stored_is_text_and_never_markup() -> None:
    found = matches(2, change_id=[EVIL, "c1"])
    shown = [
        found._repr_html_(),
        html.frame(EVIL, html.note(EVIL), html.facts([(EVIL, EVIL)])),
        answers.relation(pa.table({EVIL: [EVIL]}), {EVIL: "VARCHAR"}, EVIL, more=False),
        places.points(np.array([3.0]), np.array([50.0]), EVIL),
    ]
    for one in shown:
        assert "<script" not in one
        assert "&lt;script&gt;" in one
        assert "http" not in one.replace("http://www.w3.org/2000/svg", "")


def test_a_map_stays_small_whatever_the_number_of_rows() -> None:
    random = np.random.default_rng(0)
    lon, lat = random.uniform(3, 4, 400_000), random.uniform(50, 51, 400_000)
    drawn = places.cells((lon, lat), (lon, lat, random.random(400_000)), "map")
    assert len(drawn) < 120_000
    (svg,) = drawings(drawn)
    assert svg.attrib["aria-label"] == "map"
    assert len(places.points(lon, lat, "map")) < 400_000


def test_a_map_shows_the_strongest_of_a_cell_and_no_place_that_is_not_there() -> None:
    lon, lat = np.array([0.0, 0.0, 1.0]), np.array([0.0, 0.0, 0.0])
    drawn = places.cells((lon, lat), (lon[:2], lat[:2], np.array([5.0, 1.0])), "map")
    (svg,) = drawings(drawn)
    fills = [one.attrib["fill"] for one in svg.iter() if one.tag.endswith("path")]
    assert fills == ["currentColor", places.CIVIDIS[0]]
    assert places.cells((np.array([]), np.array([])), None, "map") == ""
    assert places.points(np.array([np.nan]), np.array([np.nan]), "map") == ""


def test_bars_are_whole_and_part() -> None:
    drawn = places.bars(np.array([4, 0, 2]), np.array([2, 0, 2]), "dates")
    (svg,) = drawings(drawn)
    tall = [float(one.attrib["height"]) for one in svg.iter() if "height" in one.attrib]
    assert tall[1:] == [48.0, 24.0, 24.0, 24.0]
    assert places.bars(np.array([0]), np.array([0]), "none") == ""


def test_a_result_shows_a_map_and_its_first_rows() -> None:
    shown = matches(500)._repr_html_()
    assert "500 matches" in shown
    assert len(drawings(shown)) == 1
    assert shown.count("<tr>") < 20
    assert "c0" in shown
    assert "0 matches" in matches(0)._repr_html_()
    bare = Result(pa.table({"x": [1.0]}))
    assert "1 match<" in bare._repr_html_()


def test_a_relation_shows_types_and_asks_for_few_rows(finished: Path) -> None:
    archive = td.open(finished)
    relation = archive.sql(
        "SELECT i, i / 2 AS half, if(i > 500000000, error('asked too far'), 0) AS far "
        "FROM range(1000000000) r(i)"
    )
    shown = relation._repr_html_()
    assert "first 20 rows, 3 columns" in shown
    assert "bigint" in shown
    few = archive.sql("SELECT patch_id, longitude FROM patches LIMIT 3")
    assert "Relation: 3 rows" in few._repr_html_()
    none = archive.sql("SELECT patch_id FROM patches LIMIT 0")
    assert "Relation: 0 rows" in none._repr_html_()


def test_vectors_are_named_and_not_shown(finished: Path) -> None:
    relation = td.open(finished).sql("SELECT patch_id, embedding FROM observations")
    assert "not shown: embedding" in relation._repr_html_()


def test_an_archive_shows_itself(finished: Path, tmp_path: Path) -> None:
    archive = td.open(finished)
    shown = archive._repr_html_()
    assert len(drawings(shown)) == 2
    for word in ("14 scenes", "mosaiks (current)", "80 m patches", "last run", "B<"):
        assert word in shown
    assert archive._repr_html_() == shown
    empty = td.create(tmp_path / "empty.td")
    assert "no patches yet" in empty._repr_html_()


def test_a_new_commit_is_seen_by_the_card(tmp_path: Path) -> None:
    from terradrift import schema

    archive = td.create(tmp_path / "a.td")
    assert "no patches yet" in archive._repr_html_()
    row = {
        "patch_id": "32631_80m_1_1",
        "crs": "EPSG:32631",
        "row": 1,
        "col": 1,
        "longitude": 3.0,
        "latitude": 51.0,
    }
    names = schema.patches().names
    rows = pa.Table.from_pylist([{n: row.get(n) for n in names}], schema.patches())
    with archive.store.lock("test"):
        archive.store.append("patches", rows)
    assert "1 patch" in archive._repr_html_()


def test_what_cannot_be_read_is_said_in_the_card(tmp_path: Path) -> None:
    archive = td.create(tmp_path / "a.td")
    (tmp_path / "a.td" / "patches.lance").mkdir()
    shown = archive._repr_html_()
    assert "a.td" in shown
    assert "Traceback" not in shown


def test_figures_by_name(finished: Path) -> None:
    archive = td.open(finished)
    patch = archive.sql("SELECT patch_id FROM scores LIMIT 1").fetchone()[0]
    for what, name in (("map", None), ("series", patch)):
        figure = archive.plot(what, name)
        assert figure.axes
        assert figure._repr_png_().startswith(b"\x89PNG")
    for what, name, said in (
        ("chart", None, "expected one of series, change, kinds"),
        ("series", None, "expected the id of a patch"),
        ("series", "nowhere", "expected a patch with scores"),
        ("change", "none' OR 1=1 --", "expected the id of a change"),
        ("map", "x", "is of the whole archive"),
    ):
        with pytest.raises(QueryError, match=said):
            archive.plot(what, name)
    with pytest.raises(ArchiveError, match="taxonomy"):
        archive.plot("dendrogram")


def test_a_result_without_an_archive_cannot_draw_pictures() -> None:
    with pytest.raises(QueryError, match=r"Archive\.similar"):
        matches(3).plot()
