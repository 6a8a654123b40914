"""What Clay knows of a chip beside its pixels: when and where (pure)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from datetime import datetime

    from numpy.typing import NDArray


def time_of(times: NDArray[np.datetime64]) -> NDArray[np.float32]:
    """(n, 4) sine and cosine of the ISO week (52 a turn) and of the hour in UTC (24).

    Zeros where `times` (n,) is NaT, which Clay takes for unknown.
    """
    instants: list[datetime | None] = times.astype("datetime64[us]").tolist()
    return np.array([_time(instant) for instant in instants], np.float32).reshape(-1, 4)


def place_of(centers: NDArray[np.float64]) -> NDArray[np.float32]:
    """(n, 4) sine and cosine of latitude and of longitude.

    `centers` is (n, 2), longitude and latitude in degrees; zeros where one of them is NaN.
    """
    lon, lat = np.radians(centers).T
    place = np.stack([np.sin(lat), np.cos(lat), np.sin(lon), np.cos(lon)], axis=1)
    known = np.isfinite(centers).all(axis=1, keepdims=True)
    return np.where(known, place, 0.0).astype(np.float32)


def _time(instant: datetime | None) -> tuple[float, ...]:
    if instant is None:
        return (0.0, 0.0, 0.0, 0.0)
    week = 2 * np.pi * instant.isocalendar().week / 52
    hour = 2 * np.pi * instant.hour / 24
    return (np.sin(week), np.cos(week), np.sin(hour), np.cos(hour))
