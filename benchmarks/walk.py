"""The page from the first view to a file, in a real browser, on simulated scenes alone.

    python benchmarks/walk.py [--demo FOLDER] [--million FOLDER] [--other FOLDER ...] [--rounds 3]
        [--pictures docs/images/walk] [--json benchmarks/results/walk.json]

Starts `terradrift serve`, drives a headless Chromium as an analyst would, and notes what
every step takes until all of it is on the screen; of several rounds the median. Without
`--demo` the archive of `terradrift demo` is made first. `--million` is an archive of
`_million.py`; without it that part is left out. `--other` are archives of one's own scenes,
with ten matches to judge or more. Labels go into a copy. The pictures of
docs/walk.md are those of the first round.
"""

import argparse
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyogrio
from _walk import PATIENCE_MS, Walk, chromium, walking
from playwright.sync_api import Browser, expect
from serve import serving

NAME = "burnt"
VERDICTS = "j y j y j y j y j n j n j y j n j y"
"""Of nine matches; with the one that names them ten, the first of the list."""
SMALL = (390, 844)


def demo(folder: Path) -> Path:
    """The archive of `terradrift demo`, made in `folder`."""
    command = [sys.executable, "-m", "terradrift", "demo", str(folder), "--quiet"]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return folder / "archive.td"


def first_view(walk: Walk, address: str) -> None:
    """From nothing to a map that rests and a list; the backdrop of scenes comes after."""

    def there() -> None:
        walk.listed()
        walk.rests()

    walk.timed("first view", lambda: walk.page.goto(address), there)
    walk.page.wait_for_load_state("networkidle")
    walk.rests()
    walk.picture("map")


def why(walk: Walk) -> None:
    """The event that ranks first, and why it is one."""
    first = walk.page.locator("#list .entry").first
    walk.timed("select: detail complete", first.click, walk.detailed)
    walk.rests()
    walk.picture("detail")
    walk.page.locator("#detail .series").evaluate("one => one.scrollIntoView()")
    walk.picture("series")
    walk.page.locator(".chip-open").first.click()
    walk.page.wait_for_function(
        "() => [...document.querySelectorAll('dialog .layer')].every((one) => one.naturalWidth)"
    )
    walk.picture("swipe")
    walk.press("Escape")


def search(walk: Walk) -> None:
    """Changes like it, ten verdicts, and the search refined by them."""
    walk.timed(
        "similar: list", lambda: walk.press("s"), lambda: walk.searched("Like this")
    )
    walk.rests()
    walk.press("j y")
    walk.page.locator("#label-name").fill(NAME)
    walk.press("Enter")
    tally = walk.page.locator(".searching .tally")
    tally.get_by_text(NAME).wait_for()
    walk.press(VERDICTS)
    walk.page.wait_for_timeout(500)
    walk.picture("judged")
    walk.timed(
        "refine: list", lambda: walk.press("r"), lambda: walk.searched("Refined")
    )
    walk.rests()
    walk.picture("refined")
    walk.press("Escape")
    walk.page.locator(".searching").wait_for(state="hidden")


def narrow(walk: Walk) -> None:
    """By kind, by area and by month."""
    page = walk.page
    page.locator("input[name=colour][value=kind]").check()
    box = page.locator("#map").bounding_box()
    if box is None:
        raise RuntimeError("the map is not shown")
    page.get_by_role("button", name="Draw").click()
    for x, y in ((0.08, 0.2), (0.45, 0.2), (0.45, 0.75), (0.08, 0.75)):
        page.mouse.click(box["x"] + x * box["width"], box["y"] + y * box["height"])
        page.wait_for_timeout(350)
    filtered(walk, "a drawn area", lambda: walk.press("Enter"))
    filtered(
        walk, "onset", lambda: page.get_by_label("Onset from").first.fill("2020-01-01")
    )
    walk.picture("filtered")


def filtered(walk: Walk, name: str, act: Callable[[], object]) -> None:
    """Change a filter; done when both counts have changed, rows are listed, the map rests."""
    counts = [walk.page.locator(one) for one in (".list-count", "p.passing")]
    before = [one.inner_text() for one in counts]

    def settled() -> None:
        for one, old in zip(counts, before, strict=True):
            expect(one).not_to_have_text(old, timeout=PATIENCE_MS)
        expect(counts[1]).to_have_attribute("aria-busy", "false", timeout=PATIENCE_MS)
        walk.listed()
        walk.rests()

    walk.timed(f"filter by {name}: list and map", act, settled)


def take(walk: Walk, folder: Path) -> dict[str, Any]:
    """One question in SQL, and the selection as a GeoPackage that another tool opens."""
    page = walk.page
    page.get_by_role("button", name="Download").first.click()
    dialog = page.locator("dialog[open]")
    dialog.get_by_text("GeoPackage").click()
    start = time.perf_counter()
    with page.expect_download() as coming:
        dialog.locator(".primary").click()
    path = folder / coming.value.suggested_filename
    coming.value.save_as(path)
    walk.ms["download: file here"] = (time.perf_counter() - start) * 1e3
    info = pyogrio.read_info(path)
    if dialog.is_visible():
        walk.press("Escape")
    page.locator("#tab-sql").click()
    page.locator("#sql select").first.select_option(index=2)
    walk.timed(
        "SQL: rows",
        lambda: page.get_by_role("button", name="Run").click(),
        page.locator("#sql table").first.wait_for,
    )
    walk.picture("sql")
    return {"file": path.name, "rows": info["features"], "bytes": path.stat().st_size}


