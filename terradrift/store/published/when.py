"""Which instant an embedding stands for, where files say it in a dozen ways.

A period is stood for by its middle: that lies within the year that the period covers, so an
annual embedding from 1 January to 1 January is of one calendar year, and not of two.
"""

import json
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from terradrift.errors import SchemaError
from terradrift.store.published.filed import filed
from terradrift.store.published.files import File

NOWHEN = np.int64(np.iinfo(np.int64).min)
INSTANTS, STARTS, ENDS = (
    ("datetime", "date", "timestamp"),
    ("start_datetime", "start_date", "start"),
    ("end_datetime", "end_date", "end"),
)
"""Columns that say when, in the order in which they are believed."""
PARTS = ("year", "month", "day")
"""Columns of whole numbers that say when where none of the others does; at least the first."""
_UNREAD = ("quarter", "week", "doy", "season", "dekad")


def columns(names: list[str], path: Path) -> list[str]:
    """The columns that say when: an instant, a start and an end, or a year; none: [].

    Raises:
        SchemaError: a year with a part of it that is not read.
    """
    lower = {name.lower(): name for name in reversed(names)}
    for name in INSTANTS:
        if name in lower:
            # A null instant may stand beside a period, as in STAC.
            return [lower[name], *_pair(lower)]
    if pair := _pair(lower):
        return pair
    if PARTS[0] not in lower:
        return []
    if other := next((name for name in _UNREAD if name in lower), None):
        raise SchemaError(
            f"{path} has year and {other}, and only year, month and day are read; give it a "
            "column datetime"
        )
    known = [name in lower for name in PARTS]
    return [lower[name] for name in PARTS[: (*known, False).index(False)]]


def of_rows(batch: pa.RecordBatch, names: list[str], path: Path) -> NDArray[np.int64]:
    """(n,) microseconds since 1970 by those columns; `NOWHEN` where they hold nothing.

    Raises:
        SchemaError: a column of another type than instants, dates or texts of them.
    """
    found = np.full(batch.num_rows, NOWHEN)
    rest = list(names)
    if rest and rest[0].lower() == PARTS[0]:
        return _of_parts([batch.column(name) for name in rest], path)
    if rest and rest[0].lower() in INSTANTS:
        found = _micros(batch.column(rest.pop(0)), path)
    if rest:
        first, last = (_micros(batch.column(name), path) for name in rest)
        known = (found == NOWHEN) & (first != NOWHEN) & (last != NOWHEN)
        if (first > last)[known].any():
            raise SchemaError(f"{path}: {rest[0]} is after {rest[1]} in some rows")
        found[known] = first[known] + (last[known] - first[known]) // 2
    return found


def of_file(
    file: File, said: Mapping[str, Any], date: str | None
) -> tuple[int | None, str]:
    """The instant of all rows of a file, and what says it; None: nothing does.

    Args:
        file: the STAC item beside it, its hive folders and its name are asked.
        said: keys of its footer, or tags.
        date: what the caller says, where the file says nothing.

    Raises:
        SchemaError: what it says is no date, or may be several.
    """
    for source, what in (
        (said, "its metadata"),
        (_item(file.path), "the STAC item beside it"),
    ):
        if (instant := _stated(source, file.path)) is not None:
            return instant, what
    span, what = filed(file, date)
    if span is not None:
        return micros(span.instant), what
    if date is not None:
        return middle(date, "the date given"), "what was said"
    return None, "nothing"


