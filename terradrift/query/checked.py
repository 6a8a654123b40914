"""Arguments of a search as callers hand them over: of their type, and not empty (pure)."""

from collections.abc import Callable, Iterable, Mapping
from datetime import date
from functools import partial
from numbers import Integral, Real
from typing import Any, TypeGuard

from terradrift.errors import QueryError

_SHOWN = 60
_DO = "pass that, or leave it out"


def arguments(given: Mapping[str, object]) -> None:
    """Check those that are named here; None is left out, where it may be.

    What several functions read (`kind`, `between`, `vector`, ...) they check themselves.

    Raises:
        QueryError: one is of another type, or empty; the message names it.
    """
    for name, value in given.items():
        if name in _OPTIONAL and value is not None:
            _OPTIONAL[name](name, value)
        elif name in _REQUIRED:
            _REQUIRED[name](name, value)


def listed(name: str, given: object, form: str) -> tuple[Any, ...]:
    """One, or several, as a tuple; `form` says of what.

    Raises:
        QueryError: neither a text nor several of something.
    """
    if isinstance(given, str):
        return (given,)
    if isinstance(given, Iterable):
        return tuple(given)
    raise wrong(name, form, given)


def ids(name: str, given: object) -> tuple[str, ...]:
    """Ids of changes and events, and `PATCH@DATE`.

    Raises:
        QueryError: one of them is no text, or lacks its patch or its date.
    """
    form = "ids of changes, of events or PATCH@DATE"
    found = []
    for one in listed(name, given, form):
        if not isinstance(one, str):
            raise wrong(name, form, one)
        patch, at, day = one.rpartition("@")
        if not one.strip() or (at and not (patch.strip() and day.strip())):
            raise wrong(name, form, one, "a date is such as 2018-08-17")
        found.append(one)
    return tuple(found)


def text(name: str, value: object, *, form: str, hint: str = _DO) -> None:
    """Raises `QueryError` unless `value` is a text with something in it."""
    if not isinstance(value, str) or not value.strip():
        raise wrong(name, form, value, hint)


def number(name: str, value: object) -> None:
    """Raises `QueryError` unless `value` is a number; True is none."""
    if isinstance(value, bool) or not isinstance(value, Real):
        raise wrong(name, "a number", value)


def whole(name: str, value: object) -> None:
    """Raises `QueryError` unless `value` is a whole number; True is none."""
    if not is_whole(value):
        raise wrong(name, "a whole number", value)


def is_whole(value: object) -> TypeGuard[int]:
    """Whether it is a whole number; True is none."""
    return isinstance(value, Integral) and not isinstance(value, bool)


def wrong(name: str, form: str, value: object, hint: str = _DO) -> QueryError:
    """What to say of an argument: what was expected, what came, what to do."""
    told = " ".join(repr(value).split())
    told = told if len(told) <= _SHOWN else f"{told[:_SHOWN]}..."
    return QueryError(f"expected {name} as {form}, got {told}; {hint}")


def _yes_no(name: str, value: object) -> None:
    if not isinstance(value, bool):
        raise wrong(name, "True or False", value)


def _day(name: str, value: object) -> None:
    if not isinstance(value, date):
        text(
            name,
            value,
            form="a day such as 2018-05-16",
            hint="pass the day that the patch was seen on",
        )


def _length(name: str, value: object) -> None:
    if isinstance(value, bool) or not isinstance(value, Real | str):
        raise wrong(name, "metres above 0 or as 5km", value)


def _names(name: str, value: object) -> None:
    if not isinstance(value, Iterable):
        raise wrong(name, "names of columns", value)


def _limits(name: str, value: object) -> None:
    if not (hasattr(value, "seconds") and hasattr(value, "rows")):
        raise wrong(name, "Limits(seconds=..., rows=...)", value)


def _named(form: str, hint: str = _DO) -> Callable[[str, object], None]:
    return partial(text, form=form, hint=hint)


_SEVERAL = "pass one; like=[...] takes several"

_OPTIONAL: Mapping[str, Callable[[str, object], None]] = {
    "change": _named("the id of one change", _SEVERAL),
    "event": _named("the id of one event", _SEVERAL),
    "like_kind": whole,
    "patch": _named("the id of one patch", _SEVERAL),
    "date": _day,
    "labels": _named("the name of stored labels"),
    "model": _named("the name of a model"),
    "space": _named("the name of a space, such as raw"),
    "exclude_radius": _length,
    "per_event": whole,
    "per_patch": whole,
    "exact": _yes_no,
    "columns": _names,
    "threads": whole,
    "limits": _limits,
}
_REQUIRED: Mapping[str, Callable[[str, object], None]] = {
    "k": whole,
    "n": whole,
    "vectors": _yes_no,
}
