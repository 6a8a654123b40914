"""When, by where a file lies: hive folders, names, and what the caller says of those silent."""

from collections.abc import Mapping

from terradrift.errors import SchemaError
from terradrift.store.published import named
from terradrift.store.published.files import KEY, File
from terradrift.store.published.spans import DoubtError, Span

_WHOLE = (
    "datetime",
    "timestamp",
    "date",
    "dt",
    "ym",
    "yearmonth",
    "yyyymm",
    "quarter",
    "month",
)
GUESSES = ("the year in its name or folder", "the date in its name or folder")
"""What says when that states nothing."""
_PARTS = ("week", "dekad", "season", "half", "doy")
"""Keys of parts of a year that are not read."""


def filed(file: File, asked: str | None) -> tuple[Span | None, str]:
    """What a file's place says, None: nothing, or the caller's date is better; and what does.

    Args:
        file: its hive folders and names are asked.
        asked: a date, which goes before a mere year in a name.

    Raises:
        SchemaError: names that may mean several dates, while none is asked for; names that
            say one thing, and hive folders or the caller another.
    """
    try:
        stated = _hive(file.keys)
        rest = [name for name in file.names if not KEY.match(name)]
        found = named.said(rest, stated)
        given = None if asked is None else named.one(asked)[0]
    except DoubtError as error:
        if asked is not None:
            return None, ""
        raise SchemaError(
            f"{file.path} does not say for sure when: {error}; pass --date, or name it as "
            "2024-01-15, 2024-01, 2024-Q1 or 2024"
        ) from error
    if found is None or (asked and found.kind == "year" and stated is None):
        return (None, "") if asked else (found, "")
    if given is not None and given.apart(found):
        raise SchemaError(
            f"{file.path} is of {found.text} by its name or folder, and --date says {asked}; "
            "leave --date out, or rename it"
        )
    if given is not None and given.within(found):
        return None, ""
    if found == stated:
        return found, "its folder's name"
    return found, GUESSES[found.kind != "year"]


def _hive(keys: Mapping[str, str]) -> Span | None:
    """What hive folders state, such as year=2024/month=06 or date=2024-06-12.

    Raises:
        DoubtError: no date, or a part of a year that is not read.
    """
    texts = [keys[key] for key in _WHOLE if key in keys and not keys[key].isdecimal()]
    texts += [keys[key] for key in _WHOLE if len(keys.get(key, "")) > 2]
    if (year := keys.get("year")) is not None:
        part = next((key for key in _PARTS if key in keys), None)
        if part is not None:
            raise DoubtError(
                f"{part}={keys[part]} is a part of a year that is not read"
            )
        if "month" in keys and len(keys["month"]) <= 2:
            texts.append("-".join([year, *_two(keys, "month", "day")]))
        elif "quarter" in keys and len(keys["quarter"]) <= 2:
            texts = [f"{year}-Q{keys['quarter'].upper().removeprefix('Q')}"]
        else:
            texts.append(year)
    spans = []
    for text in dict.fromkeys(texts):
        span, _ = named.one(text)
        if span is None:
            raise DoubtError(f"its folder says {text}, which is no date")
        spans.append(span)
    spans.sort(key=lambda each: each.high - each.low)
    for other in spans[1:]:
        if not spans[0].within(other):
            raise DoubtError(f"its folders say both {spans[0].text} and {other.text}")
    return spans[0] if spans else None


def _two(keys: Mapping[str, str], *names: str) -> list[str]:
    """Numbers of two digits of keys, up to the first that is not there."""
    found = []
    for name in names:
        if name not in keys:
            break
        found.append(keys[name].zfill(2))
    return found
