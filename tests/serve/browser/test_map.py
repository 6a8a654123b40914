"""The page's map in a headless browser: what it shows, filters, selects, and how it is used."""

import re
import shutil
from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import lance
import pytest
from playwright.sync_api import Page, expect

import terradrift as td
from terradrift.serve import served
from terradrift.serve.app import STATIC

# ES modules are there once: these are the page's own.
MAP = "import('/static/js/map.js').then(({map}) => %s)"
STATE = "import('/static/js/state.js').then(({state}) => %s)"
VIEW = MAP % "[map.getCenter().lat, map.getCenter().lng, map.getZoom()]"
POINTS = "map.queryRenderedFeatures({layers: ['changes-points', 'changes-squares']})"


def until(page: Page, expression: str) -> None:
    """Wait until an expression is true; as a function, since the page lets nothing be evaluated."""
    page.wait_for_function(f"() => {expression}")


def _asked(archive: Path, text: str) -> dict[str, Any]:
    (row,) = _open(archive).sql(text).to_arrow().to_pylist()
    return dict(row)


_open = cache(td.open)
"""A database for each archive, not for each question."""


def _count(archive: Path, where: str = "true") -> int:
    asked = f"SELECT count(*) AS n FROM changes WHERE {where}"  # noqa: S608 - our own words
    return int(_asked(archive, asked)["n"])


@pytest.fixture
def passing(settled: Callable[[Page], None]) -> Callable[[Page], int]:
    """How many changes the page says pass, once it is sure."""

    def told(page: Page) -> int:
        settled(page)
        return int(page.locator(".passing strong").inner_text().replace(",", ""))

    return told


def _pixel(page: Page, longitude: float, latitude: float) -> tuple[float, float]:
    at = page.evaluate(MAP % f"map.project([{longitude}, {latitude}])")
    box = page.locator("#map").bounding_box()
    assert box
    return box["x"] + at["x"], box["y"] + at["y"]


def test_all_changes_are_shown_and_the_map_is_moved_by_pointer(
    taken, settled, passing, simulated: Path
):
    page = taken()
    assert passing(page) == _count(simulated)
    drawn = page.evaluate(MAP % f"{POINTS}.reduce((sum, f) => sum + f.properties.n, 0)")
    assert drawn == pytest.approx(_count(simulated), rel=0.02)  # some lie on two tiles
    _, west, zoom = page.evaluate(VIEW)
    page.mouse.move(560, 300)
    page.mouse.down()
    page.mouse.move(460, 250, steps=4)
    page.mouse.up()
    page.mouse.wheel(0, -300)
    moved = f"map.getCenter().lng > {west} && map.getZoom() > {zoom}"
    until(page, MAP % moved)
    settled(page)


def test_a_click_selects_the_strongest_change_and_the_map_stays(taken):
    page = taken()
    point = page.evaluate(
        MAP
        % f"{POINTS}.map((f) => ({{...f.properties, at: map.project(f.geometry.coordinates)}}))"
        ".reduce((best, one) => (one.score > best.score ? one : best))"
    )
    before = page.evaluate(MAP % "map.getCenter().toArray()")
    box = page.locator("#map").bounding_box()
    assert box
    page.mouse.click(box["x"] + point["at"]["x"], box["y"] + point["at"]["y"])
    expect(page.locator("#detail")).to_be_visible()
    assert page.evaluate(STATE % "state.selected") == point["id"]
    assert page.evaluate(MAP % "map.getCenter().toArray()") == before
    page.evaluate(
        "([id]) => import('/static/js/state.js').then(({select}) => select("
        "{change_id: id, longitude: 5.0, latitude: 48.0}, 'list'))",
        [point["id"]],
    )
    until(page, MAP % "map.getBounds().contains([5.0, 48.0])")


