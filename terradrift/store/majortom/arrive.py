"""Published Major TOM embeddings into an archive, each at its own place."""

from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from terradrift import schema
from terradrift.errors import ArchiveError
from terradrift.store.majortom.checked import Checked, checked
from terradrift.store.majortom.held import add_patches, free
from terradrift.store.majortom.places import kept
from terradrift.store.majortom.units import Arriving
from terradrift.store.tables import Store
from terradrift.store.units import Writer, embeddings_table

_HELD = (
    "skipped, their cell of that product came before: held already, or, where part of the "
    "cell came, not added; import whole cells, these into a new archive"
)


@dataclass(frozen=True, slots=True)
class Imported:
    """What an import did."""

    model: str
    rows: int
    """Rows that the archive did not hold."""
    skipped: int
    """Of cells of a product that came before, or a second one of a fragment on one day."""
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
            (self.skipped, _HELD),
        ):
            if count:
                words += f"; {count:,} {why}"
        return words

    def summary(self) -> dict[str, Any]:
        """As a record."""
        return asdict(self)


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
        model: what made the vectors; None: by their length and products.
        footprints: `transposed` or `right`; None: as boxes and footprints tell.
        clear_percent: how clear observations are taken to be; None: not known, and then
            nothing is detected among them.
        run_id: of the import.

    Raises:
        ArchiveError, SchemaError, ValueError: as `checked.checked`; and an archive with
            scenes.
        ModelMismatchError: vectors of another model in the table.
    """
    with store.lock("import"):
        _without_scenes(store)
        ready = checked(
            path,
            store.root,
            store.settings.grid,
            model=model,
            footprints=footprints,
            clear_percent=clear_percent,
        )
        return import_checked(store, ready, run_id=run_id)


def import_checked(
    store: Store, ready: Checked, *, run_id: str | None = None
) -> Imported:
    """Add what `checked.checked` found fit for the archive's grid; see `import_published`."""
    rows, found, grid = ready.rows, ready.found, ready.grid
    with store.lock("import"):
        _without_scenes(store)
        if store.settings.grid.gsd is None:
            store.update(replace(store.settings, grid=grid))
        wanted = kept(found, ready.fragments())
        wanted &= free(store, found, wanted)
        named = ready.identity
        table = embeddings_table(named["model"])
        before = store.count(table) if store.exists(table) else 0
        columns = schema.embeddings(rows.vectors.shape[1], **named)
        arriving = Arriving(
            rows=rows,
            found=found,
            grid=grid,
            columns=columns,
            clear_percent=ready.clear_percent,
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
        transposed=ready.transposed,
        off=float(np.median(off)) if len(off) else 0.0,
        off_most=float(off.max(initial=0.0)),
    )


def _without_scenes(store: Store) -> None:
    if store.exists("scenes"):
        raise ArchiveError(
            f"{store.root} has scenes of its own, whose patches are not fragments of Major "
            "TOM; import into an archive of its own"
        )
