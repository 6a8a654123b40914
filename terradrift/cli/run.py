"""`terradrift run`: the main job, from a source to ranked events."""

from typing import TYPE_CHECKING

from terradrift.cli import choice as choices
from terradrift.cli import options as opt
from terradrift.cli.make import (
    archive_at,
    parsed,
    reading,
    reported,
    show_plan,
    take_in,
    told,
)
from terradrift.cli.output import rows, say

if TYPE_CHECKING:
    import pyarrow as pa

    from terradrift.archive.choosing import Choice
    from terradrift.archive.ingesting import Ingested

_COLUMNS = [
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
"""Of events in JSON."""
_IN_WORDS = (
    *("rank", "event_id", "start", "persistence"),
    *("area_km2", "min_p_value", "label"),
)
"""Of events in a table: about 100 characters; JSON, SQL and the report have the rest."""
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
    tokens: opt.Tokens = False,
    chip_size: opt.ChipSize = None,
    token_size: opt.TokenSize = None,
    overlap: opt.Overlap = None,
    dates: opt.Dates = None,
    allow_mismatch: opt.AllowMismatch = False,
    max_false_alarms: opt.MaxFalseAlarms = None,
    device: opt.Device = "auto",
    precision: opt.Precision = "auto",
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
    how = choices.how(
        tokens=tokens,
        chip_size=chip_size,
        token_size=token_size,
        overlap=overlap,
        dates=dates,
        allow_mismatch=allow_mismatch,
    )
    rule = reported(max_false_alarms)
    from terradrift.archive.purpose import Purpose

    size, sizes = choices.suited(archive, patch_size, gsd, model, how)
    opened = archive_at(archive, size, gsd, crs, dry_run=True)
    chosen = choices.known(opened, model, how, device, precision)
    by_model = sizes or size != patch_size
    if not dry_run:
        opened = archive_at(archive, size, gsd, crs)
    filters = {
        "bbox": bbox,
        "region": region_file,
        "datetime": datetime,
        "collection": collection or (),
        "max_cloud": max_cloud,
    }
    read = reading(mask, boa_offset, scale, bands, pattern, level)
    if dry_run:
        done, plan = opened.preview(
            source,
            model=model,
            how=how,
            options=parsed(filters, read),
            skip_bad=skip_bad,
            sizes=sizes,
            **filters,
        )
        told(done, quiet=quiet)
        _sized(done, chosen, quiet=quiet or not by_model)
        show_plan(plan, as_json=as_json)
        return
    purpose = Purpose(chosen, sizes)
    done = take_in(
        opened, source, filters, read, skip_bad=skip_bad, quiet=quiet, purpose=purpose
    )
    _sized(done, chosen, quiet=quiet or not by_model)
    say(opened.plan(model, **how), quiet=quiet)
    choices.known(opened, model, how, device, precision)
    embedded = opened.embed(
        model,
        device=device,
        precision=precision,
        threads=threads,
        skip_bad=skip_bad,
        quiet=quiet,
        **how,
    )
    say(embedded, quiet=quiet)
    name = chosen.stored
    detected = opened.detect(name, threads=threads, quiet=quiet, **rule)
    say(detected, quiet=quiet)
    say(opened.cluster(name, threads=threads, quiet=quiet), quiet=quiet)
    events(opened.events(None if as_json else _TOP), as_json=as_json)


def events(found: "pa.Table", *, as_json: bool) -> None:
    """Print events: as JSON lines, or a table that fits a terminal."""
    rows(found, _COLUMNS if as_json else _IN_WORDS, as_json=as_json)


def _sized(done: "Ingested", chosen: "Choice", *, quiet: bool) -> None:
    """Say which patch size the model has settled."""
    from terradrift.archive import choosing

    size = done.grid.patch_size
    if choosing.patch_size(chosen, done.grid.gsd or 0.0) == size:
        say(f"patches of {size} m: one vector of {chosen.stored} each", quiet=quiet)
