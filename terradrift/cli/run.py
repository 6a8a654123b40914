"""`terradrift run`: the main job, from a source to ranked events."""

from terradrift.cli import options as opt
from terradrift.cli.make import (
    archive_at,
    known,
    parsed,
    reading,
    show_plan,
    take_in,
    told,
)
from terradrift.cli.output import rows, say

EVENT_COLUMNS = [
    "rank",
    "event_id",
    "start",
    "peak",
    "persistence",
    "n_patches",
    "area_km2",
    "max_score",
    "min_p_value",
    "kind",
    "label",
    "longitude",
    "latitude",
]
_TOP = 20


def run(
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
    model: opt.Model = None,
    device: opt.Device = "auto",
    threads: opt.Threads = None,
    skip_bad: opt.SkipBad = False,
    dry_run: opt.DryRun = False,
    as_json: opt.Json = False,
    quiet: opt.Quiet = False,
) -> None:
    """Ingest, embed, detect and cluster: from SOURCE to ranked events in ARCHIVE.

    Run it again when there are new scenes, or after an interruption: only what is missing
    is read.
    """
    known(model, device)
    opened = archive_at(archive, patch_size, gsd, crs, dry_run=dry_run)
    filters = {
        "bbox": bbox,
        "region": region_file,
        "datetime": datetime,
        "collection": collection or (),
        "max_cloud": max_cloud,
    }
    how = reading(mask, boa_offset, scale, bands, pattern, level)
    if dry_run:
        done, plan = opened.preview(
            source,
            model=model,
            options=parsed(filters, how),
            skip_bad=skip_bad,
            **filters,
        )
        told(done, quiet=quiet)
        show_plan(plan, as_json=as_json)
        return
    take_in(opened, source, filters, how, skip_bad=skip_bad, quiet=quiet)
    say(opened.plan(model), quiet=quiet)
    embedded = opened.embed(
        model, device=device, threads=threads, skip_bad=skip_bad, quiet=quiet
    )
    say(embedded, quiet=quiet)
    say(opened.detect(model, threads=threads, quiet=quiet), quiet=quiet)
    say(opened.cluster(model, threads=threads, quiet=quiet), quiet=quiet)
    rows(opened.events(None if as_json else _TOP), EVENT_COLUMNS, as_json=as_json)
