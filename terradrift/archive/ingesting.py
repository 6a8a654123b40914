"""`ingest`: a source's scenes into the archive: metadata only, no pixels."""

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from shapely.geometry.base import BaseGeometry

from terradrift import chip, schema
from terradrift.archive import levels, regrid
from terradrift.archive.purpose import Purpose
from terradrift.archive.runs import Run
from terradrift.errors import ArchiveError, SourceError
from terradrift.grid import Grid
from terradrift.ingest import plan
from terradrift.ingest.scene import Filters, Options, Skipped, find_scenes, to_table
from terradrift.store.tables import Settings, Store

_NOT_SURFACE = {"coastal", "nir09", "cirrus", "lwir11", "lwir12"}
"""Bands about air and heat, at 60 m and coarser: read only when asked for by name."""

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Ingested:
    """What one `ingest` found."""

    found: int
    new: int
    new_patches: int
    unmasked: int
    """New scenes without a cloud mask."""
    skipped: tuple[Skipped, ...]
    bands: tuple[str, ...]
    grid: Grid

    def __str__(self) -> str:
        words = (
            f"{self.found} scenes found, {self.new} new, {self.new_patches} new patches of "
            f"{self.grid.patch_size} m at {self.grid.gsd:g} m, bands {' '.join(self.bands)}"
        )
        if self.unmasked:
            words += f"; {self.unmasked} without a mask: their clouds count as clear"
        return f"{words}; {len(self.skipped)} skipped" if self.skipped else words

    def summary(self) -> dict[str, Any]:
        """As a record."""
        return {
            "found": self.found,
            "new": self.new,
            "new_patches": self.new_patches,
            "unmasked": self.unmasked,
            "skipped": {bad.scene_id: bad.reason for bad in self.skipped},
            "bands": list(self.bands),
            "patch_size": self.grid.patch_size,
            "gsd": self.grid.gsd,
        }


@dataclass(frozen=True, slots=True, eq=False)
class Survey:
    """What a source would add to an archive."""

    settings: Settings
    """The archive's, with what its first scenes decide."""
    found: pa.Table
    """`schema.scenes()`: all usable scenes."""
    new: pa.Table
    """Those that the archive does not hold."""
    patches: pa.Table
    """`schema.patches()`: those that the archive does not hold."""
    anew: bool
    """Whether these are all patches, and those held, of another size, are no more."""
    named: pa.Table | None
    """`schema.scenes()`: the scenes held, with levels they did not have; None: as held."""
    skipped: tuple[Skipped, ...]

    def told(self) -> Ingested:
        """In numbers."""
        return Ingested(
            self.found.num_rows,
            self.new.num_rows,
            self.patches.num_rows,
            sum(map(_unmasked, self.new["assets"].to_pylist())),
            self.skipped,
            self.settings.bands,
            self.settings.grid,
        )


def ingest(
    store: Store,
    run: Run,
    source: str,
    filters: Filters,
    options: Options,
    *,
    skip_bad: bool,
    purpose: Purpose | None = None,
) -> Ingested:
    """Add the scenes of `source` that the archive does not hold yet, and their patches.

    Scenes that are held without a processing level get the one that they now come with.

    Raises: as `survey`.
    """
    seen = survey(
        store, run.run_id, source, filters, options, skip_bad=skip_bad, purpose=purpose
    )
    if seen.named is not None:
        store.overwrite("scenes", seen.named)
    if seen.new.num_rows or seen.anew:
        if seen.anew:
            # A run that is killed from here on leaves no patches: the next makes all.
            store.drop("patches")
        store.update(seen.settings)
        # Patches first: a scene row means that its patches are there.
        if seen.patches.num_rows:
            store.append("patches", seen.patches)
        if seen.new.num_rows:
            store.append("scenes", seen.new)
    run.rows = seen.new.num_rows
    return seen.told()


def survey(
    store: Store,
    run_id: str,
    source: str,
    filters: Filters,
    options: Options,
    *,
    skip_bad: bool,
    purpose: Purpose | None = None,
) -> Survey:
    """What `ingest` would add; writes nothing.

    Raises:
        SourceError: no scenes, an unusable scene (unless `skip_bad`), or no common bands.
        ArchiveError: another sensor, level, region or band set than the archive holds, or
            scenes that do not fit the `purpose`.
    """
    table, skipped = to_table(find_scenes(source, filters, options), options, run_id)
    if skipped and not skip_bad:
        raise SourceError(_skipped_line(skipped))
    if table.num_rows == 0:
        if skipped:
            raise SourceError(_skipped_line(skipped))
        raise SourceError(
            f"no scenes in {source} for these filters; "
            "widen --bbox, --datetime, --collection, --max-cloud or --level"
        )
    settings = _settled(store.settings, table, filters.region, options, purpose)
    known = _known(store, table)
    levels.refuse_mix(store, table)
    if purpose is not None:
        purpose.check(store, settings, levels.all_scenes(store, table))
    new = table.filter(
        pa.array([scene not in known for scene in table["scene_id"].to_pylist()])
    )
    anew = bool(known) and not regrid.held_as(store, settings.grid)
    places = _places(store, new, settings, anew=anew)
    named = levels.filled(store, table)
    return Survey(settings, table, new, places, anew, named, tuple(skipped))


