"""Dates in a text, one by one, and what may be one: the forms in which people write them."""

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

FIRST = 1972
"""The first year of which there are images: Landsat 1."""
_DAY = timedelta(days=1)
YEAR = r"(?:19|20)\d\d"
MONTHS = (
    r"(?:jan|feb|mar|apr|may|jun|jul|aug|sep|sept|oct|nov|dec|january|february|march|april|"
    r"june|july|august|september|october|november|december|spring|summer|autumn|fall|winter)"
)
_COUNTED = (
    r"(?:resnet|vit|net|model|epoch|step|batch|seed|top|dim|dims|size|px|patch|patches|tile|"
    r"tiles|chip|chips|cell|grid|row|col|part|shard|chunk|block|split|fold|id|no|nr|num|idx|"
    r"index|orbit|path|frame|scene|image|img|v|ver|version|rev|release|run|baseline)"
)
_MADE = (
    r"(?:v|ver|version|rev|release|run|created|made|processed|proc|exported|updated)"
)
_TOKEN = re.compile(
    rf"""
    (?P<uuid>[0-9a-f]{{8}}-(?:[0-9a-f]{{4}}-){{3}}[0-9a-f]{{12}})
    | (?P<made>(?<![a-z]){_MADE}[-_]?{YEAR}[-_.]?\d\d(?:[-_.]?\d\d)?(?!\d))
    | (?P<counted>(?<![a-z]){_COUNTED}[-_]{YEAR}(?![\da-z]|[-_.]\d)
        | (?<![\da-z])(?!y{YEAR}|year{YEAR}|{MONTHS}{YEAR})[a-z]+{YEAR}(?![\da-z]|[-_.]\d))
    | (?P<european>(?<![\da-z])\d\d?(?P<es>[-_.])\d\d?(?P=es){YEAR}(?!\d)
        | (?<![\da-z])(?:0[1-9]|1[0-2])[-_.]{YEAR}(?![\d]|[-_.]\d)
        | (?<!\d)(?:0[1-9]|[12]\d|3[01])(?:0[1-9]|1[0-2]){YEAR}(?!\d))
    | (?P<spelled>(?<![a-z]){MONTHS}[-_.]?{YEAR}(?!\d) | (?<!\d){YEAR}[-_.]?{MONTHS}(?![a-z])
        | (?<!\d){YEAR}[-_.]?(?:w\d|week|doy|m\d|month|h[12](?![\da-z])))
    | (?P<day>(?<!\d)(?P<y>{YEAR})(?P<s>[-_.]?)(?P<m>\d\d)(?P=s)(?P<d>\d\d)
        (?:[t _-]?(?P<H>[01]\d|2[0-3])(?P<c>[:-]?)(?P<M>[0-5]\d)(?:(?P=c)(?P<S>[0-5]\d))
           | t\d\d:?(?:[0-5]\d)?)?
        (?:(?<=\d)\.\d{{3,6}}(?=z))?z?(?!\d))
    | (?P<ordinal>(?<!\d)(?P<oy>{YEAR})(?P<od>[0-3]\d\d)(?!\d))
    | (?P<quarter>(?<!\d)(?P<qy>{YEAR})[-_.]?q(?P<q>[1-4])(?![\da-z])
        | (?<![a-z])q(?P<q2>[1-4])[-_.]?(?P<qy2>{YEAR})(?!\d))
    | (?P<month>(?<!\d)(?P<my>{YEAR})-?(?P<mm>0[1-9]|1[0-2])(?![\da-z]|[-.]\d))
    | (?P<odd>(?<!\d){YEAR}(?:[-.]\d{{1,3}}(?!\d) | _\d{{1,3}}(?![\da-z])
        | -(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?!\d))
        | (?<!\d)(?:19|20)(?P<yx>\d\d)-(?P=yx)(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?!\d))
    | (?P<year>(?<![\da-z])(?:year|y)?(?P<yy>{YEAR})(?![\da-z]))
    """,
    re.VERBOSE | re.IGNORECASE,
)
_NUMBERS = {
    "made": "may be the date of a version",
    "counted": "may be a number or a size",
}
_DOUBTS = {
    "european": "may be a date in another order, or a part of a year",
    "spelled": "may be a part of a year",
    "odd": "may be a part, or a month or day of a year",
}
_KINDS = ("uuid", *_NUMBERS, *_DOUBTS, "day", "ordinal", "quarter", "month", "year")


