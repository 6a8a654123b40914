"""What a row of labels says beside its place: date, class, and whether anything changed."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from terradrift.errors import SourceError
from terradrift.evaluate.truth import NOT_A_DAY
from terradrift.period import Period

if TYPE_CHECKING:
    import pandas as pd

DATES = (
    "onset",
    "date",
    "datetime",
    "event_date",
    "change_date",
    "nominal_date",
    "alarm_date",
)
"""Columns that hold the date of a change, the first that is there is used."""
SPANS = (
    ("onset_early", "onset_late"),
    ("earliest", "latest"),
    ("start", "end"),
    ("start_date", "end_date"),
    ("start_datetime", "end_datetime"),
)
"""Pairs of columns between which a change lies, where none of `DATES` is there."""
LATER_DATES = ("start", "start_date", "start_datetime", "year")
"""Columns that hold a date, where there is no pair either."""
CLASSES = ("kind", "class", "label", "type", "change_type", "category", "event_type")
FLAG = "changed"
"""Column that is false (0) where a row says that nothing changed."""
_TRUE, _FALSE = {"1", "true", "yes", "t", "y"}, {"0", "false", "no", "f", "n"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """How a file of labels is to be read."""

    date: str | None = None
    """The date of all labels, or a period that it lies in."""
    date_field: str | None = None
    """Column of dates; two, parted by a comma, are the first and the last possible day."""
    class_field: str | None = None
    values: Path | None = None
    """Rasters: a table of value, date, class."""
    ignore: tuple[float, ...] = ()
    """Rasters: values that say that nothing is known."""


def days(values: Iterable[Any], where: str) -> tuple[NDArray[np.datetime64], ...]:
    """First and last day (n,) of dates as files hold them; NaT for none.

    2018 is the whole year, 2018-05 the month, 20180516 a day, 2018-05-01/2018-06-15 what it
    says.

    Raises:
        SourceError: a value is no date; the message names the row in `where`.
    """
    spans = [_span(value, f"{where}, row {row}") for row, value in enumerate(values, 1)]
    return (
        np.array([first for first, _ in spans], "datetime64[D]"),
        np.array([last for _, last in spans], "datetime64[D]"),
    )


def _span(value: object, where: str) -> tuple[Any, Any]:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    text = "" if value is None else str(value).strip()
    if text.lower() in ("", "nan", "nat", "none", "null", "<na>"):
        return NOT_A_DAY, NOT_A_DAY
    if len(text) == 8 and text.isdigit():
        text = f"{text[:4]}-{text[4:6]}-{text[6:]}"
    if isinstance(value, date):  # a datetime and a pandas Timestamp are dates too
        return np.datetime64(text[:10], "D"), np.datetime64(text[:10], "D")
    try:
        period = Period.parse(text)
    except ValueError as error:
        raise SourceError(
            f"expected a date such as 2018-05-16 or 2018-05, got {text!r} in {where}"
        ) from error
    last = (period.end - timedelta(microseconds=1)).date()
    return np.datetime64(period.start.date(), "D"), np.datetime64(last, "D")


def flags(frame: "pd.DataFrame", path: Path) -> NDArray[np.bool_]:
    """(n,), False where the column `changed` says that nothing changed.

    Raises:
        SourceError: a value that is neither true nor false.
    """
    if (name := column(frame, (FLAG,))) is None:
        return np.ones(len(frame), bool)
    said = frame[name].astype(str).str.strip().str.lower().str.removesuffix(".0")
    if odd := sorted(set(said) - _TRUE - _FALSE):
        raise SourceError(
            f"expected true or false (1 or 0) in {name} of {path}, got {odd[0]!r}"
        )
    return said.isin(_TRUE).to_numpy(bool)


def kinds(
    frame: "pd.DataFrame", path: Path, reading: Reading, notes: list[str]
) -> NDArray[np.str_]:
    """(n,) classes, empty where there is none; says in `notes` where they were found."""
    asked = reading.class_field
    name = _asked(frame, asked, path) if asked else column(frame, CLASSES)
    if name is None:
        return np.full(len(frame), "", np.str_)
    if not asked:
        notes.append(f"classes are read from {name}")
    return frame[name].astype(object).where(frame[name].notna(), "").to_numpy(np.str_)


def dates(
    frame: "pd.DataFrame", path: Path, reading: Reading, notes: list[str]
) -> tuple[NDArray[np.datetime64], NDArray[np.datetime64]]:
    """First and last possible day (n,); says in `notes` where they were found.

    Raises:
        SourceError: a column that is not there, or a value that is no date.
    """
    if reading.date is not None:
        first, last = days([reading.date], "--date")
        return np.repeat(first, len(frame)), np.repeat(last, len(frame))
    names = _date_columns(frame, path, reading.date_field)
    if not names:
        notes.append("labels have no dates: onsets cannot be judged")
        return (np.full(len(frame), NOT_A_DAY),) * 2
    if reading.date_field is None:
        notes.append(f"dates are read from {' and '.join(names)}")
    first, last = days(frame[names[0]], f"{names[0]} of {path}")
    if len(names) == 2:
        _, last = days(frame[names[1]], f"{names[1]} of {path}")
        first, last = (
            np.where(np.isnat(first), last, first),
            np.where(np.isnat(last), first, last),
        )
        if (late := np.flatnonzero(first > last)).size:
            raise SourceError(
                f"expected {names[0]} not after {names[1]} in {path}, row {late[0] + 1} "
                f"has {first[late[0]]} and {last[late[0]]}"
            )
    return first, last


def _date_columns(
    frame: "pd.DataFrame", path: Path, asked: str | None
) -> tuple[str, ...]:
    if asked:
        names = [name.strip() for name in asked.split(",")]
        if len(names) > 2:
            raise SourceError(
                f"expected one column of dates, or two parted by a comma, got {asked!r}"
            )
        return tuple(_asked(frame, name, path) for name in names)
    if (name := column(frame, DATES)) is not None:
        return (name,)
    for pair in SPANS:
        first, last = (column(frame, (each,)) for each in pair)
        if first is not None and last is not None:
            return first, last
    name = column(frame, LATER_DATES)
    return () if name is None else (name,)


def _asked(frame: "pd.DataFrame", name: str, path: Path) -> str:
    found = column(frame, (name,))
    if found is None:
        held = [str(column) for column in frame.columns if column != "geometry"]
        raise SourceError(f"{path} has no column {name}, it has {', '.join(held)}")
    return found


def column(frame: "pd.DataFrame", names: Sequence[str]) -> str | None:
    """The first of `names` that is a column, whatever its case."""
    held = {str(column).lower(): str(column) for column in reversed(frame.columns)}
    return next((held[name.lower()] for name in names if name.lower() in held), None)
