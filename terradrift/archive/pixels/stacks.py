"""An archive's pixels through time: windows of ground, each with all its frames.

Methods on pixels read the source scenes as embedding does (harmonised, masked, the clearest
scene of a day per patch), but window by window, so that a tile's whole history is never held.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from dataclasses import replace
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from terradrift.archive.pixels import windows as pixel_windows
from terradrift.archive.pixels.windows import MAX_BYTES, Extent, Window
from terradrift.chip import TileImage
from terradrift.errors import ArchiveError, SourceError
from terradrift.grid import Grid, parse_id
from terradrift.ingest import plan as planning
from terradrift.ingest.plan import Plan
from terradrift.ingest.read import read
from terradrift.progress import stage
from terradrift.stack import Stack
from terradrift.store.tables import Store


def stacks(
    store: Store,
    *,
    window_px: int = 512,
    halo_px: int = 0,
    threads: int,
    since: np.datetime64 | None = None,
    until: np.datetime64 | None = None,
    most_frames: int | None = None,
    max_bytes: int = MAX_BYTES,
    only: Callable[[Window], bool] | None = None,
    on_bad: Callable[[str, str], None] | None = None,
    quiet: bool = True,
) -> Iterator[Stack]:
    """The archive's ground in windows, each with its frames from `since` to `until`.

    A window is whole patches of one tile, at most `window_px` a side (one patch at least),
    and less where its pixels would take more than `max_bytes`: one stack is held at a time,
    and a few images that are read ahead. A frame is one UTC day; days on which nothing of
    the window is clear are left out, and with `most_frames` all but the last so many. Pixels
    of the halo, too, are read from the scenes; where there is none, they are NaN. Windows of
    which `only` is false are not read.

    A scene that cannot be read is left out, and told to `on_bad(scene_id, reason)` or else
    to stderr. A window without a clear pixel gives no stack.

    Raises:
        ArchiveError: there are no scenes.
        SourceError: no scene can be read.
        ValueError: a size or count below 1, or a negative halo.
    """
    if halo_px < 0:
        raise ValueError(f"halo_px must be at least 0, got {halo_px}")
    extent = Extent(
        window_px=window_px,
        since=since,
        until=until,
        most_frames=most_frames,
        max_bytes=max_bytes,
    )
    whole = _plan(store)
    found = pixel_windows.windows(whole, store.settings.grid, extent)
    found = found if only is None else [each for each in found if only(each)]
    plan = replace(whole, units=tuple(unit for each in found for unit in each.units))
    bad: dict[str, str] = {}

    def leave_out(scene_id: str, reason: str) -> None:
        bad[scene_id] = reason
        if on_bad is not None:
            on_bad(scene_id, reason)
        elif not quiet:
            print(f"left out {scene_id}: {reason}", file=sys.stderr)  # noqa: T201 - a note for people

    images = read(
        plan,
        store.settings.grid,
        halo_px=halo_px,
        threads=threads,
        skip_bad=True,
        on_bad=leave_out,
    )
    seen = 0
    with (
        closing(images),  # type: ignore[type-var] # `read` is a generator, said to be an iterator
        stage("read", len(plan.units), "frames", quiet=quiet) as advance,
    ):
        for window, frames in _by_window(images, found):
            building = _Building(window, store.settings.grid, halo_px, most_frames)
            for image in frames:
                seen += 1
                advance(1)
                building.add(image)
            stack = building.stack()
            del building
            if stack is not None:
                yield stack
            del stack
    if bad and not seen:
        scene, reason = next(iter(bad.items()))
        raise SourceError(
            f"{store.root}: none of {len(bad)} scenes can be read, so there are no pixels "
            f"to judge; put the files back where ingest found them. {scene}: {reason}"
        )


def windows(store: Store, extent: Extent) -> list[Window]:
    """What `stacks` will read, in its order; opens no file. Raises as it does."""
    return pixel_windows.windows(_plan(store), store.settings.grid, extent)


def _plan(store: Store) -> Plan:
    """Of all scenes and patches, whatever was embedded."""
    if not store.exists("scenes"):
        raise ArchiveError(
            f"{store.root} holds no scenes yet; run terradrift ingest first"
        )
    scenes, patches = (store.scan(name).read_all() for name in ("scenes", "patches"))
    held = store.settings
    return planning.plan(scenes, patches, held.grid, held.bands, ())


def _by_window(
    images: Iterator[TileImage], found: Sequence[Window]
) -> Iterator[tuple[Window, Iterator[TileImage]]]:
    """Each window with its images; both come in the same order."""
    of_patch = {
        name: number
        for number, window in enumerate(found)
        for name in window.patch_ids.tolist()
    }
    for number, frames in groupby(
        images, lambda image: of_patch[str(image.patch_ids[0])]
    ):
        yield found[number], frames


class _Building:
    """A window's stack while its images come in."""

    def __init__(
        self, window: Window, grid: Grid, halo_px: int, most_frames: int | None
    ) -> None:
        self._window, self._px, self._halo = window, grid.patch_px, halo_px
        self._gsd = grid.patch_size / grid.patch_px
        most = len(window.units)
        self._room = min(most, most_frames or most)
        self._index = np.full(window.size, -1, np.int64)
        self._index[window.rows, window.cols] = np.arange(len(window.patch_ids))
        self._pixels: NDArray[np.float32] | None = None
        self._about: TileImage | None = None
        self._frames: list[tuple[np.datetime64, tuple[NDArray[np.generic], ...]]] = []

    def add(self, image: TileImage) -> None:
        """Put the image into its place, if anything of it is clear."""
        if not (image.clear_percent > 0).any():
            return
        window, px, halo = self._window, self._px, self._halo
        _, row, col = parse_id(str(image.patch_ids[0]))
        down = window.top - row - int(image.rows[0])
        across = col - window.left - int(image.cols[0])
        if self._pixels is None:
            size = (side * px + 2 * halo for side in window.size)
            # Pages of frames that never come are never touched.
            self._pixels = np.empty((self._room, len(image.bands), *size), np.float32)
            self._about = image
        slot = self._pixels[len(self._frames) % self._room]
        slot[...] = np.nan
        _, height, width = image.pixels.shape
        top, left = down * px, across * px
        slot[:, top : top + height, left : left + width] = image.pixels
        at = self._index[image.rows + down, image.cols + across]
        day = image.times.max().astype("datetime64[D]")
        self._frames.append((day, self._per_patch(image, at)))

    def stack(self) -> Stack | None:
        """The frames so far; None where nothing was clear."""
        if self._pixels is None or self._about is None:
            return None
        window, about = self._window, self._about
        count = len(self._frames)
        kept = self._frames[-self._room :]
        pixels = self._pixels[: min(count, self._room)]
        if count > self._room:
            _turn(pixels, count % self._room)
        times, scenes, clear = (
            np.stack([told[part] for _, told in kept]) for part in range(3)
        )
        size = self._px * self._gsd
        around = self._halo * self._gsd
        return Stack(
            tile=window.tile,
            epsg=window.epsg,
            corner=(window.left * size - around, (window.top + 1) * size + around),
            gsd=self._gsd,
            bands=about.bands,
            wavelengths=about.wavelengths,
            level=about.level,
            days=np.array([day for day, _ in kept], "datetime64[D]"),
            pixels=pixels,
            halo_px=self._halo,
            patch_px=self._px,
            patch_ids=window.patch_ids,
            rows=window.rows,
            cols=window.cols,
            times=times,
            scenes=scenes,
            clear_percent=clear,
        )

    def _per_patch(
        self, image: TileImage, at: NDArray[np.int64]
    ) -> tuple[NDArray[np.generic], ...]:
        """Instants, scenes and clear shares of the window's patches in one image."""
        n = len(self._window.patch_ids)
        names = np.array(image.scene_ids)
        times = np.full(n, np.datetime64("NaT"), "datetime64[us]")
        scenes = np.full(n, "", names.dtype)
        clear = np.full(n, np.nan, np.float32)
        times[at], scenes[at] = image.times, names[image.patch_scenes]
        clear[at] = image.clear_percent
        return times, scenes, clear


def _turn(frames: NDArray[np.float32], first: int) -> None:
    """Put frame `first` at the start and those before it at the end, one band at a time."""
    for band in range(frames.shape[1]):
        frames[:, band] = np.roll(frames[:, band], -first, axis=0)
