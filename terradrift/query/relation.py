"""The answer to one SQL statement: nothing runs until its rows are asked for."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol

import duckdb
import pyarrow as pa

from terradrift.errors import QueryError
from terradrift.query.sql import plain
from terradrift.query.sql.limits import NONE, Clock, Limits

if TYPE_CHECKING:
    from pathlib import Path

    import geopandas as gpd
    import pandas as pd
    import polars as pl
    from lonboard import Map

BATCH_ROWS = 10_000
_SHOWN_ROWS = 20


class Cursors(Protocol):
    """Where statements are run."""

    def cursor(self) -> duckdb.DuckDBPyConnection:
        """A cursor that nobody else has."""

    def release(self, cursor: duckdb.DuckDBPyConnection) -> None:
        """Hand back a cursor whose run has ended well."""


@dataclass(frozen=True, slots=True)
class Described:
    """What is known of a statement's answer before it is run."""

    columns: tuple[str, ...]
    """Names, each once: of several alike DuckDB calls the second `a_1`."""
    types: tuple[str, ...]
    casts: tuple[str | None, ...]
    """Types that Arrow is handed in the place of those that it cannot hold."""


class Relation:
    """The rows of one SELECT, run again by whatever asks for them, within its limits.

    Made by `Archive.sql`. Every way to the rows raises QueryError, in one line, where the
    statement fails or takes longer than it may. Where there are more rows than `limits`
    allows, the first are given and `note` says so. Of columns with one name the second is
    called `a_1`, as DuckDB does. What Arrow has no type for, such as INTERVAL, is text in
    all that is made of Arrow: files, Polars and what is printed (`sql.plain`).
    """

    def __init__(
        self,
        connection: Cursors,
        text: str,
        values: Mapping[str, Any],
        limits: Limits = NONE,
        *,
        described: Described | None = None,
        hint: str | None = None,
    ) -> None:
        """`text` is one statement that `sandbox.check` let pass, without `;`.

        `described` is what the same statement with such values was found to answer: then it
        is planned once. `hint` is told beside every answer.
        """
        self._cursors = connection
        self._hint = hint
        self._text = text
        self._values = dict(values)
        self._limits = limits
        self._explains = text.lstrip()[:7].lower() == "explain"
        self._running: dict[int, tuple[Clock, duckdb.DuckDBPyConnection]] = {}
        self._open: tuple[Clock, duckdb.DuckDBPyConnection] | None = None
        self._waiting: list[tuple[Any, ...]] = []
        self._given = 0
        self._reader: int | None = None
        self._changing = threading.Lock()
        self.note: str | None = hint
        """What to know about the rows last given, for instance that there are more."""
        self.described = described or self._describe()
        self.columns: list[str] = list(self.described.columns)
        """Names of the columns."""
        self.types: list[str] = list(self.described.types)
        """DuckDB's types of the columns."""

    def reader(self, batch_rows: int = BATCH_ROWS) -> pa.RecordBatchReader:
        """The rows as a stream of Arrow batches, each of at most `batch_rows`."""
        clock, cursor = self._run(arrow=True)
        with self._under_way(clock, cursor):
            stream = cursor.to_arrow_reader(batch_rows)
        fields = zip(self.columns, stream.schema, strict=True)
        schema = pa.schema([field.with_name(name) for name, field in fields])
        batches = self._batches(clock, cursor, stream, schema)
        return pa.RecordBatchReader.from_batches(schema, batches)

    to_arrow_reader = reader

    def to_arrow(self) -> pa.Table:
        """The rows as an Arrow table; `geometry` is WKB."""
        return self.reader().read_all()

    arrow = to_arrow
    to_arrow_table = to_arrow

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """The rows for any library that speaks Arrow, streamed."""
        return self.reader().__arrow_c_stream__(requested_schema)

    def df(self) -> "pd.DataFrame":
        """The rows as a pandas table; `geometry` stays WKB."""
        clock, cursor = self._run()
        with self._under_way(clock, cursor):
            frame: pd.DataFrame = cursor.df()
        self._end(cursor)
        return frame.iloc[: self._cut(len(frame))]

    def pl(self) -> "pl.DataFrame":
        """The rows as a Polars table.

        Raises:
            QueryError: Polars is not installed.
        """
        from terradrift.query import write

        return write.to_polars(self)

    def to_geopandas(self) -> "gpd.GeoDataFrame":
        """The rows as a GeoPandas table in OGC:CRS84, geometries decoded.

        Raises:
            QueryError: there is no column `geometry`.
        """
        from terradrift.query import write

        return write.to_geopandas(self.reader())

    def fetchall(self) -> list[tuple[Any, ...]]:
        """All rows as tuples."""
        clock, cursor = self._run()
        with self._under_way(clock, cursor):
            rows: list[tuple[Any, ...]] = cursor.fetchall()
        self._end(cursor)
        return rows[: self._cut(len(rows))]

    def fetchnumpy(self) -> dict[str, Any]:
        """Each column as a NumPy array."""
        clock, cursor = self._run()
        with self._under_way(clock, cursor):
            arrays: dict[str, Any] = cursor.fetchnumpy()
        self._end(cursor)
        count = self._cut(min(map(len, arrays.values()), default=0))
        return {name: values[:count] for name, values in arrays.items()}

    def fetchone(self) -> tuple[Any, ...] | None:
        """The next row; None after the last, and the next call starts again."""
        row = next(iter(self.fetchmany(1)), None)
        if row is None:
            self._open = None
            self._reader = None
        return row

    def fetchmany(self, size: int) -> list[tuple[Any, ...]]:
        """The next `size` rows of the run that `fetchone` and `fetchmany` share.

        Raises:
            QueryError: another thread is in the midst of that run.
        """
        with self._changing:
            here = threading.get_ident()
            if self._reader not in (None, here):
                raise QueryError(
                    "another thread fetches rows of this relation one by one; ask with "
                    "Archive.sql once per thread, or use fetchall()"
                )
            self._reader = here
        if self._open is None:
            self._open, self._waiting, self._given = self._run(), [], 0
        clock, cursor = self._open
        while len(self._waiting) < size:
            with self._under_way(clock, cursor):
                more = cursor.fetchmany(max(size, BATCH_ROWS))
            self._given += len(more)
            excess = self._given - self._cut(self._given)
            self._waiting += more[: len(more) - excess] if excess else more
            if excess or not more:
                break
        rows, self._waiting = self._waiting[:size], self._waiting[size:]
        return rows

    def show(self, rows: int = _SHOWN_ROWS) -> None:
        """Print the first `rows` rows, without vectors."""
        print(self._head(rows).to_string(index=False))  # noqa: T201 - what it is for

    def export(self, path: "str | Path") -> int:
        """Write the rows to `path`, by its ending (see `write.write`); returns how many."""
        from terradrift.query import write

        return write.write(self, path)

    def tell(self, words: str) -> None:
        """Say `words` too in the note of the rows last given."""
        self.note = f"{self.note}; {words}" if self.note else words

    def interrupt(self) -> None:
        """Stop all runs now under way in other threads, which then raise QueryError."""
        with self._changing:  # a cursor handed back may be in another's run
            for clock, cursor in self._running.values():
                clock.stop(cursor)

    def explore(
        self, *, by: str | None = None, limit: int | None = None, basemap: bool = False
    ) -> "Map":
        """The first `limit` rows on a map that one can move; see `query.shown.explore.draw`.

        Raises:
            QueryError: the statement fails, lonboard is not installed, or the rows have no
                places.
        """
        from terradrift.query.shown import explore

        most = explore.ROWS if limit is None else limit
        rows = self._first(most + 1)
        left = rows.num_rows > most
        return explore.draw(rows.slice(0, most), by=by, basemap=basemap, left=left)

    def _repr_html_(self) -> str:
        from terradrift.query.shown import answers

        rows = self._first(_SHOWN_ROWS + 1)
        types = dict(zip(self.columns, self.types, strict=True))
        more = rows.num_rows > _SHOWN_ROWS
        shown = rows.slice(0, _SHOWN_ROWS)
        # A preview is short by itself; only a limit of the relation's own is worth saying.
        own = self._limits.rows is not None and self._limits.rows <= _SHOWN_ROWS
        note = self.note if own else self._hint
        return answers.relation(shown, types, note, more=more)

    def __repr__(self) -> str:
        return f"Relation of {len(self.columns)} columns: {', '.join(self.columns)}"

    def _head(self, rows: int) -> "pd.DataFrame":
        """The first rows as people read them."""
        from terradrift.query import write

        return write.shown(self._first(rows))

    def _first(self, rows: int) -> pa.Table:
        """The first rows, as far as the limits let; `note` is theirs."""
        most = rows if self._limits.rows is None else min(rows, self._limits.rows)
        first = replace(self._limits, rows=most)
        part = Relation(
            self._cursors,
            self._text,
            self._values,
            first,
            described=self.described,
            hint=self._hint,
        )
        table = part.to_arrow()
        self.note = part.note
        return table

    def _describe(self) -> Described:
        """Plan the statement, without running it."""
        _, cursor = self._run(rows=0)
        columns = cursor.description or []
        self._end(cursor)
        return Described(
            tuple(column[0] for column in columns),
            tuple(str(column[1]) for column in columns),
            tuple(plain.cast(column[1]) for column in columns),
        )

    def _end(self, cursor: duckdb.DuckDBPyConnection) -> None:
        """Hand back the cursor of a run that has ended well."""
        self._forget(cursor)
        self._cursors.release(cursor)

    def _forget(self, cursor: duckdb.DuckDBPyConnection) -> None:
        """What `cursor` ran is over."""
        with self._changing:
            self._running.pop(id(cursor), None)

    @contextmanager
    def _under_way(
        self, clock: Clock, cursor: duckdb.DuckDBPyConnection
    ) -> Iterator[None]:
        try:
            with clock.running(cursor):
                yield
        except BaseException:
            self._forget(cursor)
            raise

    def _run(
        self, rows: int | None = None, *, arrow: bool = False
    ) -> tuple[Clock, duckdb.DuckDBPyConnection]:
        """Start the statement, for at most `rows`, on a cursor of its own."""
        if rows is None and self._limits.rows is not None:
            rows = self._limits.rows + 1
        # A number, and a statement that was parsed whole: neither can change the other.
        bounded = (
            self._text
            if rows is None or self._explains
            else f"SELECT * FROM (\n{self._text}\n) LIMIT {rows:d}"  # noqa: S608
        )
        if arrow and any(self.described.casts):
            bounded = plain.projected(bounded, self.described.casts)
        self.note = self._hint
        cursor = self._cursors.cursor()
        clock = Clock(self._limits, cursor)
        with self._changing:
            self._running[id(cursor)] = clock, cursor
        with self._under_way(clock, cursor):
            cursor.execute(bounded, self._values or None)
        return clock, cursor

    def _batches(
        self,
        clock: Clock,
        cursor: duckdb.DuckDBPyConnection,
        stream: pa.RecordBatchReader,
        schema: pa.Schema,
    ) -> Iterator[pa.RecordBatch]:
        given = 0
        try:
            while True:
                with self._under_way(clock, cursor):
                    batch = next(stream, None)
                if batch is None:
                    self._end(cursor)
                    return
                if batch.schema.names != schema.names:
                    batch = pa.RecordBatch.from_arrays(batch.columns, schema=schema)
                given += batch.num_rows
                excess = given - self._cut(given)
                yield batch.slice(0, batch.num_rows - excess) if excess else batch
                if excess:
                    return
        finally:
            self._forget(cursor)

    def _cut(self, count: int) -> int:
        """How many of `count` rows may be given; says so where that is fewer."""
        most = self._limits.rows
        if most is None or count <= most:
            return count
        more = (
            f"first {most:,} of more rows: narrow the question, or raise --limit "
            "(in Python limits=Limits(rows=...))"
        )
        self.note = f"{more}; {self._hint}" if self._hint else more
        return most
