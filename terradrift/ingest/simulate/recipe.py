"""What is simulated: every choice but the number of dates, and the dates themselves."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
from pyproj import CRS
from pyproj.exceptions import CRSError

from terradrift.ingest.simulate.spectra import BANDS

STAC_VERSIONS = ("1.0.0", "1.1.0")
_DUPLICATE_LATER = timedelta(seconds=14)
_EPOCH = date(1970, 1, 1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """Everything that fixes a simulated series, however many of its dates are written.

    Raises:
        ValueError: a value out of range; the message names the range.
    """

    size_px: int
    gsd: float
    bands: tuple[str, ...]
    seed: int
    start: date
    revisit_days: int
    changes_per_year: int
    quiet_days: int
    cloudiness: float
    duplicates: float
    baseline_jump: date | None
    epsg: int
    origin: tuple[float, float]
    layout: str
    block_px: int
    stac_version: str

    def __post_init__(self) -> None:
        problems = [
            (self.size_px < 32, f"size_px must be at least 32, got {self.size_px}"),
            (not self.gsd > 0, f"gsd must be above 0 metres, got {self.gsd}"),
            (
                self.revisit_days < 1,
                f"revisit_days must be at least 1, got {self.revisit_days}",
            ),
            (self.seed < 0, f"seed must not be negative, got {self.seed}"),
            (
                self.changes_per_year < 0,
                f"changes_per_year must not be negative, got {self.changes_per_year}",
            ),
            (
                not 0 <= self.cloudiness <= 1,
                f"cloudiness must lie in 0..1, got {self.cloudiness}",
            ),
            (
                not 0 <= self.duplicates <= 1,
                f"duplicates must lie in 0..1, got {self.duplicates}",
            ),
            (
                self.layout not in ("multiband", "per-band"),
                f"layout must be 'multiband' or 'per-band', got {self.layout!r}",
            ),
            (
                self.block_px < 128 or self.block_px % 128,
                f"block_px must be a multiple of 128, got {self.block_px}",
            ),
            (
                self.stac_version not in STAC_VERSIONS,
                f"stac_version must be 1.0.0 or 1.1.0, got {self.stac_version!r}",
            ),
            (
                not self.bands or bool(set(self.bands) - set(BANDS)),
                f"bands must be some of {' '.join(BANDS)}, got {' '.join(self.bands)}",
            ),
        ]
        for wrong, message in problems:
            if wrong:
                raise ValueError(message)
        if not _in_metres(self.epsg):
            raise ValueError(
                f"epsg must be a projected CRS in metres such as 32631, got {self.epsg}"
            )

    def metres(self, length: float) -> float:
        """A length in metres as a number of pixels."""
        return length / self.gsd


def _in_metres(epsg: int) -> bool:
    try:
        crs = CRS.from_epsg(epsg)
    except CRSError:
        return False
    return crs.is_projected and crs.axis_info[0].unit_conversion_factor == 1.0


def parse_day(name: str, text: str) -> date:
    """A day such as 2019-01-31.

    Raises:
        ValueError: not one; the message says which argument it was.
    """
    try:
        return date.fromisoformat(text)
    except ValueError as error:
        raise ValueError(
            f"{name} must be a day such as 2019-01-31, got {text!r}"
        ) from error


@dataclass(frozen=True, slots=True)
class Acquisition:
    """One scene to be made: which pass, which of its overlapping copies, when."""

    index: int
    copy: int
    instant: datetime
    baseline: str
    boa_add: int
    """Added to the digital numbers, as processing baseline 04.00 and later do."""

    @property
    def scene_id(self) -> str:
        """Such as `S2A_20190116T105031`."""
        return f"S2{'AB'[self.index % 2]}_{self.instant:%Y%m%dT%H%M%S}"

    @property
    def day(self) -> int:
        """Days since 1970-01-01."""
        return (self.instant.date() - _EPOCH).days


def stream(recipe: Recipe, *key: int) -> np.random.Generator:
    """The random numbers of one purpose, which no other purpose and no date count moves."""
    return np.random.default_rng([recipe.seed, *key])


def acquisitions(recipe: Recipe, dates: int) -> Iterator[Acquisition]:
    """The scenes of the first `dates` passes, in order of time."""
    for index in range(dates):
        rng = stream(recipe, 1, index)
        day = recipe.start + timedelta(days=index * recipe.revisit_days)
        jump = recipe.baseline_jump
        late = jump is not None and day >= jump
        first = datetime(day.year, day.month, day.day, 10, 50, tzinfo=UTC)
        first += timedelta(seconds=int(rng.integers(0, 900)))
        twice = rng.random() < recipe.duplicates
        for copy in range(2 if twice else 1):
            yield Acquisition(
                index=index,
                copy=copy,
                instant=first + copy * _DUPLICATE_LATER,
                baseline="05.00" if late else "02.13",
                boa_add=1000 if late else 0,
            )
