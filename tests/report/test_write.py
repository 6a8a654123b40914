"""The page: whole, well-formed, self-contained, and sensible when there is little."""

import re
from xml.etree import ElementTree as ET

import numpy as np
import pytest
from PIL import Image

from terradrift import schema
from terradrift.report import write_html, write_pngs
from terradrift.report.summary import summary

XHTML = "{http://www.w3.org/1999/xhtml}"


@pytest.fixture(scope="module")
def page(report_data, tmp_path_factory):
    return write_html(report_data(), tmp_path_factory.mktemp("page") / "report.html")


def parse(path):
    """The page as XML: every element is closed, every attribute quoted."""
    text = path.read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>")
    return ET.fromstring(text.removeprefix("<!doctype html>"))  # noqa: S314 - our own


def words(path):
    return " ".join(" ".join(parse(path).itertext()).split())


def test_the_page_is_well_formed_and_ids_are_unique(page):
    ids = [one.attrib["id"] for one in parse(page).iter() if "id" in one.attrib]
    assert len(ids) == len(set(ids))
    assert {"where", "when", "events", "basis", "event-1", "event-9"} <= set(ids)


def test_nothing_is_fetched_from_elsewhere_and_nothing_runs(page):
    root = parse(page)
    tags = {one.tag.rsplit("}")[-1] for one in root.iter()}
    assert not tags & {"script", "link", "iframe", "object", "embed", "base"}
    for one in root.iter():
        for name, value in one.attrib.items():
            if name.rsplit("}")[-1] in ("href", "src", "srcset", "poster", "data"):
                assert value.startswith(("data:image/", "#")), (name, value[:80])
            assert not name.startswith("on")
    text = page.read_text(encoding="utf-8")
    assert "@import" not in text
    assert all(
        target.startswith("#") for target in re.findall(r"url\(['\"]?([^)'\"]+)", text)
    )


def test_references_inside_the_page_lead_somewhere(page):
    root = parse(page)
    ids = {one.attrib["id"] for one in root.iter() if "id" in one.attrib}
    text = page.read_text(encoding="utf-8")
    used = set(re.findall(r"url\(#([^)]+)\)", text))
    used |= {
        value[1:]
        for one in root.iter()
        for name, value in one.attrib.items()
        if name.rsplit("}")[-1] == "href" and value.startswith("#")
    }
    assert used
    assert used <= ids


def test_every_picture_has_words(page):
    root = parse(page)
    images = list(root.iter(f"{XHTML}img"))
    assert len(images) == 18
    assert all(len(one.attrib["alt"]) > 20 for one in images)
    figures = [one for one in root.iter(f"{XHTML}figure") if one.get("role") == "img"]
    assert len(figures) == 11
    assert all(len(one.attrib["aria-label"]) > 20 for one in figures)


def test_drawings_take_their_ink_from_the_page(page):
    text = page.read_text(encoding="utf-8")
    assert "var(--ink)" in text
    assert "prefers-color-scheme: dark" in text
    drawn = "".join(re.findall(r"<svg.*?</svg>", text, re.DOTALL))
    assert "#000000" not in re.sub(r"data:image/[^\"]+", "", drawn)


def test_the_page_tells_what_it_rests_on(page):
    said = words(page)
    assert "9 events: 6 that lasted, 3 that passed." in said
    assert "4 January 2019 to 12 June 2020" in said
    assert "Observations not scored: not clear enough 6,012" in said
    assert "S2_20190101 file is truncated" in said
    assert "its own past in the same season (6), and 40 patches" in said
    # The change's own chance stands apart from the z of one date.
    assert "Largest z on a date 12.0 p, q of the change < 0.001, 0.002" in said
    assert "False alarms so strong 0.3 per 1,000 km² and year" in said
    assert "Onset, 95 % interval 19 April 2019 to 4 May 2019" in said
    assert "Strongest patch transient, until 3 July 2019" in said


