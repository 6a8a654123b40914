"""When, by the names of files and folders: dates as people write them; doubts are refused.

A name is a guess where a column or footer would be a statement, so only forms with one
meaning are read: 2024-01-15, 2024_01_15, 2024.01.15 or 20240115, with or without a time;
2024-01 or 202401; 2024-Q4; 2024; folders 2024/01/15; two dates beside one another for a
period. What may be a date, or a part, a version or a size, is a doubt.
"""

import re
from collections.abc import Iterator, Sequence

from terradrift.store.published.spans import MONTHS, YEAR, DoubtError, Span, spans

_SENSED = (
    (re.compile(r"(?<![a-z0-9])S2[A-D]_MSIL", re.IGNORECASE), 1),
    (re.compile(r"(?<![a-z0-9])L[COTEM]0[1-9]_L\w\w\w_\d{6}_", re.IGNORECASE), 1),
    (re.compile(r"(?<![a-z0-9])S[13][A-D]_", re.IGNORECASE), 2),
)
"""Products whose names begin with so many dates of the image; the others are of its making."""
_BELOW = rf"\d{{1,4}}|\d{{6}}|q[1-4]|{MONTHS}|(?:month|m|week|w|doy|d)[-_ ]?\d{{1,3}}"
"""Names in a folder of a year that may be a part of it."""
_BESIDE = re.compile(r"(?:[-_]{1,2}|[-_ ]?to[-_ ]?)", re.IGNORECASE)


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
    found, weak = spans(name)
    for product, count in _SENSED:
        if product.search(name):
            found = [each for each in found if each[0].kind == "day"][:count]
    whole: list[Span] = []
    while found:
        span, _, end = found.pop(0)
        if found and found[0][0].kind == span.kind and span.kind in ("day", "month"):
            last, start, _ = found[0]
            if _BESIDE.fullmatch(name[end:start]) and span != last:
                found.pop(0)
                span = _period(span, last)
        whole.append(span)
    whole.sort(key=lambda each: each.high - each.low)
    for other in whole[1:]:
        if not whole[0].within(other):
            raise _disagree(whole[0], other)
    return (whole[0] if whole else None), weak


def _disagree(first: Span, second: Span) -> DoubtError:
    return DoubtError(f"{first.text} and {second.text} are of different times")


def _joined(levels: Sequence[str]) -> Iterator[str]:
    """Names, nearest first; folders 2024/01/15, and a file in them, as one."""
    rest = list(levels)
    while rest:
        name, whole = rest.pop(0), ""
        for count in (2, 1):
            above = rest[:count]
            if len(above) == count and re.fullmatch(YEAR, above[-1]):
                parts = [*reversed(above), name]
                if all(re.fullmatch(r"\d{1,4}", each) for each in parts[1:-1]) and (
                    re.fullmatch(_BELOW, name, re.IGNORECASE)
                ):
                    whole = "-".join(
                        each.zfill(2) if each.isdigit() else each for each in parts
                    )
                    del rest[:count]
                    break
        yield whole or name


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
