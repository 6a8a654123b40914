"""Published Major TOM embeddings into an archive, each at its own place."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from terradrift import schema
from terradrift.errors import ArchiveError, SchemaError
from terradrift.grid import Grid
from terradrift.store.majortom import fragments, models, source
from terradrift.store.majortom.held import add_patches, free
from terradrift.store.majortom.places import kept, place
from terradrift.store.majortom.turned import FOOTPRINTS, SAMPLE_PX, transposed
from terradrift.store.majortom.units import Arriving
from terradrift.store.tables import Store
from terradrift.store.units import Writer, embeddings_table

_OF_STRIDE = 0.9


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did."""

    model: str
    rows: int
    """Rows that the archive did not hold."""
    skipped: int
    """Of samples that it held already, or a second one of a fragment on one day."""
    collided: int
    """Left out: another fragment is nearer to the middle of their patch."""
    outside: int
    """Left out: no patch of the grid is theirs."""
    patches: int
    """Places that are new."""
    transposed: bool | None
    """Whether footprints were, and are now put right; None: no row tells."""
    off: float
    """Median metres from a fragment's centre to the middle of its patch."""
    off_most: float

    def __str__(self) -> str:
        how = {
            True: "footprints were transposed within their cells and are put right",
            False: "footprints were right",
            None: "no footprint tells whether they were transposed",
        }[self.transposed]
        words = (
            f"{self.rows:,} embeddings of {self.model} at {self.patches:,} new places; {how}; "
            f"centres lie {self.off:,.0f} m off the middle of their patch, at most "
            f"{self.off_most:,.0f} m"
        )
        for count, why in (
            (self.collided, "left out, a nearer fragment has their patch"),
            (self.outside, "left out, the grid has no patch there"),
            (self.skipped, "held already"),
        ):
            if count:
                words += f"; {count:,} {why}"
        return words

    def summary(self) -> dict[str, Any]:
        """As a record."""
        return asdict(self)


def grid_for(path: Path) -> Grid:
    """The grid for an archive of a file's fragments: patches a tenth below their stride.

    Wider ones leave out more fragments, narrower ones stand for less of each (docs/decisions/0014).

    Raises: as `source.check`, and SchemaError for boxes that are no fragments.
    """
    source.check(path)
    first = source.first(path)
    pixel, side = float(first.pixel[0]), int(first.side[0])
    if side > SAMPLE_PX:
        raise SchemaError(
            f"{path}: expected fragments of samples of {SAMPLE_PX} pixels, got {side}"
        )
    starts = fragments.offsets(SAMPLE_PX, side)
    stride = int(starts[1]) if len(starts) > 1 else side
    patch_px = round(_OF_STRIDE * stride)
    return Grid(patch_size=round(patch_px * pixel), gsd=pixel)


def import_published(
    store: Store,
    path: Path,
    *,
    model: str | None = None,
    footprints: str | None = None,
    clear_percent: float | None = None,
    run_id: str | None = None,
) -> Imported:
    """Add a file's embeddings, and the places they are of.

    Args:
        store: an archive without scenes of its own.
        path: a Parquet file with the published columns.
        model: what made the vectors; None: by their length and product.
        footprints: `transposed` or `right`; None: as boxes and footprints tell.
        clear_percent: how clear observations are taken to be; None: not known, and then
            nothing is detected among them.
        run_id: of the import.

    Raises:
        ArchiveError: no Parquet file, an archive with scenes, or with patches that are no
            match for the fragments.
        SchemaError: as `source.read`, or footprints and boxes that agree neither way.
        ModelMismatchError: vectors of another model in the table.
        ValueError: an option out of range.
    """
    if footprints not in (None, *FOOTPRINTS):
        raise ValueError(
            f"footprints must be one of {', '.join(FOOTPRINTS)}, got {footprints!r}"
        )
    if clear_percent is not None and not 0 <= clear_percent <= 100:
        raise ValueError(f"clear percent must be 0 to 100, got {clear_percent:g}")
    if store.exists("scenes"):
        raise ArchiveError(
            f"{store.root} has scenes of its own, whose patches are not fragments of Major "
            "TOM; import into an archive of its own"
        )
    with store.lock("import"):
        rows = source.read(path, store.root)
        grid = _fitting(store, rows, path)
        turned_ = transposed(rows, footprints, path)
        corner = rows.boxes.true(transposed=bool(turned_))
        found = place(corner, rows.boxes.size, rows.epsg, grid)
        wanted = kept(found, _fragments(rows))
        wanted &= free(store, found, wanted)
        named = models.identity(
            rows.vectors.shape[1], rows.products[0], model, str(path)
        )
        table = embeddings_table(named["model"])
        before = store.count(table) if store.exists(table) else 0
        columns = schema.embeddings(rows.vectors.shape[1], **named)
        arriving = Arriving(
            rows=rows,
            found=found,
            grid=grid,
            columns=columns,
            clear_percent=clear_percent,
            run_id=run_id,
        )
        with Writer(store, named["model"], columns, run_id=run_id) as writer:
            patches = add_patches(store, found, wanted, grid)
            for unit in arriving.units(wanted):
                writer.add(*unit)
        if store.settings.model is None:
            store.update(replace(store.settings, model=named["model"]))
        added = (store.count(table) if store.exists(table) else 0) - before
    off = found.off[wanted]
    return Imported(
        model=named["model"],
        rows=added,
        skipped=int(wanted.sum()) - added,
        collided=int((found.inside & ~wanted).sum()),
        outside=int((~found.inside).sum()),
        patches=patches,
        transposed=turned_,
        off=float(np.median(off)) if len(off) else 0.0,
        off_most=float(off.max(initial=0.0)),
    )


def _fitting(store: Store, rows: source.Rows, path: Path) -> Grid:
    """The archive's grid, of whose patches a fragment fills about one."""
    grid = store.settings.grid
    side = float(np.median(rows.boxes.size))
    if not side / 2 <= grid.patch_size <= side:
        raise ArchiveError(
            f"fragments of {path} are {side:,.0f} m wide, so patches must be "
            f"{side / 2:,.0f} to {side:,.0f} m, {store.root} has {grid.patch_size} m; "
            "import into a new archive"
        )
    if grid.gsd is None:
        pixel = float(np.median(rows.boxes.pixel))
        grid = replace(grid, gsd=pixel)
        store.update(replace(store.settings, grid=grid))
    return grid


def _fragments(rows: source.Rows) -> NDArray[np.int64]:
    """(n,), number of each row's fragment, in order of cell's name, row and column."""
    rank = np.argsort(np.argsort(np.array(rows.cells)))
    keys = np.column_stack([rank[rows.cell], rows.boxes.first])
    _, number = np.unique(keys, axis=0, return_inverse=True)
    return np.asarray(number.ravel(), np.int64)