def test_only_what_is_transient_is_said_to_have_passed(report_data):
    events = report_data(n_events=5).events
    at = events.column_names.index("persistence")
    named = ["gradual", "persistent", "gradual", "seasonal", "transient"]
    events = events.set_column(at, events.schema.field(at), [named])
    said = summary(report_data(n_events=5, events=events))
    assert said.headline == (
        "5 events: 1 that lasted, 2 that came gradually, 1 that moved the season, "
        "1 that passed."
    )
    assert said.key.startswith("Filled bars and round dots lasted; filled bars with")
    assert "hatched bars and diamonds passed" in said.key
    assert summary(report_data(n_events=0)).key == ""


def test_the_same_data_give_the_same_page(page, report_data, tmp_path):
    again = write_html(report_data(), tmp_path / "again.html")
    assert again.read_bytes() == page.read_bytes()
    assert [path.name for path in tmp_path.iterdir()] == ["again.html"]


def test_names_from_outside_cannot_become_markup(report_data, tmp_path):
    said = words(
        write_html(
            report_data(title="<script>alert(1)</script> & co"), tmp_path / "r.html"
        )
    )
    assert "<script>alert(1)</script> & co" in said


def test_an_archive_without_events_says_so(report_data, tmp_path):
    path = write_html(report_data(n_events=0), tmp_path / "r.html")
    said = words(path)
    assert "No change stood out from what is usual" in said
    assert "Before and after" not in said
    assert "Observations (a patch on a date) 20,736" in said


def test_an_archive_of_two_dates_shows_drift_and_claims_nothing(report_data, tmp_path):
    data = report_data(n_events=0, n_dates=2, values_name="drift")
    said = words(write_html(data, tmp_path / "r.html"))
    assert "2 dates, and no patch was clear on enough of them" in said
    assert "coloured by its drift" in said


def test_an_empty_archive_gives_a_page(report_data, tmp_path):
    data = report_data(
        n_events=0,
        scenes=schema.scenes().empty_table(),
        runs=schema.runs().empty_table(),
        kinds=schema.kinds().empty_table(),
        corners=np.empty((0, 4, 2)),
        values=np.empty(0, np.float32),
        n_observations=0,
        abstained={},
        skipped=(),
    )
    said = words(write_html(data, tmp_path / "r.html"))
    assert "holds no scenes yet" in said
    assert "There are no patches yet." in said
    assert "There are no dates yet." in said
    assert write_pngs(data, tmp_path / "pngs") == []


def test_pixels_out_of_reach_leave_a_note_in_place_of_a_picture(report_data, tmp_path):
    data = report_data(n_events=1, chip=lambda *_: None)
    assert words(write_html(data, tmp_path / "r.html")).count("no picture of") == 2


def test_nulls_are_shown_as_nothing_known(report_data, tmp_path):
    data = report_data(n_events=2)
    kept = ("event_id", "rank", "start", "n_patches")
    rows = [{name: row[name] for name in kept} for row in data.events.to_pylist()]
    full = [{name: row.get(name) for name in data.events.column_names} for row in rows]
    events = type(data.events).from_pylist(full, schema=schema.events())
    said = words(
        write_html(report_data(n_events=2, events=events), tmp_path / "r.html")
    )
    assert "Change without a label" in said
    assert "None" not in said
    assert "nan" not in said


def test_a_folder_of_pngs_has_the_map_the_timeline_and_the_events(
    report_data, tmp_path
):
    written = write_pngs(report_data(n_events=3, top=2), tmp_path / "out")
    assert [path.name for path in written] == [
        "map.png",
        "timeline.png",
        "event-01.png",
        "event-02.png",
    ]
    for path in written:
        with Image.open(path) as picture:
            assert picture.format == "PNG"
            assert len(np.unique(np.asarray(picture))) > 10


def test_only_the_top_events_get_pictures_and_all_are_counted(report_data, tmp_path):
    path = write_html(report_data(n_events=9, top=2), tmp_path / "r.html")
    assert len(list(parse(path).iter(f"{XHTML}article"))) == 2
    assert "9 events" in words(path)
