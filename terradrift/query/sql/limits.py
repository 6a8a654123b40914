"""How much one question may take, and the clock that holds it to that."""

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import duckdb

from terradrift.errors import QueryError
from terradrift.query.sql import sandbox, udf


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of one answer; None: none of its own."""

    seconds: float | None = None
    """Time until the question is interrupted."""
    rows: int | None = None
    """Rows of the answer; where there are more, a notice says so."""
    memory_bytes: int | None = None
    """Memory of DuckDB; None: half of the machine's."""
    unheard: Callable[[], None] | None = None
    """Called, in a thread of its own, where `GRACE` after an interrupt DuckDB still has not
    heard it: it does not inside one call of a function. None: it is waited for."""

    def __post_init__(self) -> None:
        if self.seconds is not None and not self.seconds > 0:
            raise QueryError(
                f"expected a time limit above 0 seconds, got {self.seconds}"
            )
        if self.rows is not None and self.rows < 0:
            raise QueryError(f"expected a row limit of 0 or more, got {self.rows}")
        if self.memory_bytes is not None and self.memory_bytes < _LEAST_MEMORY:
            raise QueryError(
                f"expected a memory limit of {_LEAST_MEMORY >> 20} MiB or more, "
                f"got {self.memory_bytes} bytes"
            )


_LEAST_MEMORY = 16 << 20
NONE = Limits()
GRACE = 2.0
"""Seconds that DuckDB has to hear an interrupt."""


class Clock:
    """The time that one run has left. Only time in DuckDB counts, not its reader's."""

    def __init__(self, limits: Limits, connection: duckdb.DuckDBPyConnection) -> None:
        """Of what `connection` runs next."""
        seconds = limits.seconds
        self._unheard = limits.unheard
        self._run = None if seconds is None else udf.name_run(connection)
        self._seconds = seconds
        self._left = seconds or 0.0
        self._over = False

    @contextmanager
    def running(self, connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
        """Interrupt what `connection` does in this block once the time is over.

        Raises:
            QueryError: the time is over, or DuckDB cannot go on.
        """
        try:
            with self._timed(connection):
                yield
        # A stream of Arrow hands DuckDB's errors over as OSError.
        except (duckdb.Error, OSError) as error:
            if self._over:
                raise self._too_long() from None
            raise sandbox.query_error(error) from error
        except MemoryError as error:
            raise QueryError(
                "SQL needs more memory than the process may have; narrow it, or raise "
                "--memory (in Python limits=Limits(memory_bytes=...))"
            ) from error
        # What DuckDB raises where Ctrl-C found it.
        except RuntimeError as error:
            if str(error) == "Query interrupted":
                raise KeyboardInterrupt from error
            raise
        if self._over:
            raise self._too_long()

    @contextmanager
    def _timed(self, connection: duckdb.DuckDBPyConnection) -> Iterator[None]:
        if self._seconds is None:
            yield
            return
        left = max(self._left, 0.0)
        timers = [threading.Timer(left, self._time_over, [connection])]
        if self._unheard is not None:
            timers.append(threading.Timer(left + GRACE, self._unheard))
        start = time.monotonic()
        for timer in timers:
            timer.start()
        try:
            yield
        finally:
            for timer in timers:
                timer.cancel()
                timer.join()  # a thread that outlives the interpreter would abort it
            self._left -= time.monotonic() - start

    def _time_over(self, connection: duckdb.DuckDBPyConnection) -> None:
        self._over = True
        self.stop(connection)

    def stop(self, connection: duckdb.DuckDBPyConnection) -> None:
        """Interrupt what `connection` runs, from another thread."""
        if self._run is not None:
            udf.stop(self._run)
        connection.interrupt()

    def _too_long(self) -> QueryError:
        return QueryError(
            f"SQL took longer than {self._seconds:g} s; narrow it, or raise --timeout "
            "(in Python limits=Limits(seconds=...))"
        )
