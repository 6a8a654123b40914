"""Cells of a comparison: numbers as text."""

import numpy as np

from terradrift.evaluate.bench.result import Alarms
from terradrift.evaluate.measures import Interval

NONE = "-"


def number(value: float, digits: int) -> str:
    """So many digits, or a dash where it is not known."""
    return f"{value:.{digits}f}" if np.isfinite(value) else NONE


def interval(value: Interval, digits: int = 3) -> str:
    """A value and its interval, where it has one."""
    shown = number(value.value, digits)
    if not np.isfinite(value.low):
        return shown
    return f"{shown} ({value.low:.{digits}f}..{value.high:.{digits}f})"


def rate(value: Interval) -> str:
    """Per 1,000 km2 and year, without its interval."""
    return f"{value.value:,.0f}" if np.isfinite(value.value) else NONE


def rates(value: Interval) -> str:
    """The same with its interval."""
    if not np.isfinite(value.value):
        return NONE
    return f"{value.value:,.0f} ({value.low:,.0f}..{value.high:,.0f})"


def share(value: Alarms) -> str:
    """What part of the patches passed, and how many of how many."""
    part = f"{value.share:.1%}" if np.isfinite(value.share) else NONE
    return f"{part} ({value.count:,} of {value.patches:,})"


def seconds(value: float) -> str:
    """Seconds; hundredths where these are few; a dash where they were not taken."""
    if not np.isfinite(value):
        return NONE
    return f"{value:.2f}" if value < 10 else f"{value:.0f}"
