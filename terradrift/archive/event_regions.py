"""Regions of one event: which there are, and what the two rules say of them."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terradrift.archive.event_features import Features
from terradrift.detect.segments import features as means
from terradrift.detect.segments import superpixels
from terradrift.detect.segments.judge import Judgement, judge
from terradrift.detect.segments.settings import Settings
from terradrift.evaluate.event_folders import published
from terradrift.evaluate.event_folders import published_scores as rule
from terradrift.evaluate.event_folders.answer import Answer
from terradrift.ingest.events.event import Event

REGION_PX = 400.0
"""Pixels of a superpixel, about: 20 x 20, five cells of features wide."""
_LEAST_SHARE = 0.25
"""Of that, below which a region joins a neighbour."""

PUBLISHED, CALIBRATED = "published rule", "calibrated *"


@dataclass(frozen=True, slots=True, eq=False)
class Regions:
    """Label maps of the latest normal image, of the monitored one, and of both together."""

    before: NDArray[np.int32]
    """(y, x), 0 where not clear."""
    after: NDArray[np.int32]
    both: NDArray[np.int32]
    """(y, x), 1..n: every pixel is in one."""
    gsd: float
    how: str


def regions(event: Event) -> Regions:
    """Superpixels of both images; their sizes are in pixels, as images differ by 20 times."""
    before, after = event.stack.pixels[-2], event.stack.pixels[-1]
    gsd = event.stack.gsd
    area = REGION_PX * gsd**2
    settings = Settings(area_m2=area, least_m2=_LEAST_SHARE * area)
    ranges = superpixels.band_ranges(before, after)
    one, other = (
        superpixels.superpixels(image, ranges, gsd=gsd, settings=settings)
        for image in (before, after)
    )
    both = superpixels.joined(one, other, before, after, gsd=gsd, settings=settings)
    return Regions(one, other, both, gsd, f"superpixels of {REGION_PX:g} pixels")


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
) -> tuple[Answer, Judgement]:
    """Ours: novelty against that of the region's own other dates, marked where p <= alpha."""
    pixels = event.stack.pixels
    said = judge(
        found.both,
        given.maps,
        np.isfinite(pixels).all(axis=1),
        given.stride,
        settings=Settings(),
        texture=means.texture(found.both, pixels[-2]),
    )
    p = said.map(said.p_value)
    answer = Answer(
        score=said.map(said.z),
        marked=published.cleaned(p <= alpha),
        change=said.map(said.change),
    )
    return answer, said
