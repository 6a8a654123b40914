"""What a network takes and gives, whatever its make."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from torch import Tensor, nn

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

Output = Literal["pooled", "tokens"]


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Input:
    """`n` chips on the network's device, each with `t` dates, the last one its own."""

    pixels: Tensor
    """(n, t, band, y, x) float32: harmonised reflectance 0..1 (about), bands as on the card.

    Finite everywhere: what is not clear holds the mean of the clear pixels of its chip, band
    and date, and 0 in a date without any and in a band that is missing."""
    clear: Tensor
    """(n, t, y, x) bool: pixels that were clear; a date that is not there has none."""
    times: NDArray[np.datetime64]
    """(n, t), datetime64[us], UTC; NaT for a date that is not there."""
    centers: NDArray[np.float64]
    """(n, 2), longitude and latitude of the chip's middle in degrees."""
    gsd: float
    """Metres per pixel."""
    wavelengths: NDArray[np.float32]
    """(band,), um; NaN where unknown."""


class Network(nn.Module):
    """A network as the official code has it, behind one door.

    `prepare` holds all that is done to reflectance; it is cheap and always float32. `forward`
    holds the network; it may be traced, compiled, replicated or run in bfloat16.
    """

    output: Output

    def prepare(self, given: Input) -> tuple[Tensor, ...]:
        """The tensors that `forward` takes, first axis n, on the same device."""
        raise NotImplementedError

    def forward(self, *prepared: Tensor) -> Tensor:
        """(n, d) where `output` is pooled, (n, y, x, d) where it is tokens; rows from north."""
        raise NotImplementedError
