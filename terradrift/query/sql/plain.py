"""Types of DuckDB that Arrow, or who reads Arrow, cannot hold: handed over as text.

An interval has months and days of no fixed length, so it is no duration. The text is
DuckDB's own, such as `3 days 00:10:16`.
"""

from collections.abc import Sequence
from typing import Any

AS_TEXT = frozenset(
    {
        "interval",
        "union",
        "bit",
        "uhugeint",
        "bignum",
        "variant",
        "time with time zone",
        "time_ns",
    }
)
"""Names of the types, as DuckDB's Python types have them."""


def projected(text: str, casts: Sequence[str | None]) -> str:
    """The statement `text` with its columns named c0, c1, ..., cast where `casts` say so."""
    shown = ", ".join(
        f"CAST(c{at} AS {to}) AS c{at}" if to else f"c{at}"
        for at, to in enumerate(casts)
    )
    names = ", ".join(f"c{at}" for at in range(len(casts)))
    return f"SELECT {shown} FROM (\n{text}\n) AS t({names})"  # noqa: S608 - types, no values


def cast(type_: Any) -> str | None:  # noqa: ANN401 - DuckDB's type of types is private
    """The type to hand over in the place of `type_`, as SQL; None: itself.

    Fields of `row(...)`, which have no names, become `v1`, `v2`, ...
    """
    if type_.id in AS_TEXT:
        return "VARCHAR"
    if type_.id == "array":
        (_, inner), (_, size) = type_.children
        to = cast(inner)
        return f"{to}[{size}]" if to else None
    if type_.id not in ("list", "struct", "map"):
        return None
    parts = [(part, each, cast(each)) for part, each in type_.children]
    types = [(part, to or str(each)) for part, each, to in parts]
    unnamed = type_.id == "struct" and not all(part for part, _ in types)
    if not unnamed and not any(to for _, _, to in parts):
        return None
    return _nested(type_.id, types)


def _nested(name: str, parts: Sequence[tuple[str, str]]) -> str:
    if name == "list":
        return f"{parts[0][1]}[]"
    if name == "map":
        return f"MAP({', '.join(to for _, to in parts)})"
    named = [(part or f"v{at}", to) for at, (part, to) in enumerate(parts, 1)]
    return f"STRUCT({', '.join(f'{_quoted(part)} {to}' for part, to in named)})"


def _quoted(name: str) -> str:
    doubled = name.replace('"', '""')
    return f'"{doubled}"'
