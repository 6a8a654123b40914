"""Regions of one event: which there are, and what the two rules say of them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terradrift.archive.events.features import Features
from terradrift.archive.segments import regions as segment_regions
from terradrift.archive.segments.window import Segment
from terradrift.detect.segments import features as means
from terradrift.detect.segments.judge import judge
from terradrift.detect.segments.settings import Settings
from terradrift.embed import device as devices
from terradrift.embed import sam_masks
from terradrift.embed.sam_masks import SamMasks
from terradrift.errors import WeightsError
from terradrift.evaluate.event_folders import published
from terradrift.evaluate.event_folders import published_scores as rule
from terradrift.evaluate.event_folders.answer import Answer
from terradrift.ingest.events.event import Event

REGION_PX = 200.0
"""Pixels of a superpixel, about."""
_LEAST_SHARE = 0.25
"""Of that, below which a region joins a neighbour."""

_LEAST_DATES = 2
"""Of the history, for a calibration."""

PUBLISHED = "published rule"
CALIBRATED = "calibrated *"
OWN = "calibrated by region *"
RULES = {
    PUBLISHED: "stage 1 >= its 0.945 quantile; novelty of what is above its 0.7 quantile, >= 0.08",
    CALIBRATED: "rank of the novelty among that of all regions in the history",
    OWN: "rank of the novelty's departure from the region's own history",
}
"""What is marked by each."""


@dataclass(frozen=True, slots=True, eq=False)
class Regions:
    """Label maps of the latest normal image, of the monitored one, and of both together."""

    before: NDArray[np.int32]
    """(y, x), 1..n, like the others: every pixel is in one."""
    after: NDArray[np.int32]
    both: NDArray[np.int32]


@dataclass(frozen=True, slots=True, eq=False)
class Way:
    """How regions are made, whatever the event."""

    sam: SamMasks | None
    """None: superpixels alone."""
    region_px: float
    """Pixels of a superpixel, about; not metres, as images differ by 20 times in those."""
    words: str

    @classmethod
    def of(cls, kind: str, region_px: float, device: str = "auto") -> "Way":
        """`sam`, `superpixels`, or `auto`: SAM where a checkpoint of it is here.

        Raises:
            WeightsError: `sam` without a checkpoint or without its library.
        """
        path = sam_masks.checkpoint()
        size = f"superpixels of about {region_px:g} pixels"
        if kind == "superpixels" or (kind == "auto" and path is None):
            return cls(None, region_px, size)
        try:
            found = sam_masks.opened(path, devices.resolve(device))
        except ImportError as error:
            raise WeightsError(str(error)) from error
        return cls(found, region_px, f"masks of SAM 2.1, {size} elsewhere")

    def segment(self, event: Event) -> Segment:
        """For the images of one event.

        Raises:
            WeightsError: they have no red, green and blue for SAM.
        """
        gsd, bands = event.stack.gsd, event.stack.bands
        area = self.region_px * gsd**2
        settings = Settings(area_m2=area, least_m2=_LEAST_SHARE * area)
        if self.sam is None:
            return segment_regions.by_superpixels(settings, gsd=gsd)
        if absent := [name for name in sam_masks.RGB if name not in bands]:
            raise WeightsError(
                f"{event.name}: segments by SAM need red, green and blue, the images lack "
                f"{', '.join(absent)}; pass --segments superpixels"
            )
        return segment_regions.by_sam(self.sam, settings, gsd=gsd, bands=bands)


def regions(event: Event, way: Way) -> Regions:
    """Regions of the latest normal image, the monitored one, and both.

    Raises:
        WeightsError: as `Way.segment`.
    """
    before, after = event.stack.pixels[-2], event.stack.pixels[-1]
    segment = way.segment(event)
    return Regions(
        segment(before, before), segment(after, after), segment(before, after)
    )


def published_rule(found: Regions, given: Features, *, old: bool) -> Answer:
    """The published scores and thresholds; with `old` those of the older protocol."""
    change = rule.change((found.before, found.after), given.maps[-2:], given.stride)
    kept = published.filtered(change)
    score = rule.anomaly(kept, given.maps, given.stride)
    cut = published.by_quantile(score) if old else published.by_limit(score)
    return Answer(
        score=score,
        marked=published.cleaned(cut),
        change=kept,
        marked_change=published.by_quantile(kept),
    )


def calibrated(
    found: Regions, given: Features, event: Event, *, alpha: float
) -> dict[str, Answer]:
    """Ours, by two calibrations of one novelty; each marks where its p-value <= `alpha`.

    Every image of the history is judged by all others too, the monitored one among them, so
    scores of as many references are compared, however many there are (full conformal
    prediction). So scores of the history are not of the history alone; an image that is like
    a past one lowers that one's score.
    """
    pixels = event.stack.pixels
    clear: NDArray[np.bool_] = np.stack(
        [np.isfinite(each).all(axis=0) for each in pixels]
    )
    said = judge(
        found.both,
        given.maps,
        clear,
        given.stride,
        settings=Settings(),
        texture=means.texture(found.both, pixels[-2]),
    )
    change = said.map(said.change)
    rules = {
        CALIBRATED: (said.novelty, among_past(said.scores)),
        OWN: (said.z, said.p_value),
    }
    return {
        name: Answer(
            score=said.map(score),
            marked=published.cleaned(said.map(p) <= alpha),
            change=change,
            p_value=said.map(p),
        )
        for name, (score, p) in rules.items()
    }


def among_past(scores: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n,) p-value of the last row of `scores` (t, n) among all regions of the rows before.

    The other regions of the judged image are not among them: an event would hide itself the
    better the larger it is. The judged score is counted, so p is never 0; NaN where it is,
    and where fewer than two earlier ones are known: one is the judged score again.
    """
    past = np.sort(scores[:-1][np.isfinite(scores[:-1])])
    now = scores[-1]
    p = np.full(len(now), np.nan, np.float32)
    known = np.isfinite(now) & (np.isfinite(scores[:-1]).sum(axis=0) >= _LEAST_DATES)
    if len(past):
        below = np.searchsorted(past, now[known], side="left")
        p[known] = (len(past) - below + 1) / (len(past) + 1)
    return p