def frames(walk: Walk) -> dict[str, float]:
    """Milliseconds between frames while the map is dragged."""
    between = np.array(walk.pan())
    walk.rests()
    low, high = np.percentile(between, [50, 95])
    return {
        "median": float(low),
        "p95": float(high),
        "most": float(between.max()),
        "frames": len(between),
    }


def on_demo(browser: Browser, folder: Path, pictures: Path | None) -> dict[str, Any]:
    """All of it on the archive of the demo, of which a copy is labelled."""
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / "demo.td"
        shutil.copytree(folder, copy)
        with serving(copy) as (address, _, _):
            with walking(browser, pictures) as walk:
                first_view(walk, address)
                between = frames(walk)
                walk.press("0")
                walk.rests()
                why(walk)
                search(walk)
                narrow(walk)
                got = take(walk, Path(scratch))
            if pictures is not None:
                others(browser, address, pictures)
    return {"ms": walk.ms, "pan_ms": between, "download": got}


def on_other(browser: Browser, folder: Path, _pictures: Path | None) -> dict[str, Any]:
    """The same on any archive with pixels, but for kinds; of real ground no pictures."""
    with tempfile.TemporaryDirectory() as scratch:
        copy = Path(scratch) / folder.name
        shutil.copytree(folder, copy)
        with serving(copy) as (address, _, _), walking(browser, None) as walk:
            first_view(walk, address)
            between = frames(walk)
            walk.press("0")
            walk.rests()
            why(walk)
            search(walk)
            got = take(walk, Path(scratch))
    return {"ms": walk.ms, "pan_ms": between, "download": got}


def others(browser: Browser, address: str, pictures: Path) -> None:
    """The same page dark, and on a small screen."""
    with walking(browser, pictures, scheme="dark") as walk:
        walk.page.goto(address)
        walk.listed()
        walk.press("j Enter")
        walk.detailed()
        walk.rests()
        walk.picture("dark")
    with walking(browser, pictures, SMALL) as walk:
        walk.page.goto(address)
        walk.rests()
        walk.picture("small-map")
        walk.press("j Enter")
        walk.detailed()
        walk.picture("small-detail")


def on_million(browser: Browser, folder: Path, pictures: Path | None) -> dict[str, Any]:
    """First view, panning, a change, its like and a filter where there are very many."""
    with serving(folder) as (address, _, _), walking(browser, None) as walk:
        first_view(walk, address)
        between = frames(walk)
        walk.press("0")
        walk.rests()
        walk.pictures = pictures
        walk.picture("million")
        filtered(
            walk,
            "onset",
            lambda: walk.page.get_by_label("Onset from").first.fill("2022-01-01"),
        )
        walk.page.locator("#list .entry").first.click()
        walk.page.locator("#detail .chart .point").first.wait_for()
        walk.page.wait_for_timeout(1000)
        walk.timed(
            "similar: list", lambda: walk.press("s"), lambda: walk.searched("Like this")
        )
    return {"ms": walk.ms, "pan_ms": between}


def middle(rounds: list[dict[str, Any]]) -> dict[str, Any]:
    """Of every time the median over rounds, and all of them."""
    told: dict[str, Any] = dict(rounds[0])
    for part in ("ms", "pan_ms"):
        told[part] = {
            name: {
                "median": round(
                    statistics.median(one[part][name] for one in rounds), 1
                ),
                "all": [round(one[part][name], 1) for one in rounds],
            }
            for name in rounds[0][part]
        }
    return told


def machine(browser: Browser) -> dict[str, Any]:
    """What it ran on, and how busy that was."""
    return {
        "cores": os.cpu_count(),
        "load": [round(one, 1) for one in os.getloadavg()],
        "system": platform.platform(),
        "python": platform.python_version(),
        "chromium": browser.version,
        "graphics": "none; WebGL is drawn by the processor",
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--demo", type=Path)
    parser.add_argument("--million", type=Path)
    parser.add_argument("--other", type=Path, nargs="*", default=[])
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--pictures", type=Path)
    parser.add_argument("--json", type=Path)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch, chromium() as browser:
        folder = asked.demo or demo(Path(scratch) / "demo")
        told: dict[str, Any] = {"machine": machine(browser)}
        parts = {"demo": (on_demo, folder), "million": (on_million, asked.million)}
        parts |= {one.name: (on_other, one) for one in asked.other}
        for name, (walk, where) in parts.items():
            if where is None:
                continue
            rounds = [
                walk(browser, where, None if nth else asked.pictures)
                for nth in range(asked.rounds)
            ]
            told[name] = middle(rounds)
        told["machine"]["load_after"] = [round(one, 1) for one in os.getloadavg()]
    text = json.dumps(told, indent=2)
    print(text)
    if asked.json:
        asked.json.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
