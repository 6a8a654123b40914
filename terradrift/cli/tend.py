"""The verbs that keep an archive well: validate and optimize."""

import sys
from pathlib import Path
from typing import Annotated

import typer

from terradrift.cli import options as opt
from terradrift.cli.output import line, say

_LEVELS = ("error", "warning", "note")


def validate(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="PATH",
            help="An archive; or a GeoParquet file or folder of them, STAC document, Zarr "
            "store, COG, or folder of any of these.",
        ),
    ],
    as_json: opt.Json = False,
    strict: Annotated[
        bool, typer.Option("--strict", help="End with status 1 for warnings, too.")
    ] = False,
) -> None:
    """Check an archive, or files against published specifications; status 1 on errors.

    Of an archive one line per problem. Of anything else findings against GeoParquet 1.1 and
    its footer emb, STAC and its Embedding extension, the Zarr convention geoemb, or the
    layout of COGs: what was expected, what came, what to do. Nothing is fetched.
    """
    from terradrift.archive import validating

    if validating.is_archive(path):
        _archive(path, as_json=as_json)
        return
    found = validating.validate(path)
    for one in found:
        if as_json:
            line(one.record())
        else:
            print(one)
    many = {level: sum(one.level == level for one in found) for level in _LEVELS}
    say(", ".join(f"{n:,} {level}{'s' * (n != 1)}" for level, n in many.items()))
    if many["error"] or (strict and many["warning"]):
        sys.exit(1)


def _archive(path: Path, *, as_json: bool) -> None:
    """Problems of an archive, one line each."""
    import terradrift as td

    problems = td.open(path).validate()
    for problem in problems:
        if as_json:
            line({"problem": problem})
        else:
            print(problem)
    if problems:
        sys.exit(1)
    say("no problems")


def optimize(
    archive: opt.ArchivePath,
    keep_hours: float = typer.Option(
        1.0, min=0.0, help="Keep versions younger than this for readers under way."
    ),
    quiet: opt.Quiet = False,
) -> None:
    """Compact and sort ARCHIVE's tables and remove old versions."""
    import terradrift as td

    for done in td.open(archive).optimize(keep_hours=keep_hours):
        say(done, quiet=quiet)