def test_filters_show_what_sql_counts(taken, passing, simulated: Path):
    page = taken("colour=kind")
    kind = page.locator("#legend .class").first
    expect(page.locator("#filters").get_by_role("heading", name="Kind")).to_be_hidden()
    name = kind.locator(".class-name").inner_text()
    kind.click()
    wanted = int(kind.locator(".number").inner_text().replace(",", ""))
    assert passing(page) == wanted
    chip = page.locator("#active .chip", has_text=name)
    page.get_by_label("Onset from").first.fill("2021-01-01")
    page.get_by_label("Onset until").first.fill("2022-06-30")
    chosen = page.evaluate(STATE % "state.filters.kinds[0]")
    during = "onset >= '2021-01-01' AND onset < '2022-07-01'"
    assert passing(page) == _count(simulated, f"kind = {chosen} AND {during}")
    chip.click()
    assert passing(page) == _count(simulated, during)
    page.locator("#filters .class", has_text="transient").click()
    page.locator("#min-score").evaluate(
        "(e) => { e.value = 12; e.dispatchEvent(new Event('input')); }"
    )
    least = page.evaluate(STATE % "state.filters.minScore")
    told = f"{during} AND persistence = 'transient' AND score >= {least}"
    assert 0 < passing(page) == _count(simulated, told)
    page.get_by_role("button", name="Clear all").click()
    assert passing(page) == _count(simulated)
    page.locator("input[name=colour][value=onset]").check()
    page.locator("#filters .class", has_text=name).focus()
    page.keyboard.press("Enter")
    assert passing(page) == wanted
    expect(page.locator("#filters .class", has_text=name)).to_be_focused()


def test_sizes_of_points_are_told_while_there_are_points(taken, simulated: Path):
    page = taken()
    one = _asked(
        simulated, "SELECT longitude, latitude FROM changes ORDER BY score LIMIT 1"
    )
    points = "map.queryRenderedFeatures({layers: ['changes-points']}).length > 0"
    for zoom, some in ((5, True), (14, False), (5, True)):
        at = f"[{one['longitude']}, {one['latitude']}]"
        page.evaluate(MAP % f"map.jumpTo({{center: {at}, zoom: {zoom}}}) && null")
        expect(page.locator("#legend .sizes")).to_be_visible(visible=some)
        assert page.evaluate(MAP % points) is some


DRAWN_WHILE_FILTERED = """async () => {
  const {map} = await import('/static/js/map.js');
  const {filter} = await import('/static/js/state.js');
  const count = () => map.queryRenderedFeatures({layers: ['changes-points', 'changes-squares']}).length;
  const before = count();
  filter({since: '2022-01-01'});
  let least = before;
  for (let n = 0; n < 60 && count() === before; n += 1) {
    await new Promise(requestAnimationFrame);
    await new Promise((done) => setTimeout(done, 50));
    least = Math.min(least, count());
  }
  return [before, least, count()];
}"""


def test_every_colouring_is_drawn_and_old_tiles_stay_till_new_come(taken, settled):
    page = taken()
    for name, layer in (
        ("Kind", "changes-points"),
        ("Onset", "changes-points"),
        ("Event", "events-fill"),
        ("Regime", "patches"),
    ):
        page.get_by_role("radio", name=name).check(force=True)
        settled(page)
        until(
            page, MAP % f"map.queryRenderedFeatures({{layers: ['{layer}']}}).length > 0"
        )
        expect(page.locator(".rank").first).to_be_visible(visible=name == "Event")
    before, least, after = page.evaluate(DRAWN_WHILE_FILTERED)
    assert 0 < after < before
    assert least >= after  # never empty in between


