"""What may be chosen about regions and how they are judged."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Sizes are in metres, so that they mean the same at every pixel size."""

    area_m2: float = 4_000.0
    """Ground of a superpixel, within a factor of two or so; never fewer than 25 pixels."""
    least_m2: float = 1_000.0
    """A smaller region joins a neighbour, and one of fewer than 6 pixels."""
    compactness: float = 0.1
    """How much nearness counts beside likeness: 1 is as much as all of a band's range."""
    min_clear: float = 0.5
    """Share of a region's pixels that must be clear on a date for it to count."""
    min_reference: int = 2
    """Earlier dates that z and p take; with fewer there is a score alone."""

    def __post_init__(self) -> None:
        if self.area_m2 <= 0 or self.least_m2 < 0 or self.compactness <= 0:
            raise ValueError(
                "area_m2 and compactness must be above 0 and least_m2 not below, got "
                f"{self.area_m2:g}, {self.compactness:g} and {self.least_m2:g}"
            )
        if not 0 < self.min_clear <= 1:
            raise ValueError(
                f"min_clear is a share above 0 and up to 1, got {self.min_clear:g}"
            )
        if self.min_reference < 2:
            raise ValueError(
                "min_reference must be 2 or more, as a date is compared with others, "
                f"got {self.min_reference}"
            )
