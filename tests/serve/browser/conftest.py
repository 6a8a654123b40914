"""A served archive and a headless browser on it; what the browser complains of fails the test."""

import shutil
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import (
    Browser,
    BrowserContext,
    Page,
    expect,
    sync_playwright,
)

from terradrift.serve import served

BENCHMARKS = Path(__file__).resolve().parents[3] / "benchmarks"
CHANGES = 2000
CHROMIUM = "chromium", "chromium-browser", "google-chrome"
# A browser of its own accord asks its maker for news; WebGL is drawn by the processor.
QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
PATIENCE = 20_000
"""Milliseconds to wait for what must come."""
expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="session")
def simulated(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of some two thousand changes with kinds, regimes and events."""
    sys.path.insert(0, str(BENCHMARKS))
    try:
        from _million import make
    finally:
        sys.path.remove(str(BENCHMARKS))
    folder = tmp_path_factory.mktemp("served") / "simulated.td"
    make(folder, changes=CHANGES)
    return folder


@pytest.fixture(scope="session")
def address(simulated: Path) -> Iterator[str]:
    """Where that archive is served."""
    with served(simulated, who="tests") as place:
        yield place


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """A headless Chromium of this machine; skips, saying so, where there is none."""
    path = next((found for name in CHROMIUM if (found := shutil.which(name))), None)
    if path is None:
        pytest.skip(f"no browser: none of {', '.join(CHROMIUM)} on the path")
    with sync_playwright() as playwright:
        opened = playwright.chromium.launch(executable_path=path, args=QUIET)
        yield opened
        opened.close()


@dataclass
class Complaints:
    """What a page did that it must not do; `told` what a test expects of it."""

    found: list[str] = field(default_factory=list)
    expected: list[str] = field(default_factory=list)
    """Parts of complaints that are meant to come."""

    def check(self) -> None:
        """Raises: AssertionError with all of them."""
        left = [one for one in self.found if not any(e in one for e in self.expected)]
        assert not left, "\n".join(left)


_CSP_HEARD = """
document.addEventListener('securitypolicyviolation', (event) => console.error(
  `refused by the policy: ${event.violatedDirective} ${event.blockedURI}`));
"""

Opener = Callable[..., Page]


def _watched(context: BrowserContext, host: str, complaints: Complaints) -> Page:
    page = context.new_page()
    page.set_default_timeout(PATIENCE)

    page.on(
        "console",
        lambda said: (
            complaints.found.append(f"console: {said.text} {said.location}")
            if said.type == "error"
            else None
        ),
    )
    page.on("pageerror", lambda error: complaints.found.append(f"error: {error}"))
    page.on(
        "request",
        lambda asked: (
            complaints.found.append(f"asked another host: {asked.url}")
            if urlsplit(asked.url).netloc not in ("", host)
            else None
        ),
    )
    context.add_init_script(_CSP_HEARD)
    return page


def _opened(
    browser: Browser,
    address: str,
    complaints: Complaints,
    *,
    width: int = 1280,
    height: int = 800,
    theme: str = "dark",
) -> Page:
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if theme == "dark" else "light",
        reduced_motion="reduce",
        has_touch=width < 500,
        accept_downloads=True,
    )
    page = _watched(context, urlsplit(address).netloc, complaints)
    page.goto(address)
    page.wait_for_selector("body[data-map=ready]")
    _settle(page)
    return page


@pytest.fixture
def complaints() -> Complaints:
    """What the pages of a test complain of; checked when it ends."""
    return Complaints()


@pytest.fixture
def watched(browser: Browser, complaints: Complaints) -> Iterator[Opener]:
    """Opens the page at an address: `watched(address, width=1280, theme="dark")`.

    Waits until the map has drawn what it was asked for. After the test nothing may have
    gone to the console as an error, been refused by the page's policy, or been asked of
    another host.
    """
    contexts = []

    def opening(address: str, **how: Any) -> Page:
        page = _opened(browser, address, complaints, **how)
        contexts.append(page.context)
        return page

    yield opening
    for context in contexts:
        context.close()
    complaints.check()


_BACK = """async (hash) => {
  const { unlimit } = await import('/static/js/area.js');
  const { set } = await import('/static/js/state.js');
  unlimit();
  set({ search: null });
  document.querySelectorAll('dialog[open]').forEach((one) => one.close());
  document.activeElement?.blur();
  history.replaceState(null, '', '#');
  const heard = new Promise((done) => addEventListener('hashchange', done, { once: true }));
  location.hash = hash;
  await heard;
}"""


@pytest.fixture(scope="module")
def desk(browser: Browser, address: str) -> Iterator[tuple[Page, Complaints, str]]:
    """One page for a whole module, since loading it takes longer than most that is tested.

    With what it complains of, and the words after # that lead back to where it began.
    """
    complaints = Complaints()
    page = _opened(browser, address, complaints)
    page.wait_for_function("() => location.hash.includes('map=')")
    yield page, complaints, urlsplit(page.url).fragment
    page.context.close()


@pytest.fixture
def taken(desk: tuple[Page, Complaints, str]) -> Iterator[Opener]:
    """That page, taken back to where it began, and to a link: `taken("colour=kind")`."""
    page, complaints, home = desk

    def taking(link: str = "") -> Page:
        page.evaluate(_BACK, f"{home}&{link}")
        _settle(page)
        return page

    yield taking
    complaints.check()
    complaints.found.clear()


@pytest.fixture
def opened(address: str, watched: Opener) -> Opener:
    """The same of the simulated archive: `opened(link="#colour=kind", width=390)`."""
    return lambda *, link="", **how: watched(address + link, **how)


def _settle(page: Page) -> None:
    """Wait until tiles are drawn and what is counted is what the filters let pass."""
    page.wait_for_function(
        """() => document.querySelector('#map').getAttribute('aria-busy') === 'false'
        && document.querySelector('p.passing').getAttribute('aria-busy') === 'false'"""
    )


@pytest.fixture
def settled() -> Callable[[Page], None]:
    """Waits until tiles are drawn and what is counted is what the filters let pass."""
    return _settle
