"""Ids that are not there, and those that look like them."""

from difflib import get_close_matches
from typing import TYPE_CHECKING

import pyarrow.compute as pc

from terradrift.query import tables as _tables

if TYPE_CHECKING:
    import lance

LOOKED_AT = 2048
"""Ids that one is compared with at most."""

_SHORTEST = 4
_ALIKE = 3


def near(table: "lance.LanceDataset", column: str, wanted: str) -> list[str]:
    """Up to three ids of the column that look like `wanted`, the likest first.

    Only ids that begin alike are compared, the longest shared beginning first, and no more
    than `LOOKED_AT` of them.
    """
    for length in _lengths(len(wanted)):
        condition = f"starts_with({column}, {_tables.literal(wanted[:length])})"
        batch = table.to_table(columns=[column], filter=condition, limit=LOOKED_AT)
        ids = pc.unique(batch[column].combine_chunks()).to_pylist()
        if found := get_close_matches(wanted, ids, n=_ALIKE):
            return found
    return []


def hint(table: "lance.LanceDataset", column: str, wanted: str) -> str:
    """What to say after "no such id": near misses, or what an id looks like."""
    if found := near(table, column, wanted):
        return f"did you mean {' or '.join(found)}?"
    ids = pc.drop_null(
        table.to_table(columns=[column], filter=f"{column} IS NOT NULL", limit=1)[
            column
        ]
    )
    return f"ids look like {ids[0].as_py()}" if len(ids) else "there are none yet"


def _lengths(whole: int) -> list[int]:
    """Lengths of beginnings to try, long ones first."""
    found = {whole - 1, whole * 3 // 4, whole // 2, min(_SHORTEST, whole - 1), 0}
    return sorted((length for length in found if length >= 0), reverse=True)