def test_an_area_is_drawn_and_a_link_opens_the_same_view(
    taken, opened, passing, simulated: Path
):
    page = taken()
    page.get_by_role("radio", name="Onset").check(force=True)
    extent = _asked(
        simulated,
        "SELECT min(longitude) AS w, median(longitude) AS e, min(latitude) AS s, "
        "max(latitude) AS n FROM changes",
    )
    west, east = extent["w"] - 0.01, extent["e"]
    south, north = extent["s"] - 0.01, extent["n"] + 0.01
    page.keyboard.press("d")
    for corner in ((west, south), (east, south), (east, north), (west, north)):
        page.mouse.click(*_pixel(page, *corner))
    page.keyboard.press("Enter")
    expect(page.locator("#active .chip", has_text="Area")).to_be_visible()
    half = passing(page)
    assert half == pytest.approx(_count(simulated) / 2, rel=0.03)  # to a pixel
    page.evaluate(MAP % "map.zoomTo(map.getZoom() + 0.5, {duration: 0})")
    seen = page.evaluate(VIEW)
    until(page, f"location.hash.includes('map={seen[2]:.2f}/')")
    until(page, "location.hash.includes('area=')")
    again = opened(link="#" + urlsplit(page.url).fragment)
    assert again.evaluate(VIEW) == pytest.approx(seen, abs=0.01)
    assert again.evaluate(STATE % "state.colour") == "onset"
    expect(again.locator("#active .chip", has_text="Area")).to_be_visible()
    assert passing(again) == half
    assert again.evaluate("document.documentElement.dataset.theme") == "dark"
    again.keyboard.press("t")  # dark by the system, then light by choice
    assert again.evaluate("document.documentElement.dataset.theme") == "light"


def test_a_click_on_the_first_corner_closes_the_area_and_selects_nothing(
    taken, settled, simulated: Path
):
    page = taken()
    strongest = _asked(
        simulated, "SELECT longitude, latitude FROM changes ORDER BY score DESC LIMIT 1"
    )
    x, y = _pixel(page, strongest["longitude"], strongest["latitude"])
    page.keyboard.press("d")
    page.locator("#tab-detail").focus()
    page.keyboard.press("Enter")  # is the tab's, not the drawing's
    assert page.evaluate(STATE % "[state.panel, state.drawing]") == ["detail", True]
    page.locator("#tab-list").click()
    for right, down in ((0, 0), (70, 0), (70, 70), (2, 2)):
        page.mouse.click(x + right, y + down)
    expect(page.locator("#active .chip", has_text="Area")).to_be_visible()
    settled(page)
    assert page.evaluate(STATE % "state.selected") is None
    page.mouse.click(x, y)
    expect(page.locator("#detail")).to_be_visible()


MATCHES = "map.getSource('matches').getData().then((told) => told.features.length)"


def _at_most(page: Page, k: str) -> None:
    page.locator("#list .entry").first.click()
    page.locator("#detail .find-how summary").click()
    page.get_by_label("At most").select_option(k)


def test_all_matches_of_a_search_are_drawn(taken):
    page = taken()
    _at_most(page, "5000")
    page.keyboard.press("s")
    expect(page.locator(".searching h2")).to_have_text("Like this")
    total = page.evaluate(STATE % "state.search.total")
    assert total > 1000  # more than the server answers at once
    until(page, MAP % f"{MATCHES.replace('length', f'length === {total}')}")
    page.keyboard.press("Escape")
    _at_most(page, "50")


def test_filters_outlive_a_search(taken, passing):
    page = taken("since=2020-01-01")
    filters = STATE % "[state.filters.since, state.filters.minScore]"
    stronger = """import('/static/js/state.js').then(({filter, state}) =>
      filter({minScore: state.archive.scores.median}))"""
    median = page.evaluate(STATE % "state.archive.scores.median")
    search = page.locator(".searching h2")
    again = "!state.searching && state.search.rows.every((row) => row.score >= state.filters.minScore)"

    page.locator("#list .entry").first.click()
    page.keyboard.press("s")
    expect(search).to_have_text("Like this")
    page.evaluate(stronger)
    page.keyboard.press("/")
    page.keyboard.press("Escape")  # leaves the field alone
    expect(search).to_be_visible()
    page.keyboard.press("Escape")
    expect(search).to_be_hidden()
    assert page.evaluate(filters) == ["2020-01-01", median]

    page.locator("#list .entry").first.click()
    page.locator("#detail .find-how summary").click()
    page.get_by_label("within the filters").uncheck()
    page.keyboard.press("s")
    expect(search).to_have_text("Like this")
    assert page.evaluate(filters) == [None, 0]
    page.evaluate(stronger)
    until(page, STATE % again)
    assert page.evaluate(filters) == [None, median]
    page.locator("#active .chip", has_text="Similar").click()
    expect(search).to_be_hidden()
    assert page.evaluate(filters) == ["2020-01-01", median]

    page.locator("#list .entry").first.click()
    page.locator("#detail .find-how summary").click()
    page.get_by_label("within the filters").check()


