"""Checks the metadata fields that ingest reads, once, before anything relies on them (pure)."""

import math
from collections.abc import Callable, Mapping
from typing import Any

from terradrift.errors import SourceError

_MOST_PIXELS = 10_000_000
"""Rows or columns of one raster; more is a mistake."""

Rule = tuple[str, Callable[[Any], bool]]


def _is_number(value: object) -> bool:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return False
    return math.isfinite(value)


def _is_transform(value: object) -> bool:
    if not isinstance(value, list | tuple) or len(value) not in (6, 9):
        return False
    if not all(map(_is_number, value)):
        return False
    a, b, _, d, e, _ = value[:6]
    return bool(a * e - b * d)


def _is_shape(value: object) -> bool:
    return (
        isinstance(value, list | tuple)
        and len(value) == 2
        and all(_is_number(side) and 1 <= side <= _MOST_PIXELS for side in value)
    )


_TEXT: Rule = ("a text", lambda value: isinstance(value, str))
_LIST: Rule = ("a list", lambda value: isinstance(value, list))
_NUMBER: Rule = ("a number", _is_number)
_FACTOR: Rule = ("a number other than 0", lambda v: _is_number(v) and v != 0)
_OBJECTS: Rule = (
    "a list of objects",
    lambda value: (
        isinstance(value, list) and all(isinstance(entry, dict) for entry in value)
    ),
)
_RULES: dict[str, Rule] = {
    "platform": _TEXT,
    "constellation": _TEXT,
    "instruments": _LIST,
    "roles": _LIST,
    "href": _TEXT,
    "type": _TEXT,
    "bands": _OBJECTS,
    "eo:bands": _OBJECTS,
    "raster:bands": _OBJECTS,
    "proj:transform": ("six numbers of a grid", _is_transform),
    "proj:shape": (f"rows and columns from 1 to {_MOST_PIXELS}", _is_shape),
    "gsd": _FACTOR,
}
_BAND_RULES: dict[str, Rule] = {
    "name": _TEXT,
    "description": _TEXT,
    "common_name": _TEXT,
    "data_type": _TEXT,
    "unit": _TEXT,
    "scale": _FACTOR,
    "offset": _NUMBER,
    "gsd": _FACTOR,
    "spatial_resolution": _FACTOR,
}


def check_properties(properties: Mapping[str, Any]) -> None:
    """Raise `SourceError` for a property that is not of the type that STAC gives it."""
    _check(properties, _RULES, "item")


def check_asset(key: str, asset: Mapping[str, Any]) -> None:
    """Raise `SourceError` for a field of an asset or of its bands that is not as in STAC."""
    where = f"asset {key}"
    _check(asset, _RULES, where)
    _check(_plain(asset), _BAND_RULES, where)
    for name in ("bands", "eo:bands", "raster:bands"):
        for band in asset.get(name) or ():
            _check(_plain(band), _BAND_RULES, f"{where}, {name}")


def _plain(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Fields without the prefix of their extension."""
    return {
        field.removeprefix("eo:").removeprefix("raster:"): value
        for field, value in fields.items()
    }


def _check(fields: Mapping[str, Any], rules: Mapping[str, Rule], where: str) -> None:
    for field, (expected, fits) in rules.items():
        value = fields.get(field)
        if value is not None and not fits(value):
            raise SourceError(
                f"{where}: expected {field} as {expected}, got {str(value)[:60]!r}"
            )
