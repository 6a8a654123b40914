"""Simple baselines on the pixels of one event, with thresholds from its history alone."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.image.median import TemporalMedian
from terradrift.detect.image.protocol import Anomaly, ImageDetector
from terradrift.detect.image.rx import RxDifference
from terradrift.evaluate.event_folders import published
from terradrift.evaluate.event_folders.answer import Answer
from terradrift.ingest.events.event import Event
from terradrift.stack import Stack


@dataclass(frozen=True, slots=True)
class PreviousDifference:
    """Mean over bands of |x - the latest clear image before it|: what bitemporal methods see."""

    @property
    def halo_px(self) -> int:
        """None: a pixel is compared with itself."""
        return 0

    def detect(self, stack: Stack, /) -> Anomaly:
        """Judge the last frame by the latest frame in which the pixel is clear."""
        expected = np.full(stack.pixels.shape[1:], np.nan, np.float32)
        for frame in stack.pixels[:-1]:
            expected = np.where(np.isfinite(frame), frame, expected)
        return Anomaly(np.abs(stack.pixels[-1] - expected).mean(axis=0), expected)


BASELINES: dict[str, ImageDetector] = {
    "previous-image difference *": PreviousDifference(),
    "temporal median *": TemporalMedian(),
    "RX of the difference *": RxDifference(),
}


def baseline(detector: ImageDetector, event: Event, *, alpha: float) -> Answer:
    """Mark what scores above all but `alpha` of the pixels of normal days.

    Each image of the history is judged by all others of it, in order, so the threshold knows
    nothing of the monitored image. With one image of history there is no threshold, and
    nothing is marked.
    """
    stack = event.stack
    score = detector.detect(stack).score
    usual = [_known(detector.detect(_left_out(stack, at)).score) for at in _past(stack)]
    pool = np.concatenate(usual) if usual else np.zeros(0, np.float32)
    if len(pool) == 0:
        return Answer(score=score, marked=np.zeros(score.shape, bool))
    above = np.nan_to_num(score, nan=-np.inf) > np.quantile(pool, 1 - alpha)
    return Answer(score=score, marked=published.cleaned(above))


def _past(stack: Stack) -> range:
    return range(len(stack) - 1 if len(stack) > 2 else 0)


def _left_out(stack: Stack, at: int) -> Stack:
    """The history with image `at` last; the monitored image is not in it."""
    rest = [other for other in _past(stack) if other != at]
    order = np.array([*rest, at])
    return replace(stack, pixels=stack.pixels[order], days=stack.days[: len(order)])


def _known(score: NDArray[np.float32]) -> NDArray[np.float32]:
    known: NDArray[np.float32] = score[np.isfinite(score)]
    return known
