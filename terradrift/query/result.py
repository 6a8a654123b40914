"""What a search gives: rows as Arrow, and the forms people want them in."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import pyarrow as pa

from terradrift.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import geopandas as gpd
    import pandas as pd
    import polars as pl
    from lonboard import Map
    from matplotlib.figure import Figure

    from terradrift.query.index.protocol import Recall


class Pictures(Protocol):
    """Draws the matches of a result."""

    def chips(self, found: "Result") -> "Sequence[str]":
        """Pictures of the first matches as HTML, those that are quickly at hand."""

    def grid(self, found: "Result", matches: int) -> "Figure":
        """A figure of the first matches."""


@dataclass(frozen=True, slots=True, eq=False)
class Result:
    """Rows of a search, nearest first; `geometry` is WKB in degrees (OGC:CRS84)."""

    table: pa.Table
    note: str | None = None
    """What to know about the answer, for instance that fewer rows exist than were asked for."""
    space: str = "raw"
    """Label of the space that cosines were taken in."""
    mode: str = "delta"
    """What was compared (`search.modes`)."""
    exact: bool = True
    """Whether these are the nearest of all rows that pass."""
    recall: "Recall | None" = None
    """How many of them are, as measured; None where the answer is exact."""
    plan: str = ""
    """How the answer was got, in words."""
    pictures: "Pictures | None" = None
    """What draws matches from the archive's scenes; None where no archive was asked."""

    def __len__(self) -> int:
        return int(self.table.num_rows)

    def __arrow_c_stream__(self, requested_schema: object | None = None) -> object:
        """The rows for any library that speaks Arrow."""
        return self.table.__arrow_c_stream__(requested_schema)

    def to_arrow(self) -> pa.Table:
        """The rows as an Arrow table."""
        return self.table

    def df(self) -> "pd.DataFrame":
        """The rows as a pandas table; `geometry` stays WKB."""
        frame: pd.DataFrame = self.table.to_pandas()
        return frame

    def pl(self) -> "pl.DataFrame":
        """The rows as a Polars table.

        Raises:
            QueryError: Polars is not installed.
        """
        from terradrift.query import write

        return write.to_polars(self.table)

    def to_geopandas(self) -> "gpd.GeoDataFrame":
        """The rows as a GeoPandas table in OGC:CRS84, geometries decoded."""
        from terradrift.query import write

        return write.to_geopandas(self.table)

    def export(self, path: "str | Path") -> int:
        """Write the rows to `path`, by its ending (see `write.write`); returns how many."""
        from terradrift.query import write

        return write.write(self.table, path)

    def rows(self) -> list[dict[str, Any]]:
        """The rows as dictionaries, for printing a few of them."""
        rows: list[dict[str, Any]] = self.table.to_pylist()
        return rows

    def explore(
        self, *, by: str | None = None, limit: int | None = None, basemap: bool = False
    ) -> "Map":
        """The matches on a map that one can move; see `query.shown.explore.draw`.

        Raises:
            QueryError: lonboard is not installed, or the rows have no places.
        """
        from terradrift.query.shown import explore

        most = explore.ROWS if limit is None else limit
        left = len(self) > most
        rows = self.table.slice(0, most)
        return explore.draw(rows, by=by, basemap=basemap, left=left)

    def plot(self, matches: int = 6) -> "Figure":
        """The first matches, before beside after, with their dates and distances.

        Raises:
            QueryError: no matches, or this is no answer of `Archive.similar` or
                `Archive.uncertain`, which know the scenes.
        """
        if self.pictures is None:
            raise QueryError(
                "expected an answer of Archive.similar or Archive.uncertain, which know the "
                "scenes; got rows without an archive"
            )
        if not len(self):
            raise QueryError("expected matches to draw, got none; widen the question")
        return self.pictures.grid(self, matches)

    def _repr_html_(self) -> str:
        from terradrift.query.shown import answers

        chips = [] if self.pictures is None else self.pictures.chips(self)
        return answers.result(self, chips)

    def __repr__(self) -> str:
        note = f"; {self.note}" if self.note else ""
        where = "" if self.space == "raw" else f", compared in {self.space}"
        plan = f", {self.plan}" if self.plan else ""
        return (
            f"Result of {len(self):,} rows, {self.table.num_columns} columns"
            f"{where}{plan}{note}"
        )
