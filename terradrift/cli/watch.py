"""`terradrift watch`: judge what is new by what was known before it, and raise alerts."""

from pathlib import Path
from typing import Annotated, Any

import typer

from terradrift.cli import options as opt
from terradrift.cli.output import rows, say, usage

SHOWN = [
    "patch_id",
    "detected",
    "onset",
    "cusum",
    "false_alarms",
    "status",
    "longitude",
    "latitude",
]
"""Columns that fit a terminal; JSON lines have all but the shape."""


def watch(
    archive: opt.ArchivePath,
    source: Annotated[
        str | None,
        typer.Argument(
            metavar="[SOURCE]",
            help="Where new scenes come from; left out: those in ARCHIVE already.",
        ),
    ] = None,
    start: Annotated[
        str | None,
        typer.Option(
            metavar="DATE",
            help="First day to judge; learn from all before [default: all held now].",
        ),
    ] = None,
    max_false_alarms: Annotated[
        float | None,
        typer.Option(
            metavar="N",
            help="Alerts that unchanged ground may raise per 1,000 km2 and year [default: 1000].",
        ),
    ] = None,
    bbox: opt.Bbox = None,
    region_file: opt.RegionFile = None,
    datetime: opt.Datetime = None,
    collection: opt.Collection = None,
    max_cloud: opt.MaxCloud = None,
    model: opt.Model = None,
    device: opt.Device = "auto",
    precision: opt.Precision = "auto",
    threads: opt.Threads = None,
    skip_bad: opt.SkipBad = False,
    output: Annotated[
        Path | None,
        typer.Option("--output", "-o", help="GeoJSON of all alerts to write."),
    ] = None,
    as_json: opt.Json = False,
    quiet: opt.Quiet = False,
) -> None:
    """Judge new days of ARCHIVE by what was known before them; raise alerts.

    Run it whenever there are new scenes: only they are read, and no alert is raised twice.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    import terradrift as td

    opened = td.open(archive)
    filters = {
        "bbox": bbox,
        "region": region_file,
        "datetime": datetime,
        "collection": collection or (),
        "max_cloud": max_cloud,
    }
    asked: dict[str, Any] = (
        {} if max_false_alarms is None else {"max_false_alarms": max_false_alarms}
    )
    with usage():
        done = opened.watch(
            source,
            start=start,
            model=model,
            output=output,
            device=device,
            precision=precision,
            threads=threads,
            skip_bad=skip_bad,
            quiet=quiet,
            filters=filters,
            **asked,
        )
    say(done, quiet=quiet)
    found = opened.alerts(done.model)
    new = pc.is_in(found["alert_id"], pa.array(done.new, pa.string()))
    told = found.filter(new).drop_columns(["geometry"])
    rows(told, None if as_json else SHOWN, as_json=as_json)
    if output is not None:
        say(f"alerts in {output}", quiet=quiet)
