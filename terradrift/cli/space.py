"""The verb `space`: what vectors are compared in."""

from typing import Annotated

import typer

from terradrift.cli import options as opt
from terradrift.cli.output import line, say, usage


def space(
    archive: opt.ArchivePath,
    name: Annotated[
        str | None,
        typer.Argument(
            help="raw, centre, whiten, or one made before such as centre/1 or triplet/1; "
            "left out: say which is in use."
        ),
    ] = None,
    model: opt.Model = None,
    as_json: opt.Json = False,
    quiet: opt.Quiet = False,
) -> None:
    """Choose the space that ARCHIVE's vectors are compared in, by drift and search."""
    from dataclasses import asdict

    import terradrift as td

    opened = td.open(archive)
    with usage():
        chosen = opened.space(name, model=model, quiet=quiet)
    if as_json:
        line(asdict(chosen))
    elif name is None:
        print(chosen)
    else:
        say(f"{chosen}; run terradrift detect to score anew", quiet=quiet)
