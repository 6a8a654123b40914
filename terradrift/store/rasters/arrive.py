"""Rasters of embeddings into an archive: patches of their mean pixels, a date a raster."""

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow as pa
import rasterio
from numpy.typing import NDArray

from terradrift import schema
from terradrift.errors import ArchiveError, SchemaError
from terradrift.grid import Grid
from terradrift.store.majortom.held import table
from terradrift.store.published import when
from terradrift.store.published.arrive import Asked
from terradrift.store.published.files import RASTER, found
from terradrift.store.published.known import Known
from terradrift.store.published.pending import Pending
from terradrift.store.published.told import sources
from terradrift.store.rasters.lattice import code
from terradrift.store.rasters.plan import tasks
from terradrift.store.rasters.source import Raster, is_scales, raster
from terradrift.store.rasters.tile import Readers, batch, read
from terradrift.store.rasters.told import Imported, Seen
from terradrift.store.rasters.twice import check
from terradrift.store.tables import Store
from terradrift.store.units import FLUSH_BYTES, Writer, done, embeddings_table

PATCH_SIZE = 160
_CACHE_MB = 64
"""Of GDAL, beside blocks that `windows` keeps."""


def rasters(paths: Sequence[str | Path], asked: Asked) -> list[Raster]:
    """All files as rasters of one model, of the years that are asked for.

    Raises:
        ArchiveError, SchemaError: as `files.found` and `source.raster`; files of several
            models; none of the years; two of one instant and place.
    """
    files = [one for one in found(paths, RASTER) if not is_scales(one.path)]
    arrays = {one.path.stem for one in files if one.path.suffix.lower() == ".npy"}
    opened = [
        raster(file, form=asked.form, model=asked.model, date=asked.date)
        for file in files
        # A GeoTIFF of an array's name says where the array lies, and holds no vectors.
        if file.path.suffix.lower() == ".npy" or file.path.stem not in arrays
    ]
    first = opened[0]
    for other in opened[1:]:
        if (other.identity, other.product.bands) != (
            first.identity,
            first.product.bands,
        ):
            raise SchemaError(
                f"{first.file.path} holds vectors of {_words(first)}, {other.file.path} of "
                f"{_words(other)}; vectors of two models do not go together: import one after "
                "the other"
            )
        if abs(_pixel(other) - _pixel(first)) > 1e-3 * _pixel(first):
            raise SchemaError(
                f"pixels of {first.file.path} are {_pixel(first):g} m wide, those of "
                f"{other.file.path} {_pixel(other):g} m; import them into two archives"
            )
    if asked.years is None:
        check(opened)
        return opened
    wanted = when.years(asked.years)
    kept = [
        one for one in opened if int(when.year_of(np.array([one.time]))[0]) in wanted
    ]
    if not kept:
        raise SchemaError(f"no raster is of the years {asked.years}")
    check(kept)
    return kept


def grid_for(opened: Sequence[Raster], patch_size: int | None) -> Grid:
    """The grid of an archive for rasters: 160 m, of the first one's pixels.

    Raises:
        SchemaError: patches that are no whole number of pixels.
    """
    pixel = _pixel(opened[0])
    try:
        return Grid(patch_size=patch_size or PATCH_SIZE, gsd=pixel)
    except ValueError as error:
        raise SchemaError(f"{opened[0].file.path}: {error}") from error


