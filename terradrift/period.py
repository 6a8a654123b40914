"""Periods of time, as STAC writes them (pure)."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

_PART = re.compile(
    r"(?P<year>\d{4})(-(?P<month>\d{2})(-(?P<day>\d{2})(?P<time>[T ].+)?)?)?$"
)
_EARLIEST = datetime(1, 1, 1, tzinfo=UTC)
_LATEST = datetime(9999, 12, 31, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Period:
    """The instants from `start` up to, but not including, `end`; both with time zone."""

    start: datetime
    end: datetime

    def __post_init__(self) -> None:
        if self.start.tzinfo is None or self.end.tzinfo is None:
            raise ValueError(
                f"period needs time zones, got {self.start} and {self.end}"
            )
        if self.start >= self.end:
            raise ValueError(f"period is empty: {self.start} is not before {self.end}")

    def __contains__(self, instant: datetime) -> bool:
        return self.start <= instant < self.end

    @classmethod
    def parse(cls, text: str) -> "Period":
        """Read `A/B`, `A/..`, `../B` or `A`, where A and B are 2018, 2018-05, 2018-05-16 or full instants.

        The end is inclusive as in STAC: `2018-05/2018-06` ends with 30 June.

        Raises:
            ValueError: not of that form, or empty.
        """
        first, slash, last = text.strip().partition("/")
        if not slash:
            last = first
        start = _EARLIEST if first in ("", "..") else _span(first, text)[0]
        end = _LATEST if last in ("", "..") else _span(last, text)[1]
        if start >= end:
            raise ValueError(
                f"period is empty: {first} is after {last}; give the earlier date first"
            )
        return cls(start, end)

    def stac(self) -> str:
        """The period as a STAC API `datetime` parameter (its end is inclusive there)."""
        last = self.end - timedelta(microseconds=1)
        first = ".." if self.start == _EARLIEST else _iso(self.start)
        return f"{first}/{'..' if self.end == _LATEST else _iso(last)}"


def _iso(instant: datetime) -> str:
    return instant.astimezone(UTC).isoformat().replace("+00:00", "Z")


def _span(part: str, text: str) -> tuple[datetime, datetime]:
    """First instant of `part`, and the first one after it."""
    match = _PART.match(part)
    if match is None:
        raise ValueError(
            f"expected a period such as 2018-05/2018-11 or 2018-05-16/.., got {text!r}"
        )
    year, month, day, time = match["year"], match["month"], match["day"], match["time"]
    try:
        if time:
            instant = datetime.fromisoformat(part)
            if instant.tzinfo is None:
                instant = instant.replace(tzinfo=UTC)
            return instant, instant + timedelta(microseconds=1)
        if day:
            start = datetime(int(year), int(month), int(day), tzinfo=UTC)
            return start, start + timedelta(days=1)
        if month:
            start = datetime(int(year), int(month), 1, tzinfo=UTC)
            return start, (start + timedelta(days=32)).replace(day=1)
        start = datetime(int(year), 1, 1, tzinfo=UTC)
        return start, start.replace(year=int(year) + 1)
    except ValueError as error:
        raise ValueError(
            f"expected a period such as 2018-05/2018-11, got {text!r}: {error}"
        ) from error
