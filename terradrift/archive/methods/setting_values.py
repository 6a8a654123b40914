"""Settings given by name, as text or as values, checked against a settings dataclass (pure)."""

import types
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import fields
from pathlib import Path
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from terradrift import plugins

_TRUE, _FALSE = ("true", "yes", "on", "1"), ("false", "no", "off", "0")


def pairs(given: Sequence[str]) -> dict[str, str]:
    """Texts such as `min_history=12` by name.

    Raises:
        ValueError: not of that form, or a name that comes twice.
    """
    found: dict[str, str] = {}
    for each in given:
        name, equals, value = (part.strip() for part in each.partition("="))
        if not (name and equals):
            raise ValueError(f"expected a setting such as min_history=12, got {each!r}")
        name = name.replace("-", "_")
        if name in found:
            raise ValueError(f"setting {name} is given twice; give it once")
        found[name] = value
    return found


def checked(
    given: Mapping[str, Any], classes: Sequence[type], where: str
) -> dict[str, Any]:
    """The settings with values of the types that the fields of `classes` have.

    A value that is text is read as the type; what is in no class is refused. Ranges are the
    classes' own to check. `where` names them in messages.

    Raises:
        ValueError: no such setting, or a value of another type.
    """
    kinds = {name: kind for each in classes for name, kind in settable(each).items()}
    out = {}
    for name, value in given.items():
        if name not in kinds:
            hint = plugins.meant(name, sorted(kinds))
            known = ", ".join(kinds) or "none"
            raise ValueError(f"{where} has no setting {name!r}; {hint}it has: {known}")
        try:
            out[name] = _as(value, kinds[name])
        except (ValueError, TypeError) as error:
            raise ValueError(
                f"{where}: setting {name} must be {spelled(kinds[name])}, got {value!r}"
            ) from error
    return out


def settable(settings: type) -> dict[str, Any]:
    """Fields that a user may give, with their types: those that `__init__` takes."""
    hints = get_type_hints(settings)
    return {
        field.name: hints[field.name]
        for field in fields(settings)
        if field.init
        and not field.name.startswith("_")
        and _readable(hints[field.name])
    }


def spelled(kind: Any) -> str:  # noqa: ANN401 - a type or a union of types
    """A type in words for people."""
    if get_origin(kind) is Literal:
        return " or ".join(map(str, get_args(kind)))
    if _is_union(kind):
        return " or ".join(spelled(part) for part in get_args(kind))
    if get_origin(kind) is tuple:
        return f"{spelled(get_args(kind)[0])} or several with commas between"
    words = {
        int: "a whole number",
        float: "a number",
        bool: "true or false",
        str: "text",
        Path: "a path",
        type(None): "none",
    }
    return words[kind]


def _readable(kind: Any) -> bool:  # noqa: ANN401
    if get_origin(kind) is Literal:
        return True
    if _is_union(kind) or get_origin(kind) is tuple:
        return all(_readable(part) for part in get_args(kind) if part is not ...)
    return kind in (int, float, bool, str, Path, type(None))


def _is_union(kind: Any) -> bool:  # noqa: ANN401
    return get_origin(kind) in (Union, types.UnionType)


def _as(value: Any, kind: Any) -> Any:  # noqa: ANN401
    """The value as `kind`; ValueError or TypeError where it is none."""
    if get_origin(kind) is Literal:
        by_text = {str(each): each for each in get_args(kind)}
        return by_text[_one_of(str(value), by_text)]
    if _is_union(kind):
        return _first(value, sorted(get_args(kind), key=_strictest))
    if get_origin(kind) is tuple:
        parts = value.split(",") if isinstance(value, str) else list(value)
        inner = [part for part in get_args(kind) if part is not ...]
        inner *= len(parts) if len(inner) == 1 else 1
        return tuple(_as(part, each) for part, each in zip(parts, inner, strict=True))
    if kind is type(None):
        _one_of("none" if value is None else str(value).lower(), ("none",))
        return None
    if kind is bool:
        return _one_of(str(value).lower(), (*_TRUE, *_FALSE)) in _TRUE
    return _plain(value, kind)


def _first(value: Any, kinds: Sequence[Any]) -> Any:  # noqa: ANN401
    """The value as the first of the types that it can be read as."""
    for kind in kinds:
        with suppress(ValueError, TypeError):
            return _as(value, kind)
    raise ValueError(value)


def _plain(value: Any, kind: Any) -> Any:  # noqa: ANN401
    """The value as a number, a path or a text."""
    if isinstance(value, bool) or (kind is str and not isinstance(value, str)):
        raise TypeError(value)
    if kind is int and isinstance(value, float) and not value.is_integer():
        raise ValueError(value)
    return kind(value)


def _one_of(text: str, known: Any) -> str:  # noqa: ANN401 - any container of texts
    if text not in known:
        raise ValueError(text)
    return text


def _strictest(kind: Any) -> int:  # noqa: ANN401
    """Types in the order in which a text is tried as one."""
    order = (type(None), bool, int, float, Path, str)
    return order.index(kind) if kind in order else 0
