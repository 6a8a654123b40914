"""How event folders are judged: what a user may choose."""

from dataclasses import dataclass

from terradrift import plugins
from terradrift.archive.events import features as event_features
from terradrift.archive.events import regions as event_regions

PROTOCOLS = ("published", "published-old")
SEGMENTS = ("auto", "sam", "superpixels")
ALPHA = 0.05
"""Threshold of methods that set their own: a share of past pixels, or a p-value of regions."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choices:
    """How event folders are judged.

    Raises:
        ValueError: a choice out of range.
    """

    model: str = event_features.AUTO
    segments: str = "auto"
    region_px: float = event_regions.REGION_PX
    """Pixels of a superpixel, about."""
    protocol: str = "published"
    alpha: float = ALPHA
    steps: int | None = None
    """Latest images of the history that are used; None: all."""
    scale: float | None = None
    """Reflectance per digital number; None: what the file says, or its type."""
    gsd: float | None = None
    """Metres per pixel of images that do not say where they lie."""
    skip_bad: bool = False
    device: str = "auto"

    def __post_init__(self) -> None:
        for name, value, known in (
            ("protocol", self.protocol, PROTOCOLS),
            ("segments", self.segments, SEGMENTS),
        ):
            if value not in known:
                raise ValueError(
                    f"{name} must be one of {', '.join(known)}, got {value!r}; "
                    f"{plugins.meant(value, list(known))}".rstrip("; ")
                )
        if not 0 < self.alpha < 1:
            raise ValueError(f"alpha must lie between 0 and 1, got {self.alpha:g}")
        if self.steps is not None and self.steps < 1:
            raise ValueError(f"steps must be at least 1, got {self.steps}")
        sizes = (self.scale, self.gsd, self.region_px)
        if any(each is not None and not each > 0 for each in sizes):
            raise ValueError("scale, gsd and region_px must be above 0")
