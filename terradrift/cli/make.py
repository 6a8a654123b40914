"""The verbs that fill an archive: ingest, embed, detect, cluster."""

from typing import TYPE_CHECKING, Any

from terradrift.cli import options as opt
from terradrift.cli.output import line, rows, say, usage

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from terradrift.archive import Archive
    from terradrift.ingest.plan import Plan


def archive_at(
    path: "Path", patch_size: int | None, gsd: float | None, crs: str | None
) -> "Archive":
    """Open the archive at `path`, or make it; a grid given must be the archive's own."""
    import terradrift as td
    from terradrift.errors import ArchiveError

    if not (path / "archive.json").exists():
        with usage():
            grid = td.Grid(160 if patch_size is None else patch_size, gsd, crs or "utm")
        return td.create(path, grid)
    archive = td.open(path)
    held = archive.store.settings.grid
    asked = {"patch_size": patch_size, "gsd": gsd, "crs": crs}
    for name, value in asked.items():
        if value is not None and value != getattr(held, name):
            raise ArchiveError(
                f"{path} has a grid with {name.replace('_', ' ')} {getattr(held, name)}, got "
                f"{value}; leave the option out, or make another archive"
            )
    return archive


def take_in(
    archive: "Archive",
    source: str,
    filters: "Mapping[str, Any]",
    reading: "Mapping[str, Any]",
    *,
    skip_bad: bool,
    quiet: bool,
) -> None:
    """Ingest and say what was found."""
    from terradrift.archive.request import filters as parse
    from terradrift.ingest.scene import Options

    with usage():
        parse(**filters)
        options = Options(**reading)
    done = archive.ingest(source, **filters, options=options, skip_bad=skip_bad)
    say(done, quiet=quiet)
    for bad in done.skipped:
        say(f"skipped {bad.scene_id}: {bad.reason}")


def reading(
    mask: str,
    boa_offset: float | None,
    scale: float | None,
    bands: str | None,
    pattern: str | None,
    level: str | None,
) -> dict[str, object]:
    """Options of the reader as keyword arguments."""
    return {
        "mask": mask,
        "boa_offset": boa_offset,
        "scale": scale,
        "bands": tuple(bands.split(",")) if bands else None,
        "pattern": pattern,
        "level": level,
    }


def show_plan(plan: "Plan", *, as_json: bool) -> None:
    """What would be read, counted."""
    if as_json:
        line(plan.summary())
    else:
        print(plan)


def ingest(
    archive: opt.ArchivePath,
    source: opt.Source,
    patch_size: opt.PatchSize = None,
    gsd: opt.Gsd = None,
    crs: opt.Crs = None,
    bbox: opt.Bbox = None,
    region_file: opt.RegionFile = None,
    datetime: opt.Datetime = None,
    collection: opt.Collection = None,
    max_cloud: opt.MaxCloud = None,
    mask: opt.Mask = "auto",
    boa_offset: opt.BoaOffset = None,
    scale: opt.Scale = None,
    bands: opt.Bands = None,
    pattern: opt.Pattern = None,
    level: opt.Level = None,
    skip_bad: opt.SkipBad = False,
    quiet: opt.Quiet = False,
) -> None:
    """Add a source's scenes to ARCHIVE (metadata only, no pixels)."""
    filters = {
        "bbox": bbox,
        "region": region_file,
        "datetime": datetime,
        "collection": collection or (),
        "max_cloud": max_cloud,
    }
    take_in(
        archive_at(archive, patch_size, gsd, crs),
        source,
        filters,
        reading(mask, boa_offset, scale, bands, pattern, level),
        skip_bad=skip_bad,
        quiet=quiet,
    )


def embed(
    archive: opt.ArchivePath,
    model: opt.Model = None,
    device: opt.Device = "auto",
    threads: opt.Threads = None,
    skip_bad: opt.SkipBad = False,
    dry_run: opt.DryRun = False,
    as_json: opt.Json = False,
    quiet: opt.Quiet = False,
) -> None:
    """Embed every observation that ARCHIVE does not hold yet; resumable."""
    import terradrift as td

    opened = td.open(archive)
    if dry_run:
        show_plan(opened.plan(model), as_json=as_json)
        return
    done = opened.embed(
        model, device=device, threads=threads, skip_bad=skip_bad, quiet=quiet
    )
    say(done, quiet=quiet)


def detect(
    archive: opt.ArchivePath,
    model: opt.Model = None,
    threads: opt.Threads = None,
    as_json: opt.Json = False,
    quiet: opt.Quiet = False,
) -> None:
    """Score every observation of ARCHIVE and find changes and events."""
    import terradrift as td

    done = td.open(archive).detect(model, threads=threads, quiet=quiet)
    say(done, quiet=quiet)
    if as_json:
        line(done.summary())


def cluster(
    archive: opt.ArchivePath,
    model: opt.Model = None,
    as_json: opt.Json = False,
    quiet: opt.Quiet = False,
) -> None:
    """Group the changes of ARCHIVE into kinds."""
    import terradrift as td

    opened = td.open(archive)
    opened.cluster(model, quiet=quiet)
    rows(
        opened.sql("SELECT * FROM kinds ORDER BY kind").to_arrow_table(),
        ["kind", "parent", "size", "stability", "label", "description"],
        as_json=as_json,
    )
