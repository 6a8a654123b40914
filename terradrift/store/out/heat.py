"""Heat-maps out of the archive as Cloud-Optimised GeoTIFF: a pixel is a patch.

`heat_EPSG.tif` has a band each of score, onset, kind, judged and regime, `kind_EPSG.tif` the
kinds with a colour table. In an overview the patch with the highest score stands for all
that it covers, so that no change vanishes far out.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from terradrift import schema
from terradrift.errors import ArchiveError
from terradrift.grid import parse_id
from terradrift.store import layout
from terradrift.store.layout import Layout
from terradrift.store.out import cog, existing, folder, part
from terradrift.store.out.folder import Manifest
from terradrift.store.out.leaving import Leaving
from terradrift.store.out.virtual import Band
from terradrift.store.out.zone import Zone, zones

BANDS = (
    Band("score", "", "strongest change of the patch, reported or not"),
    Band("onset", "days since 1970-01-01", "when that change began"),
    Band("kind", "", "kind of the strongest reported change"),
    Band("judged", "", "1: there is a score; 0: there is a reason why not"),
    Band("regime", "", "regime of the patch in the taxonomy"),
)
_KIND = 2
_TIF = ".tif"


def export(
    leaving: Leaving,
    target: Path,
    *,
    kinds: Sequence[tuple[int, str]] = (),
    overwrite: bool = False,
    advance: Callable[[int], None] = lambda _rows: None,
) -> int:
    """Write a map per CRS into the folder `target`, or the one map there is to a .tif.

    `kinds` are numbers and names. Returns the number of patches.

    Raises:
        ArchiveError: detect was not run, no rows, several CRSs for one file, or `target`
            may not or cannot be written.
    """
    if leaving.table != "patch_changes":
        raise ArchiveError(
            f"{leaving.store.root} has no scores of patches; run terradrift detect first"
        )
    alone = target.suffix.lower() == _TIF
    existing.free(target, folder=not alone, overwrite=overwrite)
    of_zone = zones(
        set(layout.layout(leaving.dataset).runs), leaving.store.settings.grid
    )
    if alone and len(of_zone) > 1:
        raise ArchiveError(
            f"the archive lies in {len(of_zone)} CRSs ({_epsgs(of_zone)}), a map each; "
            "give a folder and --to cog"
        )
    try:
        with part.whole(target) as made:
            work = made.with_name("work") if alone else made
            work.mkdir()
            rows = _maps(leaving, work, of_zone, kinds, advance)
            if alone:
                (work / _name("heat", next(iter(of_zone)))).replace(made)
            return rows
    except OSError as error:
        raise ArchiveError(
            f"cannot write {target}: {error.strerror or error}; check the space there"
        ) from error


def _epsgs(of_zone: Mapping[int, Zone]) -> str:
    return ", ".join(f"EPSG:{epsg}" for epsg in of_zone)


def _name(what: str, epsg: int) -> str:
    return f"{what}_{epsg}{_TIF}"


def _maps(
    leaving: Leaving,
    made: Path,
    of_zone: Mapping[int, Zone],
    kinds: Sequence[tuple[int, str]],
    advance: Callable[[int], None],
) -> int:
    beside = _Beside.of(leaving)
    raw = made / ".work"
    raw.mkdir()
    rows = 0
    with cog.Canvases(raw, of_zone, BANDS) as canvases:
        for block in leaving.blocks():
            epsg = parse_id(block.tile)[0]
            zone = of_zone[epsg]
            row, col = zone.within(block.tile, block.rows["patch_id"])
            window = np.full((len(BANDS), zone.side, zone.side), np.nan, np.float32)
            window[:, row, col] = _values(block.rows, block.tile, beside)
            canvases.put(epsg, zone.corner(block.tile), window)
            rows += block.rows.num_rows
            advance(block.rows.num_rows)
        if not rows:
            raise ArchiveError("no rows are left to write; widen the filters")
        files = canvases.finish(made)
    with Manifest(made, "cog", folder.about(leaving)) as manifest:
        for epsg, heat in files.items():
            path = heat.rename(made / _name("heat", epsg))
            manifest.add(path, bands=[band.name for band in BANDS], epsg=epsg)
            coloured = made / _name("kind", epsg)
            cog.coloured(path, _KIND, coloured, kinds)
            manifest.add(coloured, bands=[BANDS[_KIND].name], epsg=epsg)
    raw.rmdir()
    return rows


@dataclass(frozen=True, slots=True, eq=False)
class _Beside:
    """Tables that tell more of patches, where they are there."""

    changes: Layout | None
    regimes: Layout | None

    @classmethod
    def of(cls, leaving: Leaving) -> "_Beside":
        def found(name: str) -> Layout | None:
            table = f"{name}_{schema.suffix(leaving.model)}"
            if not leaving.store.exists(table):
                return None
            return layout.layout(leaving.store.dataset(table))

        return cls(found("changes"), found("regimes"))


def _values(rows: pa.Table, tile: str, beside: _Beside) -> NDArray[np.float32]:
    """(5, n) values of `BANDS` of the patches."""
    score = _floats(rows["score"])
    onset = rows["onset"].to_numpy()
    days = onset.astype("M8[D]").astype(np.int64).astype(np.float32)
    days[np.isnat(onset)] = np.nan
    names = rows["patch_id"]
    return np.stack(
        [
            score,
            days,
            _kind(names, tile, beside.changes),
            np.isfinite(score).astype(np.float32),
            _looked_up(names, tile, beside.regimes, "regime"),
        ]
    )


def _kind(
    names: pa.ChunkedArray, tile: str, changes: Layout | None
) -> NDArray[np.float32]:
    """The kind of each patch's strongest change; NaN where it has none."""
    held = _of_tile(changes, tile, ["patch_id", "score", "kind"])
    if held is None:
        return np.full(len(names), np.nan, np.float32)
    # The first of a name is the strongest.
    held = held.sort_by([("score", "descending")]).combine_chunks()
    return _floats(held["kind"].take(pc.index_in(names, value_set=held["patch_id"])))


def _looked_up(
    names: pa.ChunkedArray, tile: str, found: Layout | None, column: str
) -> NDArray[np.float32]:
    held = _of_tile(found, tile, ["patch_id", column])
    if held is None:
        return np.full(len(names), np.nan, np.float32)
    return _floats(held[column].take(pc.index_in(names, value_set=held["patch_id"])))


def _of_tile(found: Layout | None, tile: str, columns: list[str]) -> pa.Table | None:
    if found is None or tile not in found.runs:
        return None
    return layout.read_table(found.dataset, columns, found.runs[tile]).combine_chunks()


def _floats(column: pa.ChunkedArray) -> NDArray[np.float32]:
    found: NDArray[np.float32] = pc.cast(column, pa.float32()).to_numpy()
    return found
