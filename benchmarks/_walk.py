"""A headless browser on a served archive: waits, frame times, pictures."""

import io
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

from PIL import Image
from playwright.sync_api import Browser, Page, sync_playwright

CHROMIUM = "chromium", "chromium-browser", "google-chrome"
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
"""A browser that asks nobody for news; WebGL is drawn by the processor."""
PATIENCE_MS = 30_000
MOST_BYTES = 250_000

LISTED = ".rows:not([aria-busy]) .entry:not(.entry-waiting)"
CHIPS = """() => {
  const chips = [...document.querySelectorAll('#detail .change-chip img')];
  return chips.length === 3 && chips.every((one) => one.naturalWidth > 0)
    && document.querySelector('#detail .chart .point')
    && document.querySelector('#detail .bands')
    && !document.querySelector('#detail[aria-busy]');
}"""
FRAMES = """() => {
  window.frames_ = [];
  let last = performance.now();
  const next = (now) => {
    window.frames_.push(now - last);
    last = now;
    if (window.frames_) window.asked_ = requestAnimationFrame(next);
  };
  window.asked_ = requestAnimationFrame(next);
}"""
STOP = "() => { cancelAnimationFrame(window.asked_); return window.frames_.slice(1); }"


@contextmanager
def chromium() -> Iterator[Browser]:
    """The Chromium of this machine, headless.

    Raises: FileNotFoundError where there is none.
    """
    path = next((found for name in CHROMIUM if (found := shutil.which(name))), None)
    if path is None:
        raise FileNotFoundError(f"no browser: none of {', '.join(CHROMIUM)} is there")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=FLAGS)
        yield browser
        browser.close()


@dataclass
class Walk:
    """One page, what its steps took, and what the browser complained of."""

    page: Page
    pictures: Path | None
    """Where pictures go; None: none are taken."""
    ms: dict[str, float] = field(default_factory=dict)
    complaints: list[str] = field(default_factory=list)

    def timed(
        self, name: str, act: Callable[[], object], done: Callable[[], object]
    ) -> None:
        """Do a step, wait until it is done, and note the milliseconds."""
        start = time.perf_counter()
        act()
        done()
        self.ms[name] = (time.perf_counter() - start) * 1e3

    def rests(self) -> None:
        """Wait until the map has drawn what it asked for."""
        self.page.wait_for_function(
            "() => document.querySelector('#map').getAttribute('aria-busy') === 'false'"
        )

    def listed(self) -> None:
        """Wait until the list shows rows of its last question."""
        self.page.wait_for_selector(LISTED)

    def detailed(self) -> None:
        """Wait until a change is shown whole: chips, series, bands."""
        self.page.wait_for_function(CHIPS)

    def searched(self, title: str) -> None:
        """Wait until the list shows the matches of a search with that title."""
        self.page.get_by_role("heading", name=title).wait_for()
        self.page.locator(".list-count", has_text="match").wait_for()
        self.listed()

    def press(self, keys: str) -> None:
        """One key after another."""
        for one in keys.split():
            self.page.keyboard.press(one)

    def pan(self) -> list[float]:
        """Drag the map to and fro for two seconds; milliseconds between frames."""
        box = self.page.locator("#map").bounding_box()
        if box is None:
            raise RuntimeError("the map is not shown")
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        self.page.mouse.move(x, y)
        self.page.mouse.down()
        self.page.evaluate(FRAMES)
        for nth in range(60):
            reach = 150 * (1 - abs((nth % 40) / 20 - 1))
            self.page.mouse.move(x - reach, y - reach / 2)
            self.page.wait_for_timeout(30)
        between: list[float] = self.page.evaluate(STOP)
        self.page.mouse.up()
        return between

    def picture(self, name: str) -> None:
        """A picture of what is seen, small enough for a page of documentation."""
        if self.pictures is None:
            return
        self.page.wait_for_timeout(700)
        seen = Image.open(io.BytesIO(self.page.screenshot())).convert("RGB")
        target = io.BytesIO()
        seen.save(target, "WEBP", quality=82, method=6)
        if target.tell() > MOST_BYTES:
            raise RuntimeError(f"picture {name} has {target.tell()} bytes")
        self.pictures.mkdir(parents=True, exist_ok=True)
        (self.pictures / f"{name}.webp").write_bytes(target.getvalue())


@contextmanager
def walking(
    browser: Browser,
    pictures: Path | None,
    size: tuple[int, int] = (1280, 800),
    scheme: Literal["light", "dark"] = "light",
) -> Iterator[Walk]:
    """A page of its own, in a window of that size.

    Raises: RuntimeError if the browser complained of anything.
    """
    context = browser.new_context(
        viewport={"width": size[0], "height": size[1]},
        color_scheme=scheme,
        locale="en-GB",
        accept_downloads=True,
    )
    page = context.new_page()
    page.set_default_timeout(PATIENCE_MS)
    walk = Walk(page, pictures)

    def hear(message: Any) -> None:
        # Taking pictures is slow without graphics, of which the driver complains.
        slow = "GL Driver Message (OpenGL, Performance" in message.text
        if message.type in ("error", "warning") and not slow:
            walk.complaints.append(message.text)

    page.on("console", hear)
    page.on("pageerror", lambda error: walk.complaints.append(str(error)))
    yield walk
    context.close()
    if walk.complaints:
        raise RuntimeError("the browser complained: " + "; ".join(walk.complaints))
