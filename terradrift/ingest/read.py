"""Reads a plan: a stream of tile images, in the plan's order, with bounded memory.

Neighbouring tiles of a day are read in one window (a strip). Each file of a strip is a job
for the thread that has the file open, so decoded blocks are used by all the tiles they lie
under. A scene's mask comes first, and under a closed cloud deck its bands are not read. At
most `threads` + 2 strips are under way.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from terradrift.chip import TileImage
from terradrift.errors import SourceError
from terradrift.grid import Grid
from terradrift.ingest.acquisition import Acquisition, acquisition
from terradrift.ingest.files import Files, gdal
from terradrift.ingest.frame import Frame
from terradrift.ingest.lanes import Lanes
from terradrift.ingest.plan import Plan
from terradrift.ingest.strip import Strip, side_by_side
from terradrift.ingest.window import blank, by_file, check_bands, read_bands, read_clear

_SOON = {
    "GDAL_HTTP_CONNECTTIMEOUT": "4",
    "GDAL_HTTP_LOW_SPEED_TIME": "5",
    "GDAL_HTTP_LOW_SPEED_LIMIT": "100",
    "GDAL_HTTP_MAX_RETRY": "1",
}
"""Where somebody waits for pixels: a host that is silent for seconds is out of reach."""


def read(
    plan: Plan,
    grid: Grid,
    *,
    halo_px: int = 0,
    threads: int,
    skip_bad: bool,
    on_bad: Callable[[str, str], None],
) -> Iterator[TileImage]:
    """The images of the plan's units, in order, whatever thread is first.

    A scene that cannot be read ends the stream, or with `skip_bad` is told once to
    `on_bad(scene_id, reason)` and left out from there on: images name only scenes that were
    read, and a unit whose only scene is bad is not yielded, so that it stays to be done.
    Units without a clear patch are yielded.

    Raises:
        SourceError: a scene cannot be read and `skip_bad` is false.
        ValueError: fewer than one thread.
    """
    if threads < 1:
        raise ValueError(f"threads must be at least 1, got {threads}")
    strips = (Strip(units, plan, grid, halo_px) for units in side_by_side(plan, grid))
    bad: set[str] = set()
    judged: set[str] = set()
    under_way: deque[Strip] = deque()
    with Lanes(threads) as lanes:

        def fill() -> None:
            while len(under_way) < threads + 2:
                strip = next(strips, None)
                if strip is None:
                    return
                strip.start(lanes, bad)
                under_way.append(strip)

        fill()
        while under_way:
            strip = under_way.popleft()
            failures = strip.wait(judged)
            for scene_id, reason in failures.items():
                if not skip_bad:
                    raise SourceError(
                        f"scene {scene_id}: {reason}; --skip-bad leaves the scene out"
                    )
                if scene_id not in bad:
                    bad.add(scene_id)
                    on_bad(scene_id, reason)
            fill()
            yield from strip.images(bad)


def chip(
    row: Mapping[str, Any],
    bounds: tuple[float, float, float, float],
    epsg: int,
    gsd: float,
    bands: Sequence[str],
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """Pixels of one scene (a row of `schema.scenes()`) over a box in metres of `epsg`.

    `bounds` are left, bottom, right, top. Returns (band, y, x) reflectance, NaN where not
    clear, and (y, x) clear; north up, pixels of `gsd` metres.

    A host that does not answer within seconds counts as one that cannot be read: somebody
    waits for the picture.

    Raises:
        SourceError: the scene cannot be read or lacks a band.
    """
    left, bottom, right, top = bounds
    size = max(1, round((top - bottom) / gsd)), max(1, round((right - left) / gsd))
    frame = Frame.north_up(epsg, gsd, (left, top), size)
    scene = acquisition(row, bands)
    files = Files()
    with gdal(**_SOON):
        try:
            pixels, clear = _read_scene(files, scene, frame)
        except SourceError as error:
            raise SourceError(f"scene {scene.scene_id}: {error}") from error
        finally:
            files.close()
    return pixels, clear


def _read_scene(
    files: Files, scene: Acquisition, frame: Frame
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    check_bands(scene)
    pixels = np.empty((len(scene.bands), frame.height, frame.width), np.float32)
    clear = read_clear(files, scene, frame)
    for href, slots in by_file(scene).items():
        clear &= read_bands(files, scene, href, slots=slots, target=frame, out=pixels)
    blank(pixels, clear)
    return pixels, clear