def test_a_link_that_is_pasted_brings_its_area(taken, passing, simulated: Path):
    page = taken("area=5.87,49.5;5.95,49.5;5.95,49.7;5.87,49.7")
    expect(page.locator("#active .chip", has_text="Area")).to_be_visible()
    assert 0 < passing(page) < _count(simulated)
    page.evaluate("location.hash = location.hash.replace(/&area=[^&]*/, '')")
    expect(page.locator("#active .chip", has_text="Area")).to_have_count(0)
    assert passing(page) == _count(simulated)


def test_everything_goes_by_keyboard(taken, passing, simulated: Path):
    page = taken()
    before = page.evaluate(MAP % "map.getCenter().lng")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("+")
    until(page, MAP % f"!map.isMoving() && map.getCenter().lng > {before}")
    page.keyboard.press("0")
    page.get_by_role("slider", name="Onset from").focus()
    for _ in range(12):
        page.keyboard.press("ArrowRight")
    first = page.evaluate(STATE % "state.filters.since")
    assert passing(page) == _count(simulated, f"onset >= '{first}'")
    page.keyboard.press("Home")
    assert page.evaluate(STATE % "state.filters.since") is None
    page.keyboard.press("/")
    expect(page.get_by_label("Onset from").first).to_be_focused()
    page.keyboard.press("Escape")
    page.keyboard.press("d")
    for arrow in ("ArrowUp", "ArrowLeft", "ArrowDown"):
        for _ in range(3):
            page.keyboard.press(arrow)
        until(page, MAP % "!map.isMoving()")
        page.keyboard.press("Space")
    page.keyboard.press("Enter")
    expect(page.locator("#active .chip", has_text="Area")).to_be_visible()
    assert 0 < passing(page) < _count(simulated)


CONTRAST = """() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgba = (colour) => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const light = ([r, g, b]) => [r, g, b].map((c) => c / 255)
    .map((c) => (c <= 0.03928 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4))
    .reduce((sum, c, n) => sum + c * [0.2126, 0.7152, 0.0722][n], 0);
  const ground = (element) => {
    for (let at = element; at; at = at.parentElement) {
      const colour = rgba(getComputedStyle(at).backgroundColor);
      if (colour[3] > 200) return colour;
    }
    return rgba(getComputedStyle(document.body).backgroundColor);
  };
  const faint = [];
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement;
    if (!walker.currentNode.data.trim() || !element.checkVisibility({visibilityProperty: true})) continue;
    if (element.closest('script, style, .sr, :disabled, #map .maplibregl-ctrl-scale')) continue;
    const [a, b] = [light(rgba(getComputedStyle(element).color)), light(ground(element))];
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (ratio < 4.5) faint.push(`${ratio.toFixed(2)} ${element.className} ${walker.currentNode.data.trim().slice(0, 40)}`);
  }
  return faint;
}"""


def test_text_stands_out_in_both_themes(taken):
    page = taken("colour=kind&kind=1&kind=2&since=2021-01-01")
    ground = MAP % "JSON.stringify(map.getPaintProperty('paper', 'background-color'))"
    grounds = set()
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        until(page, f"document.documentElement.dataset.theme === '{theme}'")
        assert page.evaluate(CONTRAST) == []
        grounds.add(page.evaluate(ground))
    assert len(grounds) == 2


