"""The verbs that fill an archive: ingest, embed, detect, cluster."""

from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Any

import typer

from terradrift.cli import choice as choices
from terradrift.cli import options as opt
from terradrift.cli.output import line, rows, say, usage

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from terradrift.archive import Archive
    from terradrift.archive.detecting import Detected
    from terradrift.archive.ingesting import Ingested
    from terradrift.archive.methods.method import Judged
    from terradrift.archive.purpose import Purpose
    from terradrift.grid import Grid
    from terradrift.ingest.plan import Plan
    from terradrift.ingest.scene import Options

_OWN_OPTIONS = {
    "model", "method", "since", "until", "maps", "device", "threads", "quiet"
}  # fmt: skip


def archive_at(
    path: "Path",
    patch_size: int | None,
    gsd: float | None,
    crs: str | None,
    *,
    dry_run: bool = False,
) -> "Archive":
    """Open the archive at `path`, or make it; a grid given must be the archive's own.

    With `dry_run` one that is not there yet is not made. An archive without scenes takes
    the grid given, one without vectors the patch size; they are written when scenes are.
    """
    import terradrift as td
    from terradrift.archive import regrid
    from terradrift.errors import ArchiveError
    from terradrift.store.tables import Settings, Store

    asked = {"patch_size": patch_size, "gsd": gsd, "crs": crs}
    given: dict[str, Any] = {
        name: value for name, value in asked.items() if value is not None
    }
    if not (path / "archive.json").exists():
        with usage():
            grid = replace(td.Grid(), **given)
        if dry_run:
            return td.Archive(Store(path, Settings(grid=grid)))
        return _with_grid(td.create(path), grid)
    archive = td.open(path)
    held = archive.store.settings.grid
    if given and not archive.store.exists("scenes"):
        with usage():
            return _with_grid(archive, replace(held, **given))
    free = {"patch_size"} if regrid.free(archive.store) else set()
    for name, value in given.items():
        if name not in free and value != getattr(held, name):
            raise ArchiveError(
                f"{path} has a grid with {name.replace('_', ' ')} {getattr(held, name)}, got "
                f"{value}; leave the option out, or make another archive"
            )
    with usage():
        return _with_grid(archive, replace(held, **given)) if given else archive


def _with_grid(archive: "Archive", grid: "Grid") -> "Archive":
    """The archive as it is to become: its settings are written with the next scenes."""
    import terradrift as td
    from terradrift.store.tables import Store

    settings = replace(archive.store.settings, grid=grid)
    return td.Archive(Store(archive.store.root, settings))


def take_in(
    archive: "Archive",
    source: str,
    filters: "Mapping[str, Any]",
    reading: "Mapping[str, Any]",
    *,
    skip_bad: bool,
    quiet: bool,
    purpose: "Purpose | None" = None,
) -> "Ingested":
    """Ingest and say what was found."""
    options = parsed(filters, reading)
    done = archive.ingest(
        source, **filters, options=options, skip_bad=skip_bad, purpose=purpose
    )
    told(done, quiet=quiet)
    return done


def parsed(filters: "Mapping[str, Any]", reading: "Mapping[str, Any]") -> "Options":
    """The reader's options, once they and the filters are known to be well formed."""
    from terradrift.archive.request import filters as parse
    from terradrift.ingest.scene import Options

    with usage():
        parse(**filters)
        return Options(**reading)


def told(done: "Ingested", *, quiet: bool) -> None:
    """Say what was found, and always what was left out."""
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
    as_json: opt.Json = False,
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
    done = take_in(
        archive_at(archive, patch_size, gsd, crs),
        source,
        filters,
        reading(mask, boa_offset, scale, bands, pattern, level),
        skip_bad=skip_bad,
        quiet=quiet,
    )
    if as_json:
        line(done.summary())


