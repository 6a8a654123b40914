"""How much a visitor's question may take."""

from terradrift.query.sql import sandbox
from terradrift.query.sql.limits import Limits
from terradrift.serve.sql.spares import AT_ONCE

SECONDS = 30.0
"""Time in the database of a question."""

FILE_SECONDS = 300.0
"""Of one whose answer is a file."""

ROWS = 1_000
"""Of an answer where nothing is said."""

MOST_ROWS = 100_000
"""Of an answer in JSON; files have no such bound."""

JSON_BYTES = 64 << 20
"""Of the rows of an answer in JSON, as Arrow holds them; files have no such bound."""


def memory_bytes() -> int:
    """Of one question: all at once take half of what the machine has."""
    return sandbox.half_of_memory() // AT_ONCE


def shown(rows: int) -> Limits:
    """Of a question whose answer is shown."""
    return Limits(seconds=SECONDS, rows=rows, memory_bytes=memory_bytes())


def written(rows: int | None) -> Limits:
    """Of a question whose answer is a file."""
    return Limits(seconds=FILE_SECONDS, rows=rows, memory_bytes=memory_bytes())
