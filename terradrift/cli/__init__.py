"""The `terradrift` command: one file per verb; each parses, calls one function, prints."""

import errno
import sys

import typer

from terradrift.cli import (
    answer,
    bench,
    calibration,
    demo,
    evaluate,
    export,
    look,
    make,
    models,
    run,
    sensitivity,
    simulate,
    space,
    tend,
    watch,
)
from terradrift.errors import TerradriftError

app = typer.Typer(
    name="terradrift",
    help="Turns a stack of satellite scenes into a searchable record of change.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    add_completion=False,
)
for verb in (
    run.run,
    make.ingest,
    make.embed,
    make.detect,
    make.cluster,
    space.space,
    watch.watch,
    answer.sql,
    answer.similar,
    answer.events,
    look.report,
    evaluate.evaluate,
    bench.bench,
    sensitivity.sensitivity,
    calibration.calibration,
    export.export,
    look.info,
    tend.validate,
    tend.optimize,
    simulate.simulate,
    demo.demo,
):
    app.command()(verb)
app.command(name="import")(export.import_)
app.add_typer(models.app, name="models")

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
