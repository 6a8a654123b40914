"""`detect --method` of detectors on pixels: every date of every window, rows and maps."""

from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field, fields, replace

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from terradrift import __version__, plugins
from terradrift.archive.methods import anomalies
from terradrift.archive.methods.method import Judged, Request
from terradrift.archive.pixels import detectors as image_detectors
from terradrift.archive.pixels import rows as image_rows
from terradrift.archive.pixels import stacks
from terradrift.archive.pixels.maps import Maps
from terradrift.archive.pixels.windows import Extent, Window, any_day
from terradrift.archive.runs import Run
from terradrift.detect.image import patches
from terradrift.detect.image.protocol import Anomaly, ImageDetector, usual_history
from terradrift.errors import ArchiveError
from terradrift.progress import Advance, stage
from terradrift.stack import Stack
from terradrift.store.tables import Store
from terradrift.threads import single_blas, torch_threads


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """How any detector on pixels is run over an archive."""

    min_history: int | None = None
    """Frames of a window before a date, for the date to be judged; None: the detector's."""
    max_frames: int | None = None
    """Frames that a detector is shown before the date, at most; None: all."""
    calibration: int = 24
    """Dates before the first that is asked for that are scored for its z and p-value."""
    min_clear: float = 70.0
    """Percent of a patch that must be clear for it to have a score."""
    share: float = 0.1
    """A patch's score is the mean of the highest share of its pixels."""
    window_px: int = 512
    """Most pixels a side of what is judged at once."""
    expected: bool = True
    """Write the bands that were expected into maps, where the detector tells them."""

    def __post_init__(self) -> None:
        if self.window_px < 1:
            raise ValueError(f"window_px must be at least 1, got {self.window_px}")
        if self.min_history is not None and self.min_history < 0:
            raise ValueError(
                f"min_history must not be negative, got {self.min_history}"
            )
        if self.max_frames is not None and self.max_frames < max(1, self.history):
            raise ValueError(
                f"max_frames must be at least min_history, {max(1, self.history)}, got "
                f"{self.max_frames}"
            )
        if self.calibration < 0:
            raise ValueError(
                f"calibration must not be negative, got {self.calibration}"
            )
        if not 0 < self.share <= 1:
            raise ValueError(f"share must be above 0 and at most 1, got {self.share:g}")
        if not 0 <= self.min_clear <= 100:
            raise ValueError(f"min_clear must be 0 to 100, got {self.min_clear:g}")

    @property
    def history(self) -> int:
        """`min_history`, 0 while no detector has said it."""
        return self.min_history or 0


def detect(store: Store, run: Run, request: Request) -> Judged:
    """Judge every observation of the period by an image detector; a `methods.Method`.

    Window by window, so that memory is that of two windows' frames.

    Raises:
        ArchiveError: no scenes, no clear pixel in the period, or a detector that must be
            trained first.
        SourceError: no scene can be read.
        ValueError: a setting out of range.
    """
    own = {each.name for each in fields(Settings)}
    given = request.settings
    settings = Settings(**{name: given[name] for name in own & given.keys()})
    detector = image_detectors.opened(
        store,
        request.method,
        request.device,
        {name: value for name, value in given.items() if name not in own},
    )
    if settings.min_history is None:
        settings = replace(settings, min_history=usual_history(detector))
    run.device = str(getattr(detector, "device", "cpu"))
    work = _Work(store, request, settings, detector, run.run_id)
    about = {
        "detector": repr(detector),
        **{name: str(value) for name, value in asdict(settings).items()},
        "since": str(request.since or ""),
        "until": str(request.until or ""),
        "bands": " ".join(store.settings.bands),
        "version": __version__,
    }
    # A network uses the threads within one prediction; other detectors are run side by side.
    count = request.network_threads or request.threads
    with torch_threads(count) if work.trained else single_blas():
        rows = anomalies.replace(store, request.method, work.rows(), about=about)
    return Judged(
        method=request.method,
        table=anomalies.table_name(request.method),
        observations=rows,
        scored=work.scored,
        maps=tuple(map(str, work.maps)),
        notes=work.notes(),
    )


