"""How the network is made and taught; the same for every archive."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Of the network and of its training. None was chosen on the series that it is judged by."""

    widths: tuple[int, ...] = (24, 32, 48)
    """Channels of the own encoder at strides 1, 2, 4."""
    heads: int = 4
    """Attention heads; a divisor of every width."""
    context: int = 8
    """Earlier frames that are encoded, at most."""
    history: int = 16
    """Earlier frames that the median and its spread are taken of, at most."""
    least_clear: float = 0.05
    """Share of a frame that must be clear for it to be looked at."""
    crop_px: int = 32
    """Side of a training window; a multiple of every stride."""
    batch: int = 8
    rate: float = 2e-3
    """Learning rate of AdamW, reached after `warm` steps."""
    warm: int = 50
    decay: float = 1e-4
    """Weight decay."""
    average: float = 0.995
    """Decay of the running mean of the weights, which is what is kept."""
    target_clear: float = 0.3
    """Share of a frame that must be clear for it to be a target."""
    held_out: float = 0.15
    """Share of days that are never a target of training."""
    drop: float = 0.15
    """Chance that an earlier frame is left out."""
    gap: float = 0.3
    """Chance that up to three of the latest frames are all left out."""
    gain: float = 0.1
    """Standard deviation of the gain put on one frame of the context."""
    offset: float = 0.2
    """Standard deviation of its offset, over the normalisation."""
    seed: int = 0

    def __post_init__(self) -> None:
        for name in ("heads", "context", "crop_px", "batch"):
            if getattr(self, name) < 1:
                raise ValueError(
                    f"{name} must be at least 1, got {getattr(self, name)}"
                )
        if self.history < self.context:
            raise ValueError(
                f"history must be at least context, {self.context}, got {self.history}"
            )
        if len(self.widths) < 2 or any(each % self.heads for each in self.widths):
            raise ValueError(
                f"widths must be two or more multiples of heads, {self.heads}, got "
                f"{', '.join(map(str, self.widths))}"
            )
        if not 0 <= self.held_out < 1:
            raise ValueError(
                f"held_out must be a share from 0 to below 1, got {self.held_out:g}"
            )
