"""What a detector over images is: one method, frames in, an anomaly map of the last one out."""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from terradrift.stack import Stack

_LEAST_HISTORY = 5
"""Fewer earlier frames say little of what is usual."""


@dataclass(frozen=True, slots=True, eq=False)
class Anomaly:
    """What a detector says of the last frame, halo included."""

    score: NDArray[np.float32]
    """(y, x), the larger the more unusual; NaN where it abstains, always where not clear."""
    expected: NDArray[np.float32] | None = None
    """(band, y, x), reflectance that was expected, NaN where unknown; None: it does not say."""
    scale: NDArray[np.float32] | None = None
    """(band, y, x), how far from it is usual, reflectance; None: it does not say."""


class ImageDetector(Protocol):
    """Scores every pixel of the last frame; the larger, the more unusual.

    An implementation is a frozen dataclass of its parameters, all with defaults unless it
    must be trained, so that its `repr` says how scores were made. Earlier frames say what is
    usual; nothing of the last frame enters what is expected of it. The first line of its
    docstring is what users are told of it.

    One that must be trained is an entry point with a method `trained(models, *, device,
    **parameters)`, which gives the detector by what lies in the folder `models` of an
    archive.

    Two more class attributes may be there. `frame = True`: a pixel's score depends on the
    whole window, not on its halo alone (the contract tests hold all others to their halo).
    `least_history`: earlier frames without which it is not asked, unless a user says how
    many; `usual_history` gives it.
    """

    @property
    def halo_px(self) -> int:
        """Pixels of surroundings that the score of a pixel depends on."""
        ...

    def detect(self, stack: Stack, /) -> Anomaly:
        """Judge the last frame of the stack by those before it.

        A stack of one frame gives NaN everywhere, unless the detector looks at one frame.
        """
        ...


def usual_history(detector: ImageDetector) -> int:
    """Earlier frames that a detector is shown at least: 5, or its own `least_history`."""
    return int(getattr(detector, "least_history", _LEAST_HISTORY))
