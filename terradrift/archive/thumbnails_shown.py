"""Before and after of the changes of one archive: which windows, and their pixels."""

import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa

from terradrift import schema
from terradrift.archive.pixels_of import NOT_READ, Pixels
from terradrift.archive.rows_of_patch import PatchRows
from terradrift.archive.thumbnails import Thumbnails
from terradrift.archive.thumbnails_read import Windows
from terradrift.archive.thumbnails_view import Extent, Seen, Side, View, side, view
from terradrift.grid import parse_id
from terradrift.store.tables import Store
from terradrift.store.units import embeddings_table

NEEDED = ("change_id", "patch_id", "date_before", "date_after", "ended")
"""Columns of a change that tell what is shown of it."""


@dataclass(frozen=True, slots=True)
class Shown:
    """What is shown of a change."""

    view: View
    before: Side | None
    after: Side | None


class Pictured:
    """The changes of one model, at the versions that their tables had when it was made."""

    def __init__(
        self,
        store: Store,
        model: str,
        kept: Thumbnails | None = None,
        seen: PatchRows | None = None,
    ) -> None:
        """`seen` are the model's embeddings patch by patch, where they are held already."""
        self.store = store
        self.grid = store.settings.grid
        self.seen = seen or PatchRows(store.opened(embeddings_table(model)), self.grid)
        self._kept = kept or Thumbnails(store.root)
        self._making = threading.RLock()

    @property
    def windows(self) -> Windows:
        """Where windows are read."""
        with self._making:
            return self._windows

    def shown(
        self, change: Mapping[str, Any], others: Sequence[Mapping[str, Any]]
    ) -> Shown:
        """The ground and the dates of a change.

        `change` has the columns `NEEDED`, and so have `others`, all changes of its patch:
        a side ends where another change begins.
        """
        with self._making:
            extents = self._extents
        cell = parse_id(change["patch_id"])
        found = view(self.grid, cell, extents.get(cell[0]))
        before, after = change["date_before"], change["date_after"]
        seen = self._seen(found, change["patch_id"])
        began = [one["date_after"] for one in others if one["date_after"]]
        ends = [one["date_before"] for one in others if one["date_before"]]
        first = max((at for at in began if before and at <= before), default=None)
        last = min((at for at in ends if after and at >= after), default=None)
        if change["ended"] is not None:
            # What came and went is shown while it was there.
            held = [at for at in seen if at < change["ended"]]
            last = min(
                [*filter(None, (last,)), *([max(held)] if held else [])], default=None
            )
        return Shown(
            found,
            None if before is None else side(before, seen, (first, before)),
            None if after is None else side(after, seen, (after, last)),
        )

    def _seen(self, found: View, patch: str) -> dict[datetime, Seen]:
        """The dates of a patch, and how clear and how green what is held around it was."""
        ids = found.patch_ids(self.grid).tolist()
        rows = self.seen.of(ids, ["datetime", "clear_percent", "ndvi"])
        around = pa.concat_tables(rows.values())
        held = sum(1 for one in rows.values() if len(one))
        days = around["datetime"].cast(pa.timestamp("us")).to_numpy()
        names, number = np.unique(days.astype("datetime64[D]"), return_inverse=True)
        clear = np.nan_to_num(around["clear_percent"].to_numpy())
        shares = np.bincount(number, clear, minlength=len(names)) / max(held, 1)
        ndvi = around["ndvi"].to_numpy().astype(np.float64)
        known = np.isfinite(ndvi)
        count = np.bincount(number[known], minlength=len(names))
        sums = np.bincount(number[known], ndvi[known], minlength=len(names))
        means = np.divide(sums, count, out=np.full(len(names), np.nan), where=count > 0)
        place = {day: at for at, day in enumerate(names.tolist())}
        dates = {}
        for row in rows[patch].to_pylist():
            at = place[row["datetime"].date()]
            dates[row["datetime"]] = Seen(
                row["clear_percent"] or 0.0, float(shares[at]), float(means[at])
            )
        return dates

    @cached_property
    def _windows(self) -> Windows:
        names = [name for name in schema.scenes().names if name not in NOT_READ]
        if not self.store.exists("scenes"):
            # An archive of imported embeddings: nothing to draw from, and no error.
            none = pa.schema([schema.scenes().field(name) for name in names])
            return Windows(Pixels(self.store, none.empty_table()), self._kept)
        scenes = self.store.scan("scenes", names).read_all()
        return Windows(Pixels(self.store, scenes), self._kept)

    @cached_property
    def _extents(self) -> dict[int, Extent]:
        rows = self.store.scan("patches", ["crs", "row", "col"]).read_all()
        sides = [("row", "min"), ("row", "max"), ("col", "min"), ("col", "max")]
        found = {}
        for one in rows.group_by("crs").aggregate(sides).to_pylist():
            found[int(one["crs"].rpartition(":")[2])] = Extent(
                (one["row_min"], one["row_max"] + 1),
                (one["col_min"], one["col_max"] + 1),
            )
        return found