def pour(
    store: Store,
    opened: Sequence[Raster],
    *,
    run_id: str | None = None,
    flush_bytes: int = FLUSH_BYTES,
) -> Imported:
    """Add rasters, tile by tile; a killed process leaves whole tiles, and may run again.

    Raises:
        ArchiveError: a raster that cannot be read, or patches that are no pixels of it.
        ModelMismatchError: vectors of another model in the table.
    """
    first = opened[0]
    model = first.identity["model"]
    columns = schema.embeddings(first.product.bands, **first.identity)
    name = embeddings_table(model)
    with store.lock("import"), rasterio.Env(GDAL_CACHEMAX=_CACHE_MB):
        grid = _grid(store, opened)
        before = store.count(name) if store.exists(name) else 0
        held = Known(store, grid.tile_patches)
        known, seen = done(store, model), Seen()
        with (
            Writer(
                store, model, columns, run_id=run_id, flush_bytes=flush_bytes
            ) as writer,
            Readers() as readers,
        ):
            pending = Pending(store, writer)
            for task in tasks(opened, grid):
                if (task.scene, task.tile) in known:
                    seen.skipped += 1
                    continue
                patches = read(task, grid, readers)
                seen.add(patches)
                rows = batch(task, patches, grid, columns, run_id)
                fresh = patches.cells[held.fresh(patches.cells)]
                pending.add([(task.tile, (task.scene,), rows)], _table(fresh, grid))
            pending.flush()
        if store.settings.model is None:
            store.update(replace(store.settings, model=model))
        added = (store.count(name) if store.exists(name) else 0) - before
    times = np.array([one.time for one in opened])
    met = np.unique(times.astype("datetime64[us]").astype("datetime64[D]"))
    return Imported(
        form=first.product.name,
        model=model,
        files=len(opened),
        rows=added,
        skipped=seen.skipped,
        patches=held.added,
        days=tuple(map(str, met)),
        told_by=sources(one.told_by for one in opened),
        again=seen.rows - added,
        beyond=seen.beyond,
        twice=seen.twice / seen.pixels if seen.pixels else 0.0,
        other_grid=sum(not _on(one, grid) for one in opened),
        partial=seen.partial / seen.rows if seen.rows else 0.0,
        spread=seen.spread,
    )


def _table(cells: NDArray[np.int64], grid: Grid) -> pa.Table:
    if not len(cells):
        return schema.patches().empty_table()
    epsg = int(cells[0, 0])
    row, col = cells[:, 1], cells[:, 2]
    centers, corners = grid.centers(epsg, row, col), grid.corners(epsg, row, col)
    # A patch on the antimeridian is drawn in one piece, a little beyond 180 degrees.
    middle = centers[:, None, 0]
    corners[..., 0] = middle + (corners[..., 0] - middle + 180) % 360 - 180
    return table(cells, centers, corners, grid)


def _grid(store: Store, opened: Sequence[Raster]) -> Grid:
    grid = store.settings.grid
    if grid.gsd is None:
        grid = grid_for(opened, grid.patch_size)
        store.update(replace(store.settings, grid=grid))
    pixel = _pixel(opened[0])
    if grid.gsd is None or abs(grid.gsd - pixel) > 1e-3 * pixel:
        raise ArchiveError(
            f"pixels of {opened[0].file.path} are {pixel:g} m wide, the archive's "
            f"{grid.gsd:g} m; import into an archive of its own"
        )
    return grid


def _pixel(one: Raster) -> float:
    """Metres of a pixel; to the millimetre."""
    if one.crs.is_projected:
        metres = float(one.crs.linear_units_factor[1])
        return round(float(np.hypot(one.transform.a, one.transform.d)) * metres, 3)
    # Of degrees: as many metres as a degree of latitude has, in whole ones.
    return float(max(1, round(abs(one.transform.e) * 111_195)))


def _on(one: Raster, grid: Grid) -> bool:
    """Whether a raster's pixels stand on those of a zone of the grid."""
    gsd = grid.patch_size / grid.patch_px
    number = code(one.wkt)
    if number is None or not (
        number // 100 in (326, 327)
        if grid.crs == "utm"
        else grid.crs == f"EPSG:{number}"
    ):
        return False
    to = one.transform
    left, bottom, _, _ = one.bounds
    shift = np.array([left, bottom]) / gsd
    off = [*(shift - np.round(shift)), abs(to.a) / gsd - 1, abs(to.e) / gsd - 1]
    return bool(to.is_rectilinear and np.abs(off).max() < 1e-3)


def _words(one: Raster) -> str:
    told = one.identity
    return f"{told['model']} ({told['revision']}, {one.product.bands} bands)"
