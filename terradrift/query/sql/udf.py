"""Python functions inside DuckDB: a vector of at most 2,048 rows at a time, as Arrow.

DuckDB calls them from several threads, and folds calls with constants into the plan.
"""

import re
from collections import deque
from collections.abc import Callable, Sequence
from typing import Any
from uuid import uuid4

import duckdb
import numpy as np
import pyarrow as pa
from duckdb.func import ARROW, SPECIAL
from numpy.typing import NDArray

_SAID = re.compile(
    r"exception occurred while executing the UDF: (?:Query|Archive|Schema)Error: (.*?)\s+At:\n",
    re.DOTALL,
)


RUN = "getvariable('run_')::VARCHAR"
"""In a macro: the name of the run that calls, null where it has none."""
_STOPPED: deque[str] = deque(maxlen=1000)


def name_run(connection: duckdb.DuckDBPyConnection) -> str:
    """Give what `connection` runs next a name, by which its functions can be stopped.

    DuckDB's interrupt waits for a function to return.
    """
    run = uuid4().hex
    connection.execute(f"SET VARIABLE run_ = '{run}'")
    return run


def stop(run: str) -> None:
    """Let functions that were called by the run stop when they next look."""
    _STOPPED.append(run)


def stopped(run: str | None) -> bool:
    """Whether the run was told to stop."""
    return run in _STOPPED


def said(error: Exception) -> str | None:
    """What a function of ours told its caller, of what DuckDB makes of that; else None."""
    found = _SAID.search(str(error))
    return found[1] if found else None


def register(
    connection: duckdb.DuckDBPyConnection,
    name: str,
    function: Callable[..., pa.Array],
    takes: Sequence[str],
    gives: str,
) -> None:
    """Make `function` known as `name`; it is handed nulls too. Before the seal."""
    connection.create_function(
        name, function, list(takes), gives, type=ARROW, null_handling=SPECIAL
    )


def values(column: pa.ChunkedArray) -> Sequence[Any]:
    """The values as Python knows them, None for null."""
    held: list[Any] = column.to_pylist()
    return held


def instants(column: pa.ChunkedArray) -> NDArray[np.datetime64]:
    """(n,) datetime64[us], UTC, NaT for null."""
    plain = column.cast(pa.timestamp("us")).combine_chunks()
    held: NDArray[np.datetime64] = plain.to_numpy(zero_copy_only=False)
    return held.astype("M8[us]")
