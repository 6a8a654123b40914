"""Documents against JSON Schemas that lie in the package; nothing is fetched."""

import json
from functools import cache
from importlib import resources
from itertools import islice
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from jsonschema.protocols import Validator

from terradrift.conform.finding import Findings, named, short

if TYPE_CHECKING:
    from jsonschema import ValidationError

_MOST = 50


@cache
def schema(name: str) -> Validator:
    """The validator of `schemas/<name>.json`, with formats checked."""
    text = resources.files("terradrift.conform.schemas") / f"{name}.json"
    read = json.loads(text.read_text())
    return Draft202012Validator(
        read, format_checker=Draft202012Validator.FORMAT_CHECKER
    )


def against(  # noqa: PLR0917 - a rule, what is held against it, and how it is told
    validator: Validator,
    value: Any,  # noqa: ANN401 - JSON
    found: Findings,
    where: str,
    family: str,
    specification: str,
) -> bool:
    """Whether `value` holds; else findings `<family>.<field>`."""
    errors = list(islice(validator.iter_errors(value), _MOST))
    seen: set[tuple[str, str]] = set()
    for error in errors:
        one = _plainest(error)
        field, expected = _told(one)
        place = "".join(
            f".{named(str(part))}" if isinstance(part, str) else f"[{part}]"
            for part in one.absolute_path
        )
        if (place, field) in seen:
            continue
        seen.add((place, field))
        missing = one.validator == "required"
        name = "propertyNames" in one.absolute_schema_path
        if name:
            field = "unknown"
        found.error(
            f"{family}.{field.removeprefix(f'{family}:')}",
            f"{where}#{place.lstrip('.')}" if place else where,
            expected,
            "none" if missing else short(one.instance),
            "remove it" if name else f"{'add' if missing else 'mend'} {field}",
            f"{specification}, {_clause(one) or ('Fields' if name else field)}",
        )
    return not errors


def _plainest(error: "ValidationError") -> "ValidationError":
    """Of an error with several ways to be right, what is wrong in the way that was meant.

    That something must not be there, or must be null, is of the way that was not.
    """
    best = best_match([error]) or error
    if not (best.validator == "not" or best.validator_value == "null"):
        return best
    waiting, leaves = [error], []
    while waiting:
        one = waiting.pop(0)
        waiting += one.context or []
        if not one.context:
            leaves.append(one)
    meant = [
        one
        for one in leaves
        if one.validator != "not" and one.validator_value != "null"
    ]
    return meant[0] if meant else best


def _told(error: "ValidationError") -> tuple[str, str]:
    """The field that is wrong, and what was expected of it."""
    names = [part for part in error.absolute_path if isinstance(part, str)]
    field = names[-1] if names else "object"
    value: Any = error.validator_value
    held: Any = error.schema
    rule = str(error.validator)
    instance: Any = error.instance
    if rule == "required":
        missing = next(one for one in value if one not in instance)
        properties = held.get("properties", {})
        told = properties.get(missing, {}).get("description", "")
        return named(str(missing)), f"{missing}" + (f", {told}" if told else "")
    described = held.get("description", "")
    if rule in ("additionalProperties", "unevaluatedProperties", "propertyNames"):
        return named(field), described or f"known names only ({error.message[:120]})"
    if described:
        return named(field), described
    words = {
        "type": lambda: f"{value if isinstance(value, str) else ' or '.join(value)}",
        "enum": lambda: f"one of {', '.join(map(str, value))}",
        "const": lambda: short(value),
        "pattern": lambda: f"text like {value}",
        "format": lambda: f"a {value}",
        "minItems": lambda: f"at least {value} items",
        "maxItems": lambda: f"at most {value} items",
        "minimum": lambda: f"at least {value}",
        "exclusiveMinimum": lambda: f"more than {value}",
    }
    return named(field), words[rule]() if rule in words else error.message[:160]


def _clause(error: "ValidationError") -> str:
    """The section a rule is taken from: `$comment` of its schema."""
    held: Any = error.schema
    return str(held.get("$comment", ""))
