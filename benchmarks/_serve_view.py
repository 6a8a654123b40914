"""The page of `benchmarks/serve.py` in headless Chromium, without a graphics card.

First views: from navigation until the map has drawn its tiles and the list has rows, in a
browser that runs and knows nothing of the page; of a server that has just told its address,
and of one that is warm. Moving: times of frames while the map goes in a circle, beside those
of the same page with nothing on its map, which is what drawing by the processor costs anyway.
"""

import shutil
import statistics
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import psutil
from playwright.sync_api import Browser, BrowserContext, Page, sync_playwright

QUIET = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
COLD, WARM = 3, 5
SECONDS = 4
"""That the map moves."""
REST = 8
"""Seconds after which a server has read all that it reads ahead."""
ZOOMS = (None, 9, 11.5, 13)
"""None: the whole archive."""

_HEAR = """
window.seen = {};
new MutationObserver(() => {
  const busy = document.querySelector('#map')?.getAttribute('aria-busy');
  if (busy === 'true') seen.asked ??= performance.now();
  if (busy === 'false' && seen.asked) seen.map ??= performance.now();
  if (document.querySelector('#list [role=option]')) seen.list ??= performance.now();
}).observe(document, {subtree: true, attributes: true, childList: true,
  attributeFilter: ['aria-busy']});
"""
_MOVE = """async ([empty, seconds]) => {
  const {map} = await import('/static/js/map.js');
  const drawn = map.getStyle().layers.map(({id}) => id).filter((id) => id !== 'paper');
  if (empty) drawn.forEach((id) => map.setLayoutProperty(id, 'visibility', 'none'));
  await new Promise((done) => { map.once('idle', done); map.triggerRepaint(); });
  const shapes = empty ? 0 : map.queryRenderedFeatures().length;
  const frames = [];
  const begun = performance.now();
  let last = begun;
  await new Promise((done) => {
    const frame = () => {
      const now = performance.now();
      frames.push(now - last);
      last = now;
      const at = (now - begun) / 1000;
      if (at > seconds) return done();
      map.panBy([6 * Math.cos(2 * at), 6 * Math.sin(2 * at)], {duration: 0});
      requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  });
  return {shapes, frames: frames.slice(1)};
}"""
Line = dict[str, Any]
Serving = Callable[[Path], AbstractContextManager[tuple[str, psutil.Process, float]]]


def views(
    folder: Path, serving: Serving, place: tuple[float, float]
) -> dict[str, list[Line]]:
    """First views and frames; `place` is a longitude and latitude with many changes.

    Raises:
        RuntimeError: no browser on the path.
    """
    path = shutil.which("chromium")
    if path is None:
        raise RuntimeError("expected chromium on the path; install it, or --no-browser")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=path, args=QUIET)
        browser.new_context().close()
        cold = []
        for _ in range(COLD):
            with serving(folder) as (address, _process, started):
                listening = time.perf_counter() - started
                context, _page, line = _view(browser, address)
                context.close()
                cold.append({"listening_ms": round(listening * 1e3), **line})
        with serving(folder) as (address, _process, _started):
            _view(browser, address)[0].close()
            time.sleep(REST)
            warm = []
            for _ in range(WARM):
                context, _page, line = _view(browser, address)
                context.close()
                warm.append(line)
            moves = list(_moves(browser, address, place))
        browser.close()
    return {"just started": cold, "warm": warm, "moving": moves}


def _view(
    browser: Browser, address: str, link: str = ""
) -> tuple[BrowserContext, Page, Line]:
    context = browser.new_context(viewport={"width": 1280, "height": 800})
    context.add_init_script(_HEAR)
    page = context.new_page()
    page.goto(f"{address}/{link}", wait_until="commit")
    page.wait_for_function("() => seen.map && seen.list", timeout=120_000)
    seen = page.evaluate("seen")
    return context, page, {f"{name}_ms": round(seen[name]) for name in ("map", "list")}


def _moves(
    browser: Browser, address: str, place: tuple[float, float]
) -> Iterator[Line]:
    for zoom in ZOOMS:
        link = "" if zoom is None else f"#map={zoom}/{place[1]:.5f}/{place[0]:.5f}"
        line: Line = {"zoom": zoom}
        for name, empty in (("ours", False), ("empty", True)):
            context, page, _ = _view(browser, address, link)
            page.wait_for_timeout(500)
            told = page.evaluate(_MOVE, [empty, SECONDS])
            context.close()
            if not empty:
                line["shapes"] = told["shapes"]
            line[name] = {
                "median_ms": round(statistics.median(told["frames"]), 1),
                "p95_ms": round(statistics.quantiles(told["frames"], n=20)[-1], 1),
            }
        yield line
