"""Regions of one event: which there are, and what the two rules say of them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terradrift.archive.event_features import Features
from terradrift.detect.segments import features as means
from terradrift.detect.segments import superpixels
from terradrift.detect.segments.judge import judge
from terradrift.detect.segments.settings import Settings
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
    """(y, x), 0 where not clear."""
    after: NDArray[np.int32]
    both: NDArray[np.int32]
    """(y, x), 1..n: every pixel is in one."""


def way(segments: str) -> str:
    """How regions are made: `auto` is superpixels as long as SAM has no masks here.

    Raises:
        WeightsError: SAM is asked for.
    """
    if segments == "sam":
        raise WeightsError(
            "masks of SAM are not available here; pass --segments superpixels"
        )
    return "superpixels"


def told(segments: str, region_px: float) -> str:
    """The same in words."""
    return f"{segments} of about {region_px:g} pixels"


def regions(event: Event, region_px: float) -> Regions:
    """Superpixels of both images of about `region_px` pixels.

    In pixels and not in metres, as images of this kind differ by 20 times in resolution.
    """
    before, after = event.stack.pixels[-2], event.stack.pixels[-1]
    gsd = event.stack.gsd
    area = region_px * gsd**2
    settings = Settings(area_m2=area, least_m2=_LEAST_SHARE * area)
    ranges = superpixels.band_ranges(before, after)
    one, other = (
        superpixels.superpixels(image, ranges, gsd=gsd, settings=settings)
        for image in (before, after)
    )
    both = superpixels.joined(one, other, before, after, gsd=gsd, settings=settings)
    return Regions(one, other, both)


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

    Every image of the history is judged by all others too, so scores of as many references
    are compared, however many there are.
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
