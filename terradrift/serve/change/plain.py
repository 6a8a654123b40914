"""Values of tables as JSON has them (pure): instants in ISO 8601, no NaN, shapes as GeoJSON."""

import json
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import numpy as np
import shapely
from numpy.typing import NDArray


def row(given: Mapping[str, Any]) -> dict[str, Any]:
    """A row of a table."""
    return {name: value(one, name) for name, one in given.items()}


def value(given: Any, name: str = "") -> Any:  # noqa: ANN401 - whatever a table holds
    """One value; `bbox` is [west, south, east, north], `geometry` GeoJSON."""
    match given:
        case datetime():
            made: Any = instant(given)
        case float():
            made = given if math.isfinite(given) else None
        case bytes():
            made = json.loads(shapely.to_geojson(shapely.from_wkb(given)))
        case Mapping() if name == "bbox":
            made = [value(given[side]) for side in ("xmin", "ymin", "xmax", "ymax")]
        case Mapping():
            made = row(given)
        case list() | tuple():
            made = [value(one) for one in given]
        case _:
            made = given
    return made


def number(given: float, digits: int) -> float | None:
    """Rounded to what a page can show; null for NaN."""
    return round(given, digits) if math.isfinite(given) else None


def instant(at: datetime | None) -> str | None:
    """Such as `2018-05-24T11:00:36Z`."""
    if at is None:
        return None
    text = at.astimezone(UTC).replace(tzinfo=None).isoformat()
    return f"{text}Z"


def numbers(values: NDArray[np.floating], digits: int = 4) -> list[float | None]:
    """Float columns with null for NaN, rounded to what a page can show."""
    found = np.round(values.astype(np.float64), digits).tolist()
    return [one if math.isfinite(one) else None for one in found]
