"""Methods on pixels in the study: their scores of one frame, by pixel and by patch (pure)."""

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from terradrift.chip import TileImage
from terradrift.detect.image import patches
from terradrift.detect.image.median import TemporalMedian
from terradrift.detect.image.protocol import ImageDetector
from terradrift.detect.image.rx import Rx, RxDifference
from terradrift.grid import parse_id
from terradrift.stack import Stack

Pixels = NDArray[np.float32]

BASELINES: Mapping[str, ImageDetector] = {
    "temporal median": TemporalMedian(),
    "Reed-Xiaoli": Rx(),
    "Reed-Xiaoli of the difference": RxDifference(),
}
"""What stands beside every method."""


class Judge:
    """Detectors that judge views of one frame by the frames before it.

    The views share one array, of which the last frame is replaced.
    """

    def __init__(
        self,
        detectors: Mapping[str, ImageDetector],
        days: NDArray[np.datetime64],
        history: Pixels,
        image: TileImage,
    ) -> None:
        self._detectors = detectors
        self._stack = _stack(days, history, image)

    def maps(self, now: Pixels) -> dict[str, Pixels]:
        """(y, x) of each detector, also with the mean of a patch at each of its pixels."""
        side = self._stack.patch_px
        self._stack.pixels[-1] = now
        found = {}
        for name, detector in self._detectors.items():
            score = detector.detect(self._stack).score
            found[f"{name}, pixels"] = score
            found[f"{name}, patches"] = spread_out(patches.mean(score, side), side)
        return found


def spread_out(coarse: Pixels, side: int) -> Pixels:
    """(rows * side, cols * side): the value of each patch at each of its pixels."""
    fine: Pixels = np.repeat(np.repeat(coarse, side, axis=0), side, axis=1)
    return fine


def _stack(days: NDArray[np.datetime64], history: Pixels, image: TileImage) -> Stack:
    """History (t, band, y, x) and one frame of nothing on the image's day, without halo."""
    day = image.times.max().astype("datetime64[D]")
    epsg, row, col = parse_id(str(image.patch_ids[0]))
    top, left = row + int(image.rows[0]), col - int(image.cols[0])
    size = image.patch_px * image.gsd
    nothing = np.full((1, *history.shape[1:]), np.nan, np.float32)
    frames, n = len(days) + 1, len(image.patch_ids)
    every = np.append(days, day)
    percent = np.full((frames, n), 100.0, np.float32)
    for at, frame in enumerate(history):
        share = patches.mean(
            np.isfinite(frame).all(axis=0).astype(np.float32), image.patch_px
        )
        percent[at] = 100 * share[image.rows, image.cols]
    return Stack(
        tile=image.tile,
        epsg=epsg,
        corner=(left * size, (top + 1) * size),
        gsd=image.gsd,
        bands=image.bands,
        wavelengths=image.wavelengths,
        level=image.level,
        days=every,
        pixels=np.concatenate([history, nothing]),
        halo_px=0,
        patch_px=image.patch_px,
        patch_ids=image.patch_ids,
        rows=image.rows,
        cols=image.cols,
        times=np.repeat(every.astype("datetime64[us]")[:, None], n, axis=1),
        scenes=np.full((frames, n), ""),
        clear_percent=percent,
    )