def embed(
    archive: opt.ArchivePath,
    model: opt.Model = None,
    tokens: opt.Tokens = False,
    chip_size: opt.ChipSize = None,
    token_size: opt.TokenSize = None,
    overlap: opt.Overlap = None,
    dates: opt.Dates = None,
    allow_mismatch: opt.AllowMismatch = False,
    device: opt.Device = "auto",
    precision: opt.Precision = "auto",
    threads: opt.Threads = None,
    ray: opt.Ray = None,
    ray_workers: opt.RayWorkers = None,
    ray_gpus: opt.RayGpus = 0.0,
    skip_bad: opt.SkipBad = False,
    dry_run: opt.DryRun = False,
    as_json: opt.Json = False,
    quiet: opt.Quiet = False,
) -> None:
    """Embed every observation that ARCHIVE does not hold yet; resumable."""
    import terradrift as td

    how = choices.how(
        tokens=tokens,
        chip_size=chip_size,
        token_size=token_size,
        overlap=overlap,
        dates=dates,
        allow_mismatch=allow_mismatch,
    )
    opened = td.open(archive)
    choices.known(opened, model, how, None if ray else device, precision)
    if dry_run:
        show_plan(opened.plan(model, **how), as_json=as_json)
        return
    done = opened.embed(
        model,
        device=device,
        precision=precision,
        threads=threads,
        skip_bad=skip_bad,
        quiet=quiet,
        ray=ray,
        ray_workers=ray_workers,
        ray_gpus=ray_gpus,
        **how,
    )
    say(done, quiet=quiet)
    if as_json:
        line(done.summary())


def reported(max_false_alarms: float | None) -> dict[str, Any]:
    """The rule of what is reported as settings of `detect`, checked; none by default."""
    if max_false_alarms is None:
        return {}
    from terradrift.detect.settings import Settings

    with usage():
        Settings(max_false_alarms=max_false_alarms)
    return {"max_false_alarms": max_false_alarms}


def detect(
    archive: opt.ArchivePath,
    model: opt.Model = None,
    max_false_alarms: opt.MaxFalseAlarms = None,
    min_segment: opt.MinSegment = None,
    method: opt.Method = None,
    since: opt.Since = None,
    until: opt.Until = None,
    maps: opt.Maps = None,
    given: opt.Set = None,
    device: opt.Device = "auto",
    threads: opt.Threads = None,
    as_json: opt.Json = False,
    quiet: opt.Quiet = False,
) -> None:
    """Score every observation of ARCHIVE and find changes and events.

    With --method another method judges every observation, beside what detect says.
    """
    import terradrift as td

    opened = td.open(archive)
    done: Detected | Judged
    if method is None:
        alone = {"since": since, "until": until, "maps": maps, "set": given or None}
        with usage():
            methods_only({**alone, "device": device})
        rule = reported(max_false_alarms)
        if min_segment is not None:
            rule["min_segment"] = min_segment
        done = opened.detect(model, threads=threads, quiet=quiet, **rule)
    else:
        if max_false_alarms is not None:
            raise typer.BadParameter(
                "--max-false-alarms rules what detect reports, and a method reports no "
                "changes; leave it or --method out"
            )
        if min_segment is not None:
            raise typer.BadParameter(
                "--min-segment rules which changes detect finds; leave it or --method out"
            )
        with usage():
            done = opened.detect(
                model,
                method=method,
                since=since,
                until=until,
                maps=maps,
                device=device,
                threads=threads,
                quiet=quiet,
                **pairs(given or ()),
            )
    say(done, quiet=quiet)
    if as_json:
        line(done.summary())


def pairs(given: "Sequence[str]") -> dict[str, Any]:
    """Settings as text by name; what has an option of its own is none."""
    from terradrift.archive.methods import setting_values

    found = setting_values.pairs(given)
    if own := sorted(found.keys() & _OWN_OPTIONS):
        raise ValueError(f"pass --{own[0]} instead of --set {own[0]}=")
    return dict(found)


def methods_only(given: "Mapping[str, Any]") -> None:
    """Refuse options that only go with a method."""
    from terradrift.archive.methods import dispatch as methods

    methods.refuse_alone(given)


def cluster(
    archive: opt.ArchivePath,
    model: opt.Model = None,
    assign: Annotated[
        bool,
        typer.Option(
            "--assign", help="Fit nothing: give changes the kinds of the last fit."
        ),
    ] = False,
    selection: Annotated[
        str | None,
        typer.Option(
            help="eom: kinds that last longest (default); leaf: the smallest."
        ),
    ] = None,
    min_size: Annotated[
        int | None, typer.Option(help="Fewest changes of a kind.")
    ] = None,
    threads: opt.Threads = None,
    as_json: opt.Json = False,
    quiet: opt.Quiet = False,
) -> None:
    """Group the changes of ARCHIVE into kinds; those that live on keep number and name."""
    import terradrift as td
    from terradrift.cli.kinds import COLUMNS

    asked = {"selection": selection, "min_cluster_size": min_size}
    settings = {name: value for name, value in asked.items() if value is not None}
    opened = td.open(archive)
    with usage():
        done = opened.cluster(
            model, assign=assign, threads=threads, quiet=quiet, **settings
        )
    say(done, quiet=quiet)
    rows(opened.kinds(model), COLUMNS, as_json=as_json)
