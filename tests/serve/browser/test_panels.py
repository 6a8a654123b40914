"""The panels beside the map, as an analyst goes through them by mouse and keys."""

import shutil
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import geopandas
import pytest
from playwright.sync_api import Page, Route, expect

import terradrift as td
from terradrift.serve import served
from terradrift.serve.app import STATIC


@pytest.fixture(scope="module")
def judged(many: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive whose scenes are there, and that may be labelled."""
    place = tmp_path_factory.mktemp("judged") / "judged.td"
    shutil.copytree(many, place)
    return place


@pytest.fixture(scope="module")
def address(judged: Path) -> Iterator[str]:
    """Where that archive is served."""
    with served(judged, who="ann") as place:
        yield place


def of(archive: Path, text: str, **values: object) -> Any:
    """The only value that a statement answers."""
    return _open(archive).sql(text, **values).fetchall()[0][0]


_open = cache(td.open)
"""A database for each archive, not for each question."""


def loaded(page: Page, images: str, nth: int) -> None:
    """Wait until an image has pixels."""
    page.wait_for_function(
        "([images, nth]) => document.querySelectorAll(images)[nth]?.naturalWidth > 200",
        arg=[images, nth],
    )


NAMELESS = """() => [...document.querySelectorAll(
  '#side :is(button, select, input, textarea, a, summary, [tabindex="0"])')]
  .filter((one) => one.checkVisibility() && !one.textContent.trim() && !one.labels?.length
    && !one.getAttribute('aria-label') && !one.querySelector('img[alt]'))
  .map((one) => one.outerHTML)"""
"""What a screen reader has no words for."""


def test_list_detail_and_chips(taken, judged: Path):
    page = taken()
    page.emulate_media(color_scheme="light")
    events = of(judged, "SELECT count(*) FROM events")
    expect(page.locator(".list-count")).to_have_text(f"{events} events")
    page.locator("#list .entry").nth(1).click()
    where = page.locator("#detail .detail-nav span")
    expect(where).to_have_text(f"event 2 of {events}")
    second = of(
        judged,
        "SELECT arg_max(change_id, c.score) FROM changes c JOIN events e USING (event_id) "
        "WHERE e.rank = 2",
    )
    for nth in range(3):
        loaded(page, "#detail .change-chip img", nth)
    scored = of(
        judged,
        "SELECT count(z) FROM scores SEMI JOIN "
        "(FROM changes WHERE change_id = $id) c USING (patch_id)",
        id=second,
    )
    pressed = page.locator('#detail .series button[aria-pressed="true"]')
    expect(pressed).to_have_text("NDVI")
    page.get_by_role("button", name="z of a day").click()
    expect(page.locator("#detail .chart .point")).to_have_count(scored)
    assert page.locator("#detail .words p").count() >= 4
    expect(page.locator("#detail .bands").first).to_contain_text("nir")
    assert f"selected={second}" in page.url
    assert page.evaluate(NAMELESS) == []

    page.locator("#detail .chart").focus()
    page.keyboard.press("End")
    last = of(judged, "SELECT max(datetime)::DATE FROM scenes")
    expect(page.locator(".readout")).to_contain_text(str(last.day))
    expect(page.locator(".readout")).to_contain_text("NDVI")

    page.locator(".chip-open").nth(1).click()
    loaded(page, "dialog .layer", 1)
    after = page.locator("dialog[open] .layer").nth(1)
    shares = []
    for press in (None, "ArrowRight", " "):
        if press == " ":
            page.keyboard.down(press)
        elif press:
            page.keyboard.press(press)
        shares.append(after.evaluate("one => one.style.clipPath"))
    page.keyboard.up(" ")
    assert [share.split()[-1] for share in shares] == ["50%)", "51%)", "100%)"]
    page.keyboard.press("Escape")
    expect(page.locator("dialog")).to_have_count(0)

    page.keyboard.press("j")
    expect(where).to_have_text(f"event 3 of {events}")
    page.keyboard.press("Escape")
    rank = page.locator("#list .entry[aria-selected=true] .entry-rank")
    expect(rank).to_have_text("3")
    page.keyboard.press("?")
    for words in ("Next in the list", "Yes: it is what I look for", "Find changes"):
        expect(page.locator("dialog .keys", has_text=words)).to_be_visible()


def test_titles_are_of_the_event_and_say_how_sure(taken, judged: Path):
    page = taken()
    label, q, alarms = (
        _open(judged)
        .sql(
            "SELECT e.label, c.q_value, c.false_alarms FROM events e JOIN changes c "
            "USING (event_id) WHERE e.rank = 1 ORDER BY c.score DESC LIMIT 1"
        )
        .fetchall()[0]
    )
    first = page.locator("#list .entry").first
    expect(first.locator(".entry-name")).to_have_text(label)
    expect(first.locator(".sure")).to_have_text(f"q {q:.{3 if q < 0.1 else 2}f}")
    first.click()
    expect(page.locator("#detail h2")).to_have_text(label)
    head = page.locator("#detail .detail-head")
    told = head.locator(".sure").inner_text()
    rate = float(told.split(" \u00b7 ")[1].split()[0].replace(",", ""))
    assert rate == pytest.approx(alarms, rel=0.05)
    called = "([row]) => import('/static/js/row.js').then(({ called }) => called(row))"
    number, of_kind = _open(judged).sql("SELECT kind, label FROM kinds").fetchall()[0]
    for given, title in (("new houses", "new houses"), (of_kind, "greened a little")):
        row = {"kind": number, "kind_name": given, "n_patches": 2}
        said = page.evaluate(called, [{**row, "label": "greened a little"}])
        assert said == title
    unknown = page.evaluate(
        "import('/static/js/sure.js').then(({ sure }) => sure({ p_value: null }).textContent)"
    )
    assert unknown == "not calibrated"
    page.keyboard.press("Escape")
    page.locator("#list").get_by_role("button", name="Changes", exact=True).click()
    alone = page.locator("#list .entry-name").first
    strongest = of(
        judged,
        "SELECT coalesce('Kind: ' || k.label, 'Change of no kind') FROM changes c "
        "LEFT JOIN kinds k ON c.kind = k.kind ORDER BY c.score DESC LIMIT 1",
    )
    expect(alone).to_have_text(strongest)


def test_similar_labels_refined(taken, judged: Path):
    page = taken()
    page.locator("#list .entry").first.click()
    page.wait_for_selector("#detail h2")
    page.keyboard.press("s")
    title, note = page.locator(".searching h2"), page.locator(".note")
    expect(title).to_have_text("Like this")
    expect(note).to_contain_text("compared as the model gives them (raw): exact")
    expect(page.locator("#list .entry-name").nth(5)).to_be_visible()

    page.keyboard.press("j")
    page.keyboard.press("Enter")
    page.keyboard.press("y")
    page.locator("#label-name").fill("new houses")
    page.keyboard.press("Enter")
    tally = page.locator("#detail .tally")
    expect(tally).to_contain_text("2 yes · 0 no")
    expect(page.locator("#detail .detail-nav span")).to_contain_text("match 2 of")
    for key in "nnu":
        page.keyboard.press(key)
    expect(page.locator("#told")).to_contain_text("Taken back")
    expect(tally).to_contain_text("2 yes · 1 no")

    page.evaluate("import('/static/js/verdicts.js').then((told) => told.settled())")
    held = td.open(judged).labels("new houses").to_pylist()
    assert sorted(row["verdict"] for row in held) == ["no", "yes", "yes"]
    assert {row["who"] for row in held} == {"ann"}
    said = {row["target_id"] for row in held}
    assert of(judged, "SELECT event_id FROM events WHERE rank = 1") in said

    page.keyboard.press("r")
    expect(title).to_have_text("Refined by what you judged")
    expect(note).to_contain_text("2 liked and 1 unliked")
    shown = page.evaluate(
        "import('/static/js/state.js').then(({ state }) => state.search.rows)"
    )
    assert shown
    assert not said & {row["change_id"] for row in shown}
    page.get_by_role("button", name="Next to judge").click()
    expect(title).to_contain_text("Next to judge")
    expect(page.locator("#list .entry-score").first).to_contain_text("%")

    page.keyboard.press("Escape")
    expect(page.locator(".searching")).to_be_hidden()
    expect(page.locator("#list .mark-yes").first).to_be_visible()


def test_thumbs_are_of_the_change_on_screen_while_the_next_loads(taken, judged: Path):
    page = taken()
    first, second = (
        of(
            judged,
            "SELECT arg_max(change_id, c.score) FROM changes c JOIN events e "
            "USING (event_id) WHERE e.rank = $rank",
            rank=rank,
        )
        for rank in (1, 2)
    )
    page.locator("#list .entry").first.click()
    facts = page.locator("#detail .facts")
    expect(facts).to_contain_text(first)
    page.evaluate("import('/static/js/verdicts.js').then((it) => it.choose('ponds'))")
    held: list[Route] = []
    asked = f"**/api/change/{second}?*"
    page.route(asked, lambda it: held.append(it))  # noqa: PLW0108 - Playwright marks what it calls
    with page.expect_request(asked):
        page.keyboard.press("j")
    page.locator("#detail .thumb-yes").click()
    said = """async (ids) => {
      const { settled, verdict } = await import('/static/js/verdicts.js');
      const { state } = await import('/static/js/state.js');
      await settled();
      return [state.selected, ...ids.map((id) => verdict(id, 'ponds') ?? null)];
    }"""
    assert page.evaluate(said, [first, second]) == [second, "yes", None]
    held[0].continue_()
    page.unroute(asked)
    expect(facts).to_contain_text(second)
    page.locator("#detail .thumb-no").click()
    expect(facts).not_to_contain_text(second)
    assert page.evaluate(said, [first, second])[1:] == ["yes", "no"]


def test_download_is_read_elsewhere(taken, judged: Path, tmp_path: Path):
    least = of(judged, "SELECT median(score) FROM changes")
    passing = of(
        judged, "SELECT count(*) FROM changes WHERE score >= $least", least=least
    )
    page = taken(f"min_score={least}")
    read = {"gpkg": geopandas.read_file, "parquet": geopandas.read_parquet}
    for name, ending in (("GeoPackage", "gpkg"), ("GeoParquet", "parquet")):
        page.keyboard.press("e")
        page.locator("dialog select").select_option("changes")
        page.get_by_label(name).check()
        told = page.locator("dialog [role=status]")
        expect(told).to_contain_text(f"{passing} rows")
        with page.expect_download() as given:
            page.locator("dialog a[download]").click()
        expect(page.locator("dialog")).to_have_count(0)
        path = tmp_path / f"selection.{ending}"
        given.value.save_as(path)
        rows = read[ending](path)
        assert len(rows) == passing
        assert rows["score"].min() >= least
        assert rows.crs.to_authority()[1] in ("4326", "CRS84")


def test_a_download_that_is_refused_says_so(taken, desk):
    page, complaints = taken(), desk[1]
    complaints.expected.append("429")
    line = "two downloads are under way; try again in a moment"
    asked = "**/api/download?*"
    page.route(asked, lambda it: it.fulfill(status=429, json={"error": line}))
    page.keyboard.press("e")
    page.locator("dialog select").select_option("events")
    page.get_by_label("CSV").check()
    link = page.locator("dialog a[download]")
    link.click()
    expect(page.locator("dialog .trouble")).to_have_text(line)
    page.unroute(asked)
    with page.expect_download() as given:
        link.click()
    assert given.value.suggested_filename == "judged-events.csv"
    expect(page.locator("dialog")).to_have_count(0)

    page.locator("#list .entry").first.click()
    event = page.get_by_role("link", name="Download this event")
    with page.expect_download() as given:
        event.click()
    assert given.value.suggested_filename == "judged-changes.geojson"
    page.route(asked, lambda it: it.fulfill(status=429, json={"error": line}))
    event.click()
    expect(page.locator("#told")).to_have_text(line)
    page.unroute(asked)


def test_sql(taken, desk, judged: Path):
    page, complaints = taken(), desk[1]
    page.keyboard.press("q")
    box = page.locator("#sql-text")
    box.fill("SELECT change_id, score FROM changes ORDER BY score DESC LIMIT 120;")
    page.keyboard.press("Control+Enter")
    expect(page.locator(".answer .pager")).to_contain_text("1 to 100 of 120 rows")
    page.get_by_role("button", name="On", exact=True).click()
    expect(page.locator(".grid tbody tr")).to_have_count(20)
    page.get_by_role("button", name="Show on the map").click()
    expect(page.locator(".list-count")).to_contain_text("120")
    page.locator("#list .entry").first.click()
    best = of(judged, "SELECT arg_max(change_id, score) FROM changes")
    expect(page.locator("#detail .facts")).to_contain_text(best)

    complaints.expected.append("400")
    page.locator("#tab-sql").click()
    box.fill("SELECT * FROM change")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#sql .trouble")).to_contain_text("did you mean changes")


def test_nothing_passes_on_a_small_screen(opened):
    page = opened(link="#since=2035-01-01", width=390, height=844)
    page.locator("#tab-list").click()
    expect(page.locator("#list .nothing-title")).to_have_text("No event passes")
    page.locator("#list").get_by_role("button", name="Clear filters").click()
    page.locator("#list .entry").first.click()
    expect(page.locator("#detail .chart")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_page_and_server_of_different_versions(browser, address: str):
    assert f"MADE_FOR = '{td.__version__}'" in (STATIC / "js/version.js").read_text()
    older = {
        "**/api/archive": lambda it: it.fulfill(
            json={**it.fetch().json(), "software": "0.0.9"}
        ),
        "**/api/labels": lambda it: it.fulfill(json={"names": [], "rows": []}),
        "**/js/row.js": lambda it: it.fulfill(
            body="export const older = 1;", content_type="text/javascript"
        ),
        "**/js/list.js": lambda it: it.fulfill(status=404),
    }
    line = "The page and the server are of different versions; reload"
    for asked, answer in older.items():
        page = browser.new_page()
        page.route(asked, answer)
        page.goto(address)
        expect(page.locator("#different")).to_contain_text(line)
        page.close()
    page = browser.new_page()
    page.goto(address)
    expect(page.locator("#list .entry").first).to_be_visible()
    expect(page.locator("#different")).to_have_count(0)
    page.close()


BLOCKED = """Object.defineProperty(window, 'localStorage', {
  get() { throw new DOMException('access is denied', 'SecurityError'); },
})"""


def test_a_browser_that_stores_nothing(browser, address: str):
    page = browser.new_page(color_scheme="dark")
    errors: list[str] = []
    page.on("pageerror", lambda error: errors.append(str(error)))
    page.add_init_script(BLOCKED)
    page.goto(address)
    expect(page.locator("#list .entry").first).to_be_visible()
    page.keyboard.press("t")
    expect(page.locator("html")).to_have_attribute("data-theme", "light")
    page.locator("#grip").press("ArrowLeft")
    page.keyboard.press("q")
    page.keyboard.press("Control+Enter")
    expect(page.locator("#sql .grid tbody tr").first).to_be_visible()
    page.close()
    assert errors == []
