"""Texts and bytes nested deeper than DuckDB's recursive code can follow.

DuckDB's own functions of JSON, and readers of geometries, call themselves once per level and
end the process where the stack ends. Each is shadowed by a macro of its name that looks first;
`sandbox` lets nobody name DuckDB's own by its schema.
"""

import re

import duckdb
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from terradrift.errors import QueryError
from terradrift.query.sql.udf import register, values

MOST = 500
"""Levels: thousands fit a stack of 8 MiB, of which systems give threads as little as 0.5."""

MOST_CHARACTERS = 1 << 22
"""Longer texts are refused: no interrupt would end looking through them."""

_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*"', re.DOTALL)
_STEP = np.zeros(256, np.int8)
_STEP[list(b"[{(")] = 1
_STEP[list(b"]})")] = -1

_OF_ONE = ("json_structure", "json_pretty")
_OF_TWO = ("json_contains", "json_merge_patch")
_SPATIAL = (
    """
    CREATE MACRO st_geomfromgeojson(geojson) AS
        system.main.st_geomfromgeojson(shallow_(geojson::VARCHAR))
    """,
    # Of WKB and WKT themselves `spatial` counts the levels.
    "CREATE MACRO st_geomfromhexwkb(hex) AS st_geomfromwkb(unhex(hex))",
)

SHADOWED = frozenset({*_OF_ONE, *_OF_TWO, "st_geomfromgeojson", "st_geomfromhexwkb"})
"""Names of DuckDB's functions that are ours too."""

STRUCTURED = frozenset(
    {"from_json", "from_json_strict", "json_transform", "json_transform_strict"}
)
"""Functions whose second argument is a text that says what to read. DuckDB wants it to be a
constant, so that no macro can look at it."""

REFUSED_TYPE = "VARIANT"
"""What JSON is cast to by code that calls itself once per level."""


def create(connection: duckdb.DuckDBPyConnection, *, spatial: bool) -> None:
    """Shadow what does not look how deep its texts are, before the connection is sealed."""
    register(connection, "shallow_", shallow, ["VARCHAR"], "VARCHAR")
    for name in _OF_ONE:
        connection.execute(
            f"CREATE MACRO {name}(text) AS system.main.{name}(shallow_(text::VARCHAR))"
        )
    for name in _OF_TWO:
        connection.execute(
            f"CREATE MACRO {name}(first, second) AS "
            f"system.main.{name}(shallow_(first::VARCHAR), shallow_(second::VARCHAR))"
        )
    for macro in _SPATIAL if spatial else ():
        connection.execute(macro)


def shallow(texts: pa.ChunkedArray) -> pa.ChunkedArray:
    """The same texts.

    Raises:
        QueryError: one is nested deeper than `MOST` levels, or longer than
            `MOST_CHARACTERS`.
    """
    longest = pc.max(pc.binary_length(texts)).as_py()
    if longest is not None and longest > MOST:
        for text in values(texts):
            if text is not None and len(text) > MOST:
                check(text)
    return texts


def check(text: str) -> None:
    """Raise QueryError where `text` is nested deeper than `MOST` levels, or too long."""
    if len(text) > MOST_CHARACTERS:
        raise QueryError(
            f"SQL takes texts of at most {MOST_CHARACTERS:,} characters here, got "
            f"{len(text):,}"
        )
    if sum(map(text.count, "[{(")) <= MOST:
        return
    # Brackets within strings open nothing, and would close what is open.
    plain = _STRINGS.sub(b"", text.encode())
    steps = _STEP[np.frombuffer(plain, np.uint8)]
    depth = int(np.cumsum(steps, dtype=np.int64).max(initial=0))
    if depth > MOST:
        raise QueryError(
            f"SQL takes texts of at most {MOST} levels of brackets here, got {depth:,}"
        )
