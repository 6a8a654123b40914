"""A published table that can be imported: all of it read, and nothing written yet."""

from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pyproj.exceptions import ProjError

from terradrift.errors import ArchiveError, SchemaError
from terradrift.grid import Grid
from terradrift.store.majortom import fragments, models, source
from terradrift.store.majortom.places import Places, place
from terradrift.store.majortom.turned import FOOTPRINTS, SAMPLE_PX, transposed

_OF_STRIDE = 0.9


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Checked:
    """A file's rows, each at its place on a grid."""

    rows: source.Rows
    grid: Grid
    """With the pixels of the fragments, where it had none."""
    found: Places
    transposed: bool | None
    """Whether footprints were, and are put right in `found`; None: no row tells."""
    identity: dict[str, str]
    """Metadata that names the model."""
    clear_percent: float | None

    def fragments(self) -> NDArray[np.int64]:
        """(n,), number of each row's fragment, in order of cell's name, row and column."""
        rank = np.argsort(np.argsort(np.array(self.rows.cells)))
        keys = np.column_stack([rank[self.rows.cell], self.rows.boxes.first])
        _, number = np.unique(keys, axis=0, return_inverse=True)
        return np.asarray(number.ravel(), np.int64)


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


def checked(
    path: Path,
    folder: Path,
    grid: Grid,
    *,
    model: str | None = None,
    footprints: str | None = None,
    clear_percent: float | None = None,
) -> Checked:
    """Read a file and find the places of its rows; vectors wait in a nameless file.

    Args:
        path: a Parquet file with the published columns.
        folder: where the nameless file may lie.
        grid: of the archive that it is for.
        model: as for `arrive.import_published`, like those that follow.
        footprints: `transposed`, `right` or None.
        clear_percent: 0..100, or None.

    Raises:
        ArchiveError: no Parquet file, or patches that are no match for the fragments.
        SchemaError: as `source.read` and `models.identity`; fragments of several sizes or
            beyond their UTM zone; footprints and boxes that agree neither way.
        ValueError: an option out of range.
    """
    if footprints not in (None, *FOOTPRINTS):
        raise ValueError(
            f"footprints must be one of {', '.join(FOOTPRINTS)}, got {footprints!r}"
        )
    if clear_percent is not None and not 0 <= clear_percent <= 100:
        raise ValueError(f"clear percent must be 0 to 100, got {clear_percent:g}")
    rows = source.read(path, folder)
    grid = _fitting(grid, rows, path)
    turned = transposed(rows, footprints, path)
    identity = models.identity(rows.vectors.shape[1], rows.products, model, str(path))
    corner = rows.boxes.true(transposed=bool(turned))
    try:
        found = place(corner, rows.boxes.size, rows.epsg, grid)
    except ProjError as error:
        raise SchemaError(
            f"{path}: expected footprints in metres within their UTM zone: {error}"
        ) from error
    return Checked(
        rows=rows,
        grid=grid,
        found=found,
        transposed=turned,
        identity=identity,
        clear_percent=clear_percent,
    )


def _fitting(grid: Grid, rows: source.Rows, path: Path) -> Grid:
    """The grid with its pixels, if a fragment fills about one of its patches."""
    sides = np.unique(rows.boxes.side).tolist()
    if len(sides) > 1:
        raise SchemaError(
            f"{path}: expected fragments of one size, got {sides[0]} to {sides[-1]} pixels; "
            "split the file"
        )
    side = float(np.median(rows.boxes.size))
    if not side / 2 <= grid.patch_size <= side:
        raise ArchiveError(
            f"fragments of {path} are {side:,.0f} m wide, so patches must be "
            f"{side / 2:,.0f} to {side:,.0f} m, the archive has {grid.patch_size} m; "
            "import into a new archive"
        )
    if grid.gsd is None:
        return replace(grid, gsd=float(np.median(rows.boxes.pixel)))
    return grid