def middle(text: str, where: str) -> int:
    """Microseconds since 1970 of the middle of a year or month; of a longer text itself.

    Raises:
        SchemaError: no date.
    """
    text = text.strip()
    if re.fullmatch(r"\d{4}(-\d{2})?", text):
        try:
            first = (
                np.datetime64(text, "Y")
                if len(text) == len("2024")
                else np.datetime64(text, "M")
            )
        except ValueError as error:
            raise SchemaError(f"expected a date in {where}, got {text!r}") from error
        low, high = (
            one.astype("datetime64[us]").astype(np.int64) for one in (first, first + 1)
        )
        return int(low + (high - low) // 2)
    return instant_of(text, where)


def instant_of(text: str, where: str) -> int:
    """Microseconds since 1970 of a text such as 20240701, 2024-07-01 or with a time.

    Raises:
        SchemaError: no date.
    """
    try:
        found = datetime.fromisoformat(text)
    except ValueError as error:
        raise SchemaError(
            f"expected a date such as 2024-07-01 in {where}, got {text!r}"
        ) from error
    found = found if found.tzinfo else found.replace(tzinfo=UTC)
    return micros(found.astimezone(UTC))


def micros(instant: datetime) -> int:
    """Microseconds since 1970 of an instant of UTC."""
    return int(np.datetime64(instant.replace(tzinfo=None), "us").astype(np.int64))


def years(text: str) -> frozenset[int]:
    """The years of a text such as 2019-2023,2025.

    Raises:
        ValueError: anything else.
    """
    found: set[int] = set()
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{4})(?:\s*-\s*(\d{4}))?\s*", part)
        if match is None or int(match[2] or match[1]) < int(match[1]):
            raise ValueError(f"expected years such as 2019-2023,2025, got {text!r}")
        found.update(range(int(match[1]), int(match[2] or match[1]) + 1))
    return frozenset(found)


def year_of(instants: NDArray[np.int64]) -> NDArray[np.int64]:
    """(n,) calendar years, UTC, of microseconds since 1970."""
    return (
        instants.astype("datetime64[us]").astype("datetime64[Y]").astype(np.int64)
        + 1970
    )


def _pair(names: Mapping[str, str]) -> list[str]:
    for first, last in zip(STARTS, ENDS, strict=True):
        if first in names and last in names:
            return [names[first], names[last]]
    return []


def _of_parts(parts: list[pa.Array], path: Path) -> NDArray[np.int64]:
    """(n,) middles of years or months, or days, of columns of numbers; `NOWHEN` of nulls."""
    try:
        numbers = [one.cast(pa.int32()) for one in parts]
    except pa.ArrowInvalid as error:
        raise SchemaError(
            f"{path}: expected whole numbers in {' and '.join(PARTS[: len(parts)])}, got "
            f"{error}"
        ) from error
    texts = pc.binary_join_element_wise(
        *(pc.utf8_lpad(one.cast(pa.string()), 2, "0") for one in numbers), "-"
    )
    return _micros(texts, path)


def _micros(column: pa.Array, path: Path) -> NDArray[np.int64]:
    kind = column.type
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        texts = column.dictionary_encode()
        known = [
            NOWHEN if one is None else middle(one, str(path))
            for one in texts.dictionary.to_pylist()
        ]
        codes = texts.indices.fill_null(len(known)).to_numpy(zero_copy_only=False)
        return np.asarray(np.array([*known, NOWHEN], np.int64)[codes])
    if not (pa.types.is_timestamp(kind) or pa.types.is_date(kind)):
        raise SchemaError(f"{path}: expected instants or dates, got {kind}")
    whole = column.cast(pa.timestamp("us", tz=getattr(kind, "tz", None)), safe=False)
    return np.array(
        whole.cast(pa.int64()).fill_null(int(NOWHEN)).to_numpy(zero_copy_only=False)
    )


def _item(path: Path) -> dict[str, Any]:
    """Properties of a STAC item beside the file that has its name; {} where there is none."""
    stem = path.stem
    for name in (
        f"{stem}.json",
        f"{stem}.item.json",
        f"{stem}.geojson",
        f"{path.name}.json",
    ):
        beside = path.with_name(name)
        try:
            found = json.loads(beside.read_text())
        except (OSError, ValueError, RecursionError):
            continue
        if isinstance(found, dict) and isinstance(found.get("properties"), dict):
            return dict(found["properties"])
    return {}


def _stated(said: Mapping[str, Any], path: Path) -> int | None:
    where = f"the metadata of {path}"
    if said.get("datetime"):
        return instant_of(str(said["datetime"]), where)
    for first, last in zip(STARTS, ENDS, strict=True):
        if said.get(first) and said.get(last):
            low, high = (
                instant_of(str(said[first]), where),
                instant_of(str(said[last]), where),
            )
            if high < low:
                raise SchemaError(f"{where}: {first} is after {last}")
            return low + (high - low) // 2
    return None
