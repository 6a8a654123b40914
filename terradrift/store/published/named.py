"""When, by the names of files and folders: dates as people write them; doubts are refused.

A name is a guess where a column or footer would be a statement, so only forms with one
meaning are read: 2024-01-15, 2024_01_15, 2024.01.15 or 20240115, with or without a time;
2024-01 or 202401; 2024-Q4; 2024; folders 2024/01/15; two dates beside one another for a
period. What may be a date, or a part, a version or a size, is a doubt.
"""

import re
from calendar import monthrange
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

FIRST = 1972
"""The first year of which there are images: Landsat 1."""
_DAY = timedelta(days=1)
_Y = r"(?:19|20)\d\d"
_MONTHS = (
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
    | (?P<made>(?<![a-z]){_MADE}[-_]?{_Y}[-_.]?\d\d(?:[-_.]?\d\d)?(?!\d))
    | (?P<counted>(?<![a-z]){_COUNTED}[-_]{_Y}(?![\da-z]|[-_.]\d)
        | (?<![\da-z])(?!y{_Y}|year{_Y}|{_MONTHS}{_Y})[a-z]+{_Y}(?![\da-z]|[-_.]\d))
    | (?P<european>(?<![\da-z])\d\d?(?P<es>[-_.])\d\d?(?P=es){_Y}(?!\d)
        | (?<![\da-z])(?:0[1-9]|1[0-2])[-_.]{_Y}(?![\d]|[-_.]\d)
        | (?<!\d)(?:0[1-9]|[12]\d|3[01])(?:0[1-9]|1[0-2]){_Y}(?!\d))
    | (?P<spelled>(?<![a-z]){_MONTHS}[-_.]?{_Y}(?!\d) | (?<!\d){_Y}[-_.]?{_MONTHS}(?![a-z])
        | (?<!\d){_Y}[-_.]?(?:w\d|week|doy|h[12](?![\da-z])))
    | (?P<day>(?<!\d)(?P<y>{_Y})(?P<s>[-_.]?)(?P<m>\d\d)(?P=s)(?P<d>\d\d)
        (?:[t _-]?(?P<H>[01]\d|2[0-3])(?P<c>[:-]?)(?P<M>[0-5]\d)(?:(?P=c)(?P<S>[0-5]\d))
           | t\d\d:?(?:[0-5]\d)?)?
        (?:(?<=\d)\.\d{{3,6}}(?=z))?z?(?!\d))
    | (?P<ordinal>(?<!\d)(?P<oy>{_Y})(?P<od>[0-3]\d\d)(?!\d))
    | (?P<quarter>(?<!\d)(?P<qy>{_Y})[-_.]?q(?P<q>[1-4])(?![\da-z])
        | (?<![a-z])q(?P<q2>[1-4])[-_.]?(?P<qy2>{_Y})(?!\d))
    | (?P<month>(?<!\d)(?P<my>{_Y})-?(?P<mm>0[1-9]|1[0-2])(?![\da-z]|[-.]\d))
    | (?P<odd>(?<!\d){_Y}(?:[-.]\d{{1,3}}(?!\d) | _\d{{1,3}}(?![\da-z])
        | -(?:0[1-9]|1[0-2])(?:0[1-9]|[12]\d|3[01])(?!\d)))
    | (?P<year>(?<![\da-z])(?:year|y)?(?P<yy>{_Y})(?![\da-z]))
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
_SENSED = (
    (re.compile(r"(?<![a-z0-9])S2[A-D]_(?:MSIL|OPER)", re.IGNORECASE), 1),
    (re.compile(r"(?<![a-z0-9])L[COTEM]0[1-9]_L\w\w\w_\d{6}_", re.IGNORECASE), 1),
    (re.compile(r"(?<![a-z0-9])S[13][A-D]_", re.IGNORECASE), 2),
)
"""Products whose names begin with so many dates of the image; the others are of its making."""
_BESIDE = re.compile(r"(?:[-_]{1,2}|[-_]?to[-_]?)", re.IGNORECASE)


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


def said(levels: Sequence[str], firm: Span | None = None) -> Span | None:
    """What names say, of a file first and then of the folders above it; None: nothing.

    The finest is taken where one lies in the other, else what is nearer to the file.

    Args:
        levels: names, without endings.
        firm: what was stated already; names may only be finer.

    Raises:
        DoubtError: a name that may mean several dates; one less exact than, and apart from,
            that of a folder; one apart from what was stated.
    """
    best, weak = None, ""
    for name in _joined(levels):
        other, number = one(name)
        weak = weak or number
        if other is None:
            continue
        if best is None or (other.within(best) and other.kind != best.kind):
            best = other
        elif other.apart(best) and other.high - other.low < best.high - best.low:
            raise _disagree(best, other)
    if best is None and firm is None and weak:
        raise DoubtError(weak)
    if best is None or firm is None:
        return best or firm
    if best.apart(firm):
        raise _disagree(best, firm)
    return best if best.within(firm) else firm


def one(name: str) -> tuple[Span | None, str]:
    """What one name says, None: nothing; and what in it is a number rather than a date.

    Raises:
        DoubtError: it may mean several dates.
    """
    found, weak = _spans(name)
    for product, count in _SENSED:
        if product.search(name):
            found = [each for each in found if each[0].kind == "day"][:count]
    spans: list[Span] = []
    while found:
        span, _, end = found.pop(0)
        if found and found[0][0].kind == span.kind and span.kind in ("day", "month"):
            last, start, _ = found[0]
            if _BESIDE.fullmatch(name[end:start]) and span != last:
                found.pop(0)
                span = _period(span, last)
        spans.append(span)
    spans.sort(key=lambda each: each.high - each.low)
    for other in spans[1:]:
        if not spans[0].within(other):
            raise _disagree(spans[0], other)
    return (spans[0] if spans else None), weak


def _disagree(first: Span, second: Span) -> DoubtError:
    return DoubtError(f"{first.text} and {second.text} are of different times")


def _joined(levels: Sequence[str]) -> Iterator[str]:
    """Names, nearest first; folders 2024/01/15, and a file in them, as one."""
    rest = list(levels)
    while rest:
        name, whole = rest.pop(0), ""
        for count in (2, 1):
            above = rest[:count]
            if len(above) == count and re.fullmatch(_Y, above[-1]):
                parts = [*reversed(above), name]
                if all(re.fullmatch(r"\d{1,4}", each) for each in parts[1:-1]) and (
                    re.fullmatch(rf"\d{{1,4}}|q[1-4]|{_MONTHS}", name, re.IGNORECASE)
                ):
                    whole = "-".join(
                        each.zfill(2) if each.isdigit() else each for each in parts
                    )
                    del rest[:count]
                    break
        yield whole or name


def _spans(name: str) -> tuple[list[tuple[Span, int, int]], str]:
    """Spans of a name in their order, and where each begins and ends; and what is none.

    Raises:
        DoubtError: what may be a date, and may be none.
    """
    found, weak, latest = [], "", datetime.now(UTC).year
    for match in _TOKEN.finditer(name):
        kind, text = _kind(match), match[0]
        years = [int(each) for each in re.findall(_Y, text)]
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


def _period(first: Span, last: Span) -> Span:
    """From one date to another.

    Raises:
        DoubtError: the other is before it.
    """
    text = f"{first.text} to {last.text}"
    high = last.low if last.kind == "day" else last.high
    if high <= first.low:
        raise DoubtError(f"{text} goes backwards")
    return Span(first.low, high, "period", text)
