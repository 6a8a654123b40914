"""The `terradrift` command: one file per verb; each parses, calls one function, prints."""

import errno
import sys
from collections.abc import Callable

import typer

from terradrift.cli import (
    bench,
    calibration,
    compare,
    demo,
    evaluate,
    events,
    events_folder,
    export,
    import_,
    index,
    kinds,
    label,
    look,
    make,
    models,
    run,
    sensitivity,
    serve,
    similar,
    simulate,
    space,
    sql,
    taxonomy,
    tend,
    thumbnails,
    train,
    watch,
)
from terradrift.cli.panels import Command, Group
from terradrift.errors import TerradriftError

app = typer.Typer(
    name="terradrift",
    cls=Group,
    help="Turns a stack of satellite scenes into a searchable record of change.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    add_completion=False,
)
_VERBS: dict[str, tuple[tuple[Callable[..., None], str], ...]] = {
    "Make an archive": (
        (run.run, "All at once: from SOURCE to ranked events."),
        (make.ingest, "Add the scenes of a source: metadata, no pixels."),
        (make.embed, "Embed every observation that is not held yet."),
        (train.train, "Teach a method the archive's clear history."),
        (make.detect, "Score every observation; find changes and events."),
        (make.cluster, "Group changes into kinds."),
        (taxonomy.taxonomy, "Group patches by ground and its path through time."),
        (space.space, "Choose the space that vectors are compared in."),
        (watch.watch, "Judge new days by what was known before; raise alerts."),
    ),
    "Ask it": (
        (serve.serve, "Look at it in a browser: map, search, labels."),
        (events.events, "List events, best first."),
        (sql.sql, "Ask in SQL: read-only, no files, no network."),
        (similar.similar, "Find changes like this one."),
        (kinds.kinds, "Show, name and compare kinds of change."),
        (label.label, "Say yes or no to changes; see what to judge next."),
        (look.report, "Write changes as one HTML page or a folder of PNGs."),
        (look.info, "Say what it holds: scenes, dates, models, rows, bytes."),
        (export.export, "Write a table for GIS and other engines."),
    ),
    "Judge what it says": (
        (evaluate.evaluate, "Measure what was found against labels of changes."),
        (bench.bench, "Compare detectors and models."),
        (compare.compare, "Compare models of any patch size on one grid."),
        (sensitivity.sensitivity, "Plant changes of known size; see who finds them."),
        (calibration.calibration, "Compare p-values with how often they occur."),
        (events_folder.event_folders, "Judge folders of images, labels and controls."),
    ),
    "Keep it": (
        (tend.validate, "Check it: one line per problem."),
        (tend.optimize, "Compact and sort tables; remove old versions."),
        (index.index, "Make searches and SQL on large tables fast."),
        (thumbnails.thumbnails, "Keep pictures of events beside it."),
        (import_.import_, "Read embeddings that were published or exported."),
    ),
    "Try it": (
        (demo.demo, "Simulate scenes with planted changes, and find them."),
        (simulate.simulate, "Write scenes, a STAC catalogue and the truth."),
    ),
}
"""Panel of the help to its verbs, each with one short line."""
_MANY_OPTIONS = {run.run, make.ingest, make.embed}
for panel, verbs in _VERBS.items():
    for verb, said in verbs:
        app.command(
            name=verb.__name__.rstrip("_").replace("_", "-"),
            cls=Command if verb in _MANY_OPTIONS else None,
            short_help=said,
            rich_help_panel=panel,
        )(verb)
app.add_typer(
    models.app,
    name="models",
    short_help="List embedding models; fetch or add their weights.",
    rich_help_panel="Keep it",
)

_EXPECTED_OS_ERRORS = {
    errno.ENOSPC: "no space left; free some and run the same command again",
    errno.EACCES: "permission denied; choose a folder that you may write to",
    errno.EPERM: "not permitted; choose a folder that you may write to",
    errno.EROFS: "read-only file system; choose a folder that you may write to",
}


def main() -> None:
    """Run the command line; expected errors are one line and exit status 1."""
    try:
        app()
    except TerradriftError as error:
        _stop(str(error))
    except BrokenPipeError:
        sys.exit(1)  # the reader of our output, such as head, has had enough
    except OSError as error:
        if error.errno not in _EXPECTED_OS_ERRORS:
            raise
        _stop(f"{error.filename or 'writing'}: {_EXPECTED_OS_ERRORS[error.errno]}")


def _stop(message: str) -> None:
    typer.echo(f"error: {' '.join(message.split())}", err=True)
    sys.exit(1)
