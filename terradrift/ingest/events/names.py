"""What a file of an event folder is, told by its name (pure)."""

import re
from dataclasses import dataclass
from datetime import date, timedelta

CLASSES = (
    "normal",
    "explosion",
    "collapse",
    "landslide",
    "fire",
    "dam break",
    "other",
)
"""Meaning of the number that a folder's name begins with; 0 is a control."""

ANOMALY, LABEL, NORMAL = "anomaly", "label", "normal"

_IMAGE = re.compile(r"\.tiff?$", re.IGNORECASE)
_PREVIEW = re.compile(r"preview|quick-?look|thumb|overview|browse", re.IGNORECASE)
_LABEL = re.compile(r"label|mask", re.IGNORECASE)
_ROLE = re.compile(r"(anomaly|normal)(?![a-z])", re.IGNORECASE)
_CLASS = re.compile(r"(\d+)(?!\d)")
_MONTHS = (
    *("jan", "feb", "mar", "apr", "may", "jun"),
    *("jul", "aug", "sep", "oct", "nov", "dec"),
)
_APART = r"[-_. ]?"
_MONTH = rf"(?P<name>{'|'.join(_MONTHS)})[a-z]*"
_DAY = r"(?P<day>0?[1-9]|[12]\d|3[01])"
_YEAR = r"(?P<year>(?:19|20)\d\d)"
_CLOCK = r"(?:\d{4}(?:\d\d)?)?"
_END = r"(?!\d)"
_ALONE, _LAST = r"(?<!\d[-_.])", rf"{_END}(?![-_.]\d)"
_SPELLINGS = tuple(
    re.compile(rf"(?<!\d){text}", re.IGNORECASE)
    for text in (
        rf"{_YEAR}{_APART}(?P<month>0[1-9]|1[0-2]){_APART}(?P<day>0[1-9]|[12]\d|3[01]){_CLOCK}{_END}",
        rf"{_YEAR}[-_.](?P<month>\d{{1,2}})[-_.]{_DAY}{_END}",
        rf"{_YEAR}{_APART}(?P<doy>[0-3]\d\d){_END}",
        rf"{_DAY}{_APART}{_MONTH}{_APART}{_YEAR}{_END}",
        rf"{_YEAR}{_APART}{_MONTH}{_APART}{_DAY}{_END}",
        rf"{_ALONE}{_YEAR}{_APART}(?P<month>0[1-9]|1[0-2]){_LAST}",
        rf"{_YEAR}{_APART}{_MONTH}",
        rf"(?:{_MONTH}){_APART}{_YEAR}{_END}",
        rf"{_ALONE}{_YEAR}{_LAST}",
    )
)
"""Year first, or the month as a word: what could be read two ways is not read at all."""


@dataclass(frozen=True, slots=True)
class Named:
    """What a file's name says."""

    role: str
    """`anomaly`, `label` or `normal`."""
    day: date | None
    """First day of what is named: 2018-05 is 2018-05-01. None: no date in the name."""


def is_image(name: str) -> bool:
    """Whether a file is an image of the event: side-car files and previews are not."""
    return bool(
        _IMAGE.search(name) and not name.startswith(".") and not _PREVIEW.search(name)
    )


def named(name: str) -> Named | None:
    """Role and date of an image such as `anomaly_20200913_label.tif`; None: it says none."""
    stem = _IMAGE.sub("", name)
    role = _ROLE.match(stem)
    if role is None:
        return None
    rest = stem[role.end() :]
    kind = role[1].lower()
    if kind == ANOMALY and _LABEL.search(rest):
        kind = LABEL
    return Named(kind, day(rest))


def day(text: str) -> date | None:
    """The date in a text, of the spellings 20200913, 2020-9-13, 2020257, 13Sep2020, 2020-09, 2020.

    Numbers with the day first (13-09-2020) are not read: they may mean two days.
    """
    for spelling in _SPELLINGS:
        for match in spelling.finditer(text):
            found = _date(match.groupdict())
            if found is not None:
                return found
    return None


def kind(folder: str) -> int | None:
    """Number of the class that a folder's name begins with; None: it begins with none."""
    match = _CLASS.match(folder)
    number = int(match[1]) if match else -1
    return number if 0 <= number < len(CLASSES) else None


def _date(part: dict[str, str | None]) -> date | None:
    year = int(part["year"] or 0)
    if part.get("doy"):
        of_year = int(part["doy"] or 0)
        found = date(year, 1, 1) + timedelta(days=max(of_year, 1) - 1)
        return found if of_year and found.year == year else None
    word = part.get("name")
    month = _MONTHS.index(word.lower()[:3]) + 1 if word else int(part.get("month") or 1)
    try:
        return date(year, month, int(part.get("day") or 1))
    except ValueError:
        return None