class DoubtError(ValueError):
    """A name that may mean several dates, or one that is none."""


@dataclass(frozen=True, slots=True)
class Span:
    """What a name says: a time from `low` to before `high`."""

    low: datetime
    high: datetime
    kind: str
    """`day`, `month`, `quarter`, `year` or `period`."""
    text: str

    @property
    def instant(self) -> datetime:
        """A day's beginning, or its time; of longer ones the middle."""
        return self.low if self.kind == "day" else self.low + (self.high - self.low) / 2

    def within(self, other: "Span") -> bool:
        """Whether all of it is in another."""
        return other.low <= self.low and self.high <= other.high

    def apart(self, other: "Span") -> bool:
        """Whether nothing of it is in another."""
        return self.high <= other.low or other.high <= self.low


def spans(name: str) -> tuple[list[tuple[Span, int, int]], str]:
    """Spans of a name in their order, and where each begins and ends; and what is none.

    Raises:
        DoubtError: what may be a date, and may be none.
    """
    found, weak, latest = [], "", datetime.now(UTC).year
    for match in _TOKEN.finditer(name):
        kind, text = _kind(match), match[0]
        years = [int(each) for each in re.findall(YEAR, text)]
        if not kind or not any(FIRST <= year <= latest + 1 for year in years):
            continue
        if kind in _NUMBERS:
            weak = weak or f"{text} {_NUMBERS[kind]}"
            continue
        if kind in _DOUBTS:
            raise DoubtError(f"{text} {_DOUBTS[kind]}")
        span = _span(kind, match, text)
        # A period may end in the year that comes.
        if span is not None and span.low.year <= latest + (kind == "day"):
            found.append((span, match.start(), match.end()))
    return found, weak


def _kind(match: re.Match[str]) -> str:
    """Which sort of token; empty: none that could be a date."""
    kind = next(each for each in _KINDS if match[each] is not None)
    if kind != "ordinal":
        return kind if kind != "uuid" else ""
    if not 1 <= int(match["od"]) <= 366:
        return ""
    marked = match.start() and match.string[match.start() - 1] in "Aa."
    return kind if marked else "odd"


def _span(kind: str, match: re.Match[str], text: str) -> Span | None:
    """Of a token; None: digits in a row that are no date.

    Raises:
        DoubtError: digits apart that are none.
    """
    if kind == "day":
        try:
            low = datetime(
                int(match["y"]), int(match["m"]), int(match["d"]), tzinfo=UTC
            )
        except ValueError as error:
            if match["s"]:
                raise DoubtError(f"{text} is no date") from error
            return None
        high = low + _DAY
        if match["H"]:
            low = low.replace(hour=int(match["H"]), minute=int(match["M"]))
            low = low.replace(second=int(match["S"] or 0))
        return Span(low, high, "day", text)
    if kind == "ordinal":
        low = datetime(int(match["oy"]), 1, 1, tzinfo=UTC)
        low += (int(match["od"]) - 1) * _DAY
        return Span(low, low + _DAY, "day", text)
    if kind == "quarter":
        first = 3 * int(match["q"] or match["q2"]) - 2
        return _months(int(match["qy"] or match["qy2"]), first, 3, kind, text)
    if kind == "month":
        return _months(int(match["my"]), int(match["mm"]), 1, kind, text)
    return _months(int(match["yy"]), 1, 12, kind, text)


def _months(year: int, first: int, count: int, kind: str, text: str) -> Span:
    last = first + count - 1
    high = datetime(year, last, monthrange(year, last)[1], tzinfo=UTC) + _DAY
    return Span(datetime(year, first, 1, tzinfo=UTC), high, kind, text)