@dataclass(slots=True)
class _Work:
    """One run over all windows, and what is told of it afterwards."""

    store: Store
    request: Request
    settings: Settings
    detector: ImageDetector
    run_id: str
    scored: int = 0
    ranked: int = 0
    days: set[np.datetime64] = field(default_factory=set)
    """Judged."""
    reasons: Counter[str] = field(default_factory=Counter)
    bad: dict[str, str] = field(default_factory=dict)
    maps: list[str] = field(default_factory=list)

    @property
    def trained(self) -> bool:
        """Whether the detector is a network."""
        plugin = plugins.load(plugins.IMAGE_DETECTORS, self.request.method)
        return hasattr(plugin, "trained")

    def rows(self) -> Iterator[pa.RecordBatch]:
        """Rows of each window in turn; maps are written on the way."""
        extent = self._extent()
        found = stacks.windows(self.store, extent)
        frames = {str(each.patch_ids[0]): len(each.units) for each in found}
        request, seen = self.request, False
        if not any_day(found, request.since):
            raise self._nothing()
        with (
            Maps(request, found, self.store.settings.grid) as maps,
            stage(
                request.method, sum(frames.values()), "frames", quiet=request.quiet
            ) as advance,
        ):
            for stack in stacks.stacks(
                self.store,
                window_px=extent.window_px,
                halo_px=self.detector.halo_px,
                threads=request.threads,
                until=extent.until,
                most_frames=extent.most_frames,
                on_bad=self.bad.__setitem__,
            ):
                for batch in self._judge(stack, maps, advance):
                    seen = True
                    yield batch
                advance(max(0, frames[str(stack.patch_ids[0])] - len(stack)))
            self.maps = maps.finish()
        if not seen:
            raise self._nothing()

    def _nothing(self) -> ArchiveError:
        request = self.request
        return ArchiveError(
            f"{self.store.root} has no clear pixel from {request.since or 'the start'} to "
            f"{request.until or 'the end'}; choose other dates, or ingest more"
        )

    def notes(self) -> tuple[str, ...]:
        """What was left out, and what could not be told."""
        said = [f"left out {scene}: {why}" for scene, why in self.bad.items()]
        if until := getattr(self.detector, "trained_until", ""):
            taught = sum(bool(day <= np.datetime64(until)) for day in self.days)
            if taught:
                said.append(
                    f"{taught} judged dates are on or before {until}, up to which the "
                    "network was taught"
                )
        if not self.scored:
            why, count = self.reasons.most_common(1)[0]
            said.append(f"no score, mostly ({count:,} observations): {why}")
            if why == image_rows.EARLY and self.settings.history > 1:
                said.append(
                    f"min_history is {self.settings.history}; --set min_history=1 judges "
                    "from the second date on"
                )
        elif not self.ranked:
            said.append(
                "no p-values: too few earlier dates were scored; judge more dates, or "
                "raise calibration"
            )
        return tuple(said)

    def _extent(self) -> Extent:
        """What is read: of a few late dates with few frames each, not the whole past."""
        chosen, since = self.settings, self.request.since
        whole = Extent(window_px=chosen.window_px, until=self.request.until)
        if since is None or chosen.max_frames is None:
            return whole
        days = max(
            (_late(each, since) for each in stacks.windows(self.store, whole)),
            default=0,
        )
        return Extent(
            window_px=chosen.window_px,
            until=self.request.until,
            most_frames=max(1, days + chosen.calibration + chosen.max_frames),
        )

    def _judge(
        self, stack: Stack, maps: Maps, advance: Advance
    ) -> Iterator[pa.RecordBatch]:
        """Scores of all frames of one window that are asked for, as rows."""
        since = self.request.since
        asked = np.ones(len(stack), bool) if since is None else stack.days >= since
        if not asked.any():
            advance(len(stack))
            return
        first = int(asked.argmax())
        start = max(self.settings.history, first - self.settings.calibration)
        self.days.update(stack.days[start:][asked[start:]])
        scores = np.full((len(stack), len(stack.patch_ids)), np.nan, np.float32)
        advance(min(start, len(stack)))

        def judged(at: int) -> tuple[int, Anomaly]:
            return at, self.detector.detect(self._shown(stack, at))

        workers = 1 if self.trained else self.request.threads
        with ThreadPoolExecutor(workers) as pool:
            for group in range(start, len(stack), workers):
                some = range(group, min(group + workers, len(stack)))
                for at, found in pool.map(judged, some):
                    scores[at] = self._per_patch(stack, at, found)
                    if asked[at]:
                        maps.add(stack, at, found, expected=self.settings.expected)
                    advance(1)
        told = image_rows.Told(
            self.request.method, self.run_id, start, self._shown_frames(stack), asked
        )
        batch = image_rows.rows(stack, scores, told, self.settings.min_clear)
        self.scored += len(batch) - batch["score"].null_count
        self.ranked += len(batch) - batch["p_value"].null_count
        self.reasons.update(filter(None, batch["reason"].to_pylist()))
        yield batch

    def _shown_frames(self, stack: Stack) -> int:
        return self.settings.max_frames or len(stack)

    def _shown(self, stack: Stack, at: int) -> Stack:
        return stack.between(max(0, at - self._shown_frames(stack)), at + 1)

    def _per_patch(self, stack: Stack, at: int, found: Anomaly) -> NDArray[np.float32]:
        """(n,) scores, NaN where a patch is not clear enough."""
        halo = stack.halo_px
        rows, cols = found.score.shape
        inner = found.score[halo : rows - halo, halo : cols - halo]
        each = patches.upper_mean(inner, stack.patch_px, self.settings.share)
        with np.errstate(invalid="ignore"):
            clear = stack.clear_percent[at] >= self.settings.min_clear
        return np.where(clear, each[stack.rows, stack.cols], np.float32(np.nan))


def _late(window: Window, since: np.datetime64) -> int:
    """Days of a window from `since` on."""
    return sum(bool(unit.day >= since) for unit in window.units)
