"""The verb `serve`."""

from typing import Annotated

import typer

from terradrift.cli import options as opt


def serve(
    archive: opt.ArchivePath,
    port: Annotated[
        int, typer.Option(min=0, max=65535, help="0: any that is free.")
    ] = 8765,
    host: Annotated[
        str,
        typer.Option(
            help="Address to listen at; beyond this machine a token is needed."
        ),
    ] = "127.0.0.1",
    token: Annotated[
        str | None,
        typer.Option(
            envvar="TERRADRIFT_TOKEN",
            show_envvar=True,
            help="What visitors must have [default: made anew, where needed].",
        ),
    ] = None,
    name: Annotated[
        str | None,
        typer.Option(
            metavar="HOST",
            help="Another name it is asked by, such as that of a proxy; a token is needed.",
        ),
    ] = None,
    no_open: Annotated[
        bool, typer.Option("--no-open", help="Open no browser.")
    ] = False,
    read_only: Annotated[
        bool, typer.Option("--read-only", help="Nobody may label.")
    ] = False,
    who: Annotated[
        str | None, typer.Option(metavar="NAME", help="Whose labels they are.")
    ] = None,
    model: Annotated[
        str | None,
        typer.Option(help="Model whose changes are shown [default: the archive's]."),
    ] = None,
) -> None:
    """Look at ARCHIVE in a browser: map, events, chips, search, labels, SQL.

    Everything comes from this machine; nothing is fetched from the network. Scripts may ask
    the same address in JSON (docs/serve.md). Ctrl-C ends it.
    """
    from terradrift.serve import serve as run

    run(
        archive,
        host=host,
        port=port,
        token=token,
        name=name,
        open_browser=not no_open,
        read_only=read_only,
        who=who,
        model=model,
        say=typer.echo,
    )
