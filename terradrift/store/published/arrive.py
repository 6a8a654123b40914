"""Published GeoParquet into an archive: each embedding once, at its own place and instant."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from terradrift import schema
from terradrift.errors import ArchiveError, SchemaError
from terradrift.grid import Grid
from terradrift.store.published import spots, when
from terradrift.store.published.choose import choose
from terradrift.store.published.files import PARQUET, found
from terradrift.store.published.gather import Gathered, gather
from terradrift.store.published.table import Table, table
from terradrift.store.published.told import LEFT, Imported, sources
from terradrift.store.published.units import patches, units
from terradrift.store.tables import Store
from terradrift.store.units import FLUSH_BYTES, Writer, embeddings_table

PIXEL = 10
"""Metres of a pixel of Sentinel-2, of which all of these were made."""
_OF_STRIDE = 0.9
_SHARE = 0.5
"""Percent; a table of which none is clearer, but some are by more than this, holds shares."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What an import is told."""

    form: str | None = None
    """One of `forms.NAMES`; None: by the columns."""
    model: str | None = None
    """What made the vectors; None: as the form says."""
    date: str | None = None
    """Of rows of which nothing says when: a year, a month or an instant."""
    years: str | None = None
    """Which to take, such as 2019-2023,2025."""
    clear_percent: float | None = None
    """How clear observations are taken to be where no column says."""

    def __post_init__(self) -> None:
        if self.clear_percent is not None and not 0 <= self.clear_percent <= 100:
            raise ValueError(
                f"clear percent must be 0 to 100, got {self.clear_percent:g}"
            )
        if self.years is not None:
            when.years(self.years)


def tables(paths: Sequence[str | Path], asked: Asked) -> list[Table]:
    """All files as tables of one form and model.

    Raises:
        ArchiveError, SchemaError: as `files.found` and `table.table`; files of several models.
    """
    opened = [
        table(file, form=asked.form, model=asked.model, date=asked.date)
        for file in found(paths, PARQUET)
    ]
    first = opened[0]
    for other in opened[1:]:
        mine = (first.identity, first.dimensions)
        theirs = (other.identity, other.dimensions)
        if mine != theirs:
            raise SchemaError(
                f"{first.file.path} holds vectors of {_words(first)}, {other.file.path} of "
                f"{_words(other)}; vectors of two models do not go together: import one after "
                "the other"
            )
    return opened


def grid_for(opened: Sequence[Table], patch_size: int | None) -> Grid:
    """The grid of an archive for files: patches a tenth below the side of their squares.

    Squares that lie edge to edge in the grid's own CRS get patches of their very size.

    Raises:
        SchemaError: points of a product whose patch size is not known, without one given.
    """
    if patch_size is not None:
        return _grid(patch_size)
    first = opened[0]
    measured = None
    for batch in first.batches():
        measured = spots.side(batch.spots, Grid(patch_size=PIXEL))
        break
    if measured is None and first.form.side is not None:
        measured = first.form.side, False
    if measured is None:
        raise SchemaError(
            f"{first.file.path} has points, which do not say how wide a patch is; pass "
            "--patch-size in metres"
        )
    side, aligned = measured
    if aligned:
        return _grid(max(1, round(side)))
    return _grid(max(PIXEL, int(side * _OF_STRIDE / PIXEL) * PIXEL))


def gathered(
    opened: Sequence[Table], asked: Asked, grid: Grid, folder: Path
) -> Gathered:
    """Read all rows; nothing is written but nameless files in `folder`.

    Raises:
        ArchiveError, SchemaError: as `gather.gather`; no row is left; shares for percent.
    """
    years = None if asked.years is None else when.years(asked.years)
    rows = gather(opened, grid, folder, years)
    if not len(rows):
        why = ", ".join(
            f"{count:,} {LEFT[key]}" for key, count in rows.left.items() if count
        )
        raise SchemaError(
            f"no row of {opened[0].file.path} can be imported: {why or 'it holds none'}"
        )
    clear = rows.light["clear"]
    if _SHARE < np.nanmax(clear, initial=0) <= 1:
        raise SchemaError(
            f"{opened[0].file.path}: expected clear_percent of 0 to 100, got at most "
            f"{np.nanmax(clear):g} in all rows, which looks like a share; multiply it by 100"
        )
    return rows


def pour(
    store: Store,
    opened: Sequence[Table],
    asked: Asked,
    rows: Gathered,
    *,
    run_id: str | None = None,
    flush_bytes: int = FLUSH_BYTES,
) -> Imported:
    """Add what was gathered; a killed process leaves whole units, and may run again.

    Raises:
        ArchiveError: an archive with scenes of its own, whose patches are not these.
        ModelMismatchError: vectors of another model in the table.
    """
    first = opened[0]
    with store.lock("import"):
        if store.exists("scenes"):
            raise ArchiveError(
                f"{store.root} has scenes of its own, whose patches are not the squares of "
                f"{first.form.name}; import into an archive of its own"
            )
        if store.settings.grid.gsd is None:
            store.update(replace(store.settings, grid=rows.grid))
        model = first.identity["model"]
        chosen = choose(rows, store)
        name = embeddings_table(model)
        before = store.count(name) if store.exists(name) else 0
        columns = schema.embeddings(rows.dimensions, **first.identity)
        with Writer(
            store, model, columns, run_id=run_id, flush_bytes=flush_bytes
        ) as writer:
            if len(chosen.fresh):
                store.append("patches", patches(rows, chosen.fresh), schema.patches())
            for unit in units(
                rows,
                chosen.rows,
                columns,
                clear_percent=asked.clear_percent,
                run_id=run_id,
            ):
                writer.add(*unit)
        if store.settings.model is None:
            store.update(replace(store.settings, model=model))
        added = (store.count(name) if store.exists(name) else 0) - before
    off = rows.light["off"][chosen.rows]
    met = (
        rows.light["time"][chosen.rows].astype("datetime64[us]").astype("datetime64[D]")
    )
    clear = asked.clear_percent is not None or not np.isnan(rows.light["clear"]).all()
    return Imported(
        form=first.form.name,
        model=model,
        files=len(opened),
        rows=added,
        skipped=len(chosen.rows) - added,
        collided=chosen.collided,
        again=chosen.again,
        left={key: count for key, count in rows.left.items() if count},
        crs_assumed=sum(one.crs.assumed for one in opened),
        patches=len(chosen.fresh),
        days=tuple(map(str, np.unique(met))),
        told_by=sources(one.told_by for one in opened),
        clear_known=bool(clear),
        off=float(np.median(off)),
        off_most=float(off.max()),
    )


def _grid(patch_size: int) -> Grid:
    gsd = PIXEL if patch_size % PIXEL == 0 else 1
    return Grid(patch_size=patch_size, gsd=float(gsd))


def _words(one: Table) -> str:
    told = one.identity
    return f"{told['model']} ({told['revision']}, {one.dimensions} numbers)"
