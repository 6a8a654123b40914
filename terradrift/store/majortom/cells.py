"""The Major TOM grid: points at most so far apart, named by row and column (pure).

Francis and Czerkawski 2024, arXiv:2402.12095. Rows are parallels of a sphere of the
equatorial radius, 180 / n degrees apart with n = ceil(pi R / distance); a row has
ceil(2 pi R cos(latitude) / distance) points from longitude 0 on. A point is the lower left
corner of its cell, and fixes its UTM zone.
"""

import math
import re
from dataclasses import dataclass

from terradrift.grid import utm_zone

RADIUS_KM = 6378.137
LATITUDE = 85.0
"""No cell begins further north or south."""
_NAME = re.compile(r"(\d+)([UD])_(\d+)([RL])$")


@dataclass(frozen=True, slots=True)
class CellGrid:
    """The grid of cells of about `distance_km`."""

    distance_km: float = 10.0

    def __post_init__(self) -> None:
        if not 0 < self.distance_km <= 1000:
            raise ValueError(
                f"distance must be above 0 and at most 1,000 km, got {self.distance_km}"
            )

    @property
    def rows(self) -> int:
        """Rows from pole to pole, of which those beyond 85 degrees are not used."""
        return math.ceil(math.pi * RADIUS_KM / self.distance_km)

    def latitude(self, row: int) -> float:
        """Degrees of the lower side of a row, counted from the equator, north positive."""
        return row * (180.0 / self.rows)

    def columns(self, row: int) -> int:
        """Cells of a row."""
        around = 2 * math.pi * RADIUS_KM * math.cos(math.radians(self.latitude(row)))
        return math.ceil(around / self.distance_km)

    def longitude(self, row: int, col: int) -> float:
        """Degrees of the left side of a cell, counted from Greenwich, east positive."""
        return col * (360.0 / self.columns(row))

    def name(self, row: int, col: int) -> str:
        """Such as `922D_249L` of row -922 and column -249.

        Raises:
            ValueError: no such cell.
        """
        self._check(row, col, f"row {row}, column {col}")
        down, left = "D" if row < 0 else "U", "L" if col < 0 else "R"
        return f"{abs(row)}{down}_{abs(col)}{left}"

    def parse(self, name: str) -> tuple[int, int]:
        """Row and column of a cell's name.

        Raises:
            ValueError: not of that form, or no such cell.
        """
        match = _NAME.match(name)
        if match is None:
            raise ValueError(f"expected a cell such as 922D_249L, got {name!r}")
        row = int(match[1]) * (-1 if match[2] == "D" else 1)
        col = int(match[3]) * (-1 if match[4] == "L" else 1)
        self._check(row, col, name)
        return row, col

    def cell(self, longitude: float, latitude: float) -> tuple[int, int]:
        """Row and column of the cell that a place in degrees lies in.

        Raises:
            ValueError: beyond 85 degrees, or not in degrees.
        """
        if not (-180 <= longitude <= 180 and -90 <= latitude <= 90):
            raise ValueError(
                f"expected longitude and latitude in degrees, got {longitude} {latitude}"
            )
        row = math.floor(latitude / (180.0 / self.rows))
        count = self.columns(row)
        col = math.floor((longitude % 360) / (360.0 / count))
        # Half a turn east lies column 0 of the west.
        col = col - count if col >= -(-count // 2) else col
        self._check(row, col, f"{longitude:g} {latitude:g}")
        return row, col

    def epsg(self, name: str) -> int:
        """The UTM zone of a cell, by its lower left corner."""
        row, col = self.parse(name)
        zone = utm_zone(self.longitude(row, col))
        return (32700 if row < 0 else 32600) + zone

    def _check(self, row: int, col: int, what: str) -> None:
        count = self.columns(row) if abs(row) <= self.rows // 2 else 0
        inside = -(count // 2) <= col < -(-count // 2)
        if abs(self.latitude(row)) > LATITUDE or not inside:
            raise ValueError(
                f"the grid of {self.distance_km:g} km has no cell at {what}: rows reach "
                f"{LATITUDE:g} degrees, and this row has {count} columns"
            )