def _places(store: Store, new: pa.Table, settings: Settings, *, anew: bool) -> pa.Table:
    """The patches of the new scenes that the archive does not hold; `anew`: of all."""
    if anew:
        held = store.scan("scenes").read_all().select(new.column_names)
        new = pa.concat_tables(
            [held.replace_schema_metadata(None), new.replace_schema_metadata(None)]
        )
    if not new.num_rows:
        return schema.patches().empty_table()
    places = plan.patches(new, settings.grid, settings.region)
    if not places.num_rows:
        raise SourceError(
            f"the {new.num_rows} new scenes and the archive's region have no patch in "
            "common; check --bbox or --region-file"
        )
    if anew:
        return places
    ids = set(_column(store, "patches", "patch_id"))
    fresh = [patch not in ids for patch in places["patch_id"].to_pylist()]
    return places.filter(pa.array(fresh))


def _known(store: Store, table: pa.Table) -> set[str]:
    """Ids of the scenes held; one that now comes from another collection is refused."""
    if not store.exists("scenes"):
        return set()
    held = {
        row["scene_id"]: row["collection"]
        for row in store.scan("scenes", ["scene_id", "collection"])
        .read_all()
        .to_pylist()
    }
    for row in table.select(["scene_id", "collection"]).to_pylist():
        if row["collection"] != held.get(row["scene_id"], row["collection"]):
            raise ArchiveError(
                f"scene {row['scene_id']} is held from collection "
                f"{held[row['scene_id']]}, and now comes from {row['collection']}; pass "
                "--collection, or make another archive"
            )
    return set(held)


def _settled(
    settings: Settings,
    table: pa.Table,
    region: BaseGeometry | None,
    options: Options,
    purpose: Purpose | None,
) -> Settings:
    """The archive's settings with what its first scenes decide; later ones must agree."""
    sensors = sorted({str(name) for name in table["constellation"].to_pylist()})
    if settings.bands:
        sensors = sorted({*sensors, settings.constellation})
    if len(sensors) > 1:
        raise ArchiveError(
            f"one archive holds one sensor, got {' and '.join(sensors)}: their vectors do "
            "not compare; pass --collection, or make one archive for each"
        )
    bands = _common_bands(table, settings.bands or options.bands)
    if not settings.bands:
        return replace(
            settings,
            grid=_with_gsd(settings.grid, table, purpose),
            bands=bands,
            constellation=sensors[0],
            region=region,
        )
    if region is not None and (
        settings.region is None or not region.equals(settings.region)
    ):
        raise ArchiveError(
            "the archive was made for "
            + ("another region" if settings.region is not None else "whole scenes")
            + "; leave out --bbox and --region-file, or make another archive"
        )
    return settings


def _common_bands(table: pa.Table, wanted: tuple[str, ...] | None) -> tuple[str, ...]:
    """Bands that every scene has, in the order of wavelength; `wanted` if given."""
    per_scene = [set(bands) for bands in table["bands"].to_pylist()]
    common = set.intersection(*per_scene)
    if wanted:
        for scene, bands in zip(table["scene_id"].to_pylist(), per_scene, strict=True):
            if missing := [band for band in wanted if band not in bands]:
                raise SourceError(
                    f"scene {scene} lacks {' '.join(missing)}; it has "
                    f"{' '.join(sorted(bands))}; leave it out or use another archive"
                )
        return tuple(wanted)
    order = [*chip.BANDS, *sorted(common - chip.BANDS.keys())]
    shared = [band for band in order if band in common]
    if not shared:
        raise SourceError(
            "scenes have no band in common; got "
            + ", ".join(
                sorted({" ".join(sorted(bands)) for bands in per_scene})[:_SHOWN]
            )
            + "; pass --collection or --bands"
        )
    return tuple(band for band in shared if band not in _NOT_SURFACE) or tuple(shared)


def _with_gsd(grid: Grid, table: pa.Table, purpose: Purpose | None) -> Grid:
    """The grid at the scenes' own pixel size, where none was asked for."""
    if grid.gsd is not None:
        return grid
    native = float(pc.min(table["gsd"]).as_py())
    if purpose is not None:
        grid = purpose.sized(grid, native)
    # Degrees give metres such as 9.97: the nearest whole division of a patch, within 2 %.
    pixels = max(1, round(grid.patch_size / native))
    fitted = grid.patch_size / pixels
    if not np.isclose(fitted, native, rtol=0.02):
        raise ArchiveError(
            f"patch size {grid.patch_size} m is not a whole number of pixels of "
            f"{native:g} m; pass --patch-size as a multiple of {native:g}, or --gsd"
        )
    return replace(grid, gsd=fitted)


def _column(store: Store, table: str, column: str) -> list[str]:
    if not store.exists(table):
        return []
    values: list[str] = store.scan(table, [column]).read_all()[column].to_pylist()
    return values


def _skipped_line(skipped: list[Skipped]) -> str:
    """Scenes and reasons in one line; scenes of one reason together."""
    by_reason: dict[str, list[str]] = {}
    for bad in skipped:
        by_reason.setdefault(bad.reason, []).append(bad.scene_id)
    told = [f"{_named(scenes)}: {why}" for why, scenes in by_reason.items()]
    shown = "; ".join(told[:_SHOWN])
    if len(told) > _SHOWN:
        shown += f"; and {len(told) - _SHOWN} more reasons"
    what = "scene" if len(skipped) == 1 else "scenes"
    return f"{len(skipped)} unusable {what} ({shown}); pass --skip-bad to go on without"


def _unmasked(assets: list[dict[str, Any]]) -> bool:
    return not any(asset["band"].startswith("mask:") for asset in assets)


def _named(scenes: list[str]) -> str:
    return scenes[0] if len(scenes) == 1 else f"{scenes[0]} and {len(scenes) - 1} more"
