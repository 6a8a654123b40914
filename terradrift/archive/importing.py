"""`import`: whatever made a file, its rows come into an archive, made where there is none."""

import re
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from terradrift.archive import moving
from terradrift.archive.front import Archive
from terradrift.archive.opening import create, open_archive
from terradrift.archive.runs import recorded
from terradrift.errors import ArchiveError, SchemaError
from terradrift.grid import Grid
from terradrift.store import settings
from terradrift.store.footer import TERRADRIFT as FOOTER
from terradrift.store.majortom.source import is_published
from terradrift.store.published import arrive as tables
from terradrift.store.published import files, forms
from terradrift.store.published.arrive import Asked
from terradrift.store.published.table import described, recognised
from terradrift.store.rasters import arrive as rasters
from terradrift.store.rasters import products
from terradrift.store.tables import Store

FORMS = (moving.TERRADRIFT, moving.MAJOR_TOM, *forms.NAMES, *products.NAMES)
"""What can be imported, by name."""
_GRID = re.compile(r"terradrift (\S+) (\d+) m$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """What an import is told; None: as the files tell."""

    form: str | None = None
    """One of `FORMS`."""
    what: str = "embeddings"
    """Of what `export` wrote: embeddings, changes or events."""
    model: str | None = None
    patch_size: int | None = None
    """Metres, of an archive that is made."""
    date: str | None = None
    years: str | None = None
    footprints: str | None = None
    """Major TOM: `transposed` or `right`."""
    clear_percent: float | None = None
    dry_run: bool = False

    def __post_init__(self) -> None:
        if self.form is not None and self.form not in FORMS:
            raise ValueError(
                f"form must be one of {', '.join(FORMS)}, got {self.form!r}"
            )

    @property
    def asked(self) -> Asked:
        """Its part that published tables and rasters are told."""
        return Asked(
            form=self.form,
            model=self.model,
            date=self.date,
            years=self.years,
            clear_percent=self.clear_percent,
        )

    def told(self) -> dict[str, Any]:
        """What was said, for the record of the run."""
        return {key: value for key, value in asdict(self).items() if value}

    def only(self, form: str, *names: str) -> None:
        """Refuse what a form has no use for.

        Raises:
            ValueError: something other than `names` was said.
        """
        for name in (
            "model",
            "patch_size",
            "date",
            "years",
            "footprints",
            "clear_percent",
        ):
            if getattr(self, name) is not None and name not in names:
                raise ValueError(
                    f"--{name.replace('_', '-')} does not go with {form}; leave it out"
                )


def bring(where: Path | Archive, paths: Sequence[str | Path], request: Request) -> str:
    """Add files to an archive, or to the one in a folder; says what was done.

    Where there is none one is made, once all files were opened and understood.

    Raises:
        ArchiveError, SchemaError: a file that cannot be read, or is of no known form; an
            archive whose patches do not go with it.
        ModelMismatchError: vectors of another model than the archive's of that name.
        ValueError: an option out of range, or one that the form has no use for.
    """
    form = request.form or form_of(paths)
    if request.what != "embeddings" and form != moving.TERRADRIFT:
        raise ValueError(f"{form} publishes embeddings, got --what {request.what}")
    archive, folder = (
        (where, where.store.root) if isinstance(where, Archive) else (None, where)
    )
    if archive is None and (folder / settings.NAME).exists():
        archive = open_archive(folder)
    if form == moving.TERRADRIFT:
        request.only(form)
        return _own(folder, archive, paths, request)
    if form == moving.MAJOR_TOM:
        request.only(form, "model", "footprints", "clear_percent", "patch_size")
        return _major_tom(folder, archive, paths, request)
    store = archive.store if archive else None
    if form in products.NAMES:
        request.only(form, "model", "patch_size", "date", "years")
        return _rasters(folder, store, paths, request)
    request.only(form, "model", "patch_size", "date", "years", "clear_percent")
    return _tables(folder, store, paths, request)


def form_of(paths: Sequence[str | Path]) -> str:
    """What made the first of the files: by its columns, footer or pixels.

    Raises:
        ArchiveError: it is not there, or neither Parquet nor raster.
        SchemaError: of no known form.
    """
    first = files.found(paths, (*files.PARQUET, *files.RASTER))[0]
    if first.path.suffix.lower() in files.RASTER:
        return products.RASTER
    columns, said, _ = described(first)
    if is_published(columns):
        return moving.MAJOR_TOM
    if FOOTER in said:
        return moving.TERRADRIFT
    form = recognised(first, columns, said.get("emb", {}))
    if form is None:
        raise SchemaError(
            f"{first.path} is of no form that is known: expected what export wrote (footer "
            f"terradrift), Major TOM, or geometry with embedding or embeddings; it has "
            f"{', '.join(columns.names)}"
        )
    return form


def _beside(folder: Path) -> Path:
    """Where files without a name may lie before the archive is there."""
    return next(one for one in folder.absolute().parents if one.is_dir())


def _size(request: Request, grid: Grid) -> None:
    if request.patch_size not in (None, grid.patch_size):
        raise ArchiveError(
            f"the archive has patches of {grid.patch_size} m, got --patch-size "
            f"{request.patch_size}; leave it out, or import into another archive"
        )


def _own(
    folder: Path,
    archive: Archive | None,
    paths: Sequence[str | Path],
    request: Request,
) -> str:
    found = files.found(paths, files.PARQUET)
    if request.dry_run:
        rows = sum(described(one)[2] for one in found)
        return f"terradrift: {rows:,} rows in {len(found):,} files; nothing was written"
    archive = archive or create(folder, _grid_of(found[0]))
    count = archive.import_table(*(one.path for one in found), what=request.what)
    several = f"{len(found):,} files" if len(found) > 1 else str(found[0].path)
    return f"{count:,} {request.what} from {several}"


def _grid_of(file: files.File) -> Grid:
    """The grid that an exported file is of, by its footer.

    Raises:
        SchemaError: it does not say.
    """
    _, said, _ = described(file)
    layout = said.get("emb", {}).get("emb:chip_layout", {})
    match = _GRID.match(str(layout.get("grid_id", "")))
    if match is None:
        raise SchemaError(
            f"{file.path} does not say of which grid it is; make an archive for it first: "
            "terradrift.create(path, Grid(patch_size, gsd))"
        )
    size = int(match[2])
    px = (layout.get("chip_size") or [None])[0]
    return Grid(size, gsd=size / px if px else None, crs=match[1])


def _major_tom(
    folder: Path,
    archive: Archive | None,
    paths: Sequence[str | Path],
    request: Request,
) -> str:
    words = []
    for file in files.found(paths, files.PARQUET):
        if request.dry_run:
            words.append(
                f"major-tom: {described(file)[2]:,} rows in {file.path}; nothing was written"
            )
            continue
        told: dict[str, Any] = {
            "model": request.model,
            "footprints": request.footprints,
            "clear_percent": request.clear_percent,
        }
        if archive is None and request.patch_size is not None:
            archive = create(folder, Grid(patch_size=request.patch_size))
        if archive is None:
            done = moving.import_major_tom(folder, file.path, **told)
            archive = open_archive(folder)
        else:
            done = archive.import_major_tom(file.path, **told)
        words.append(str(done))
    return "\n".join(words)


def _tables(
    folder: Path,
    there: Store | None,
    paths: Sequence[str | Path],
    request: Request,
) -> str:
    asked = request.asked
    opened = tables.tables(paths, asked)
    grid = there.settings.grid if there else tables.grid_for(opened, request.patch_size)
    _size(request, grid)
    if request.dry_run:
        first = opened[0]
        rows = sum(one.rows for one in opened)
        return (
            f"{first.form.name}: {rows:,} rows of {first.identity['model']}, "
            f"{first.dimensions} numbers, in {len(opened):,} files; instants by "
            f"{first.told_by}; patches of {grid.patch_size} m; about "
            f"{rows * first.dimensions * 2 / 1e6:,.0f} MB of vectors, and as much for the time "
            "of the import; nothing was written"
        )
    gathered = tables.gathered(
        opened, asked, grid, there.root if there else _beside(folder)
    )
    store = there or create(folder, grid).store
    with recorded(store, "import", _told(paths, request)) as run:
        done = tables.pour(store, opened, asked, gathered, run_id=run.run_id)
        run.rows, run.message = done.rows, str(done)
    return str(done)


def _rasters(
    folder: Path,
    there: Store | None,
    paths: Sequence[str | Path],
    request: Request,
) -> str:
    asked = request.asked
    opened = rasters.rasters(paths, asked)
    if there is None or there.settings.grid.gsd is None:
        size = request.patch_size
        if there is not None:
            size = there.settings.grid.patch_size
        grid = rasters.grid_for(opened, size)
    else:
        grid = there.settings.grid
    _size(request, grid)
    if request.dry_run:
        first = opened[0]
        pixels = sum(one.height * one.width for one in opened)
        count = pixels // grid.patch_px**2
        return (
            f"{first.product.name}: {len(opened):,} rasters of {first.identity['model']}, "
            f"{first.product.bands} bands; instants by {first.told_by}; at most about "
            f"{count:,} patches of {grid.patch_size} m and their dates, "
            f"{count * first.product.bands * 2 / 1e6:,.0f} MB; nothing was written"
        )
    store = there or create(folder, grid).store
    with recorded(store, "import", _told(paths, request)) as run:
        done = rasters.pour(store, opened, run_id=run.run_id)
        run.rows, run.message = done.rows, str(done)
    return str(done)


def _told(paths: Sequence[str | Path], request: Request) -> dict[str, Any]:
    return {"paths": [str(path) for path in paths], **request.told()}