def test_a_small_screen_has_drawers_and_a_sheet(opened):
    page = opened(width=390, height=844)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    box = page.locator("#map").bounding_box()
    assert box
    assert box["width"] == 390
    assert box["height"] > 500
    legend = page.locator("#legend")
    expect(legend).not_to_be_visible()
    page.get_by_role("button", name="Legend", exact=True).click()
    expect(legend).to_be_visible()
    page.keyboard.press("Escape")
    expect(legend).not_to_be_visible()
    page.get_by_role("button", name="Filters", exact=True).click()
    expect(page.locator("#filters")).to_be_visible()
    page.mouse.click(370, 400)
    expect(page.locator("#filters")).not_to_be_visible()
    page.get_by_role("tab", name="Changes").click()
    expect(page.locator("#list")).to_be_visible()
    small = page.evaluate(
        """() => [...document.querySelectorAll('button, [role=tab], input, [role=slider]')]
        .filter((e) => e.checkVisibility({visibilityProperty: true}))
        .map((e) => ({...e.getBoundingClientRect().toJSON(), name: e.outerHTML.slice(0, 60)}))
        .filter((b) => b.width > 1 && (b.width < 24 || b.height < 24)).map((b) => b.name)"""
    )
    assert small == []


def test_modules_are_named_ahead_so_that_they_load_at_once() -> None:
    page = (STATIC / "index.html").read_text()
    named = set(re.findall(r'modulepreload" href="static/js/(\w+)\.js"', page))
    reached, ahead = set(), ["main"]
    while ahead:
        text = (STATIC / "js" / f"{(module := ahead.pop())}.js").read_text()
        reached.add(module)
        found = set(re.findall(r"from '\./(\w+)\.js'", text))
        ahead += found - reached
    assert named == reached - {"main"}


def test_newer_data_are_shown_and_a_server_that_comes_back_is_told_the_area(
    watched, passing, complaints, simulated: Path, tmp_path: Path
):
    place = tmp_path / "growing.td"
    shutil.copytree(simulated, place)
    area = "#area=5.87,49.5;5.95,49.5;5.95,49.7;5.87,49.7"
    look = "document.dispatchEvent(new Event('visibilitychange'))"
    weakest = "score < 9"
    gone = _count(place, weakest)
    with served(place) as address:
        page = watched(address)
        before = passing(page)
        assert page.locator("#news").inner_text() == ""
        (table,) = place.glob("changes_*.lance")
        lance.dataset(str(table)).delete(weakest)
        page.evaluate(look)
        page.locator("#news button", has_text="Show").click()
        page.wait_for_function(
            f"() => document.querySelector('.passing strong').innerText !== '{before:,}'"
        )
        assert passing(page) == before - gone
        assert page.locator("#news").inner_text() == ""
        page.goto(address + area)
        page.reload()
        expect(page.locator("#active .chip", has_text="Area")).to_be_visible()
        inside = passing(page)
        page.wait_for_load_state("networkidle")  # nothing is left to be refused
    complaints.expected += ["net::ERR_CONNECTION_REFUSED", "410 (Gone)"]
    page.evaluate(look)
    expect(page.locator("#news")).to_contain_text("does not answer")
    with served(place, port=urlsplit(address).port):
        page.evaluate(look)
        expect(page.locator("#news")).to_be_empty()
        assert passing(page) == inside
        answers: list[int] = []
        page.on(
            "response",
            lambda told: answers.append(told.status) if ".mvt" in told.url else None,
        )
        page.evaluate(MAP % "map.zoomTo(map.getZoom() + 1, {duration: 0}) && null")
        assert passing(page) == inside
        assert set(answers) == {200}
        page.locator("#filters .class", has_text="transient").click()
        came_back = passing(page)
        until(page, MAP % f"{POINTS}.length > 0")
        page.context.close()
    where = "longitude BETWEEN 5.87 AND 5.95 AND persistence = 'transient'"
    assert 0 < came_back < inside
    assert came_back == pytest.approx(_count(place, where), rel=0.05)
