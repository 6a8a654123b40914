"""The verb `kinds`: the tree of kinds of change, their names, and what became of them."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from terradrift.cli import options as opt
from terradrift.cli.output import line, rows, say, usage

if TYPE_CHECKING:
    from terradrift.archive import Archive

COLUMNS = (
    *("rank", "kind", "parent", "role", "size", "n_events", "rarity", "magnitude"),
    *("stability", "d_ndvi", "d_nbr", "d_ndwi", "fate", "label", "name"),
)


def kinds(
    archive: opt.ArchivePath,
    model: opt.Model = None,
    tree: Annotated[
        bool,
        typer.Option("--tree", help="Branches and parts too, not only the kinds."),
    ] = False,
    rename: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KIND=NAME",
            help="Call a kind by this name, also after later fits; KIND= takes it away.",
        ),
    ] = None,
    who: Annotated[str | None, typer.Option(help="Who gives the name.")] = None,
    compare: Annotated[
        str | None,
        typer.Option(
            metavar="FIT[:FIT]",
            help="What became of the kinds of one fit in another, or in the newest.",
        ),
    ] = None,
    picture: Annotated[
        Path | None, typer.Option(help="Draw the tree as a PNG.")
    ] = None,
    as_json: opt.Json = False,
    quiet: opt.Quiet = False,
) -> None:
    """Show the kinds of change of ARCHIVE, rare and strong ones first; name and compare them."""
    import terradrift as td

    opened = td.open(archive)
    for number, name in [_pair(given) for given in rename or ()]:
        opened.rename_kind(number, name, model=model, who=who)
        words = (
            f"kind {number} is called {name}" if name else f"kind {number} has no name"
        )
        say(words, quiet=quiet)
    if picture is not None:
        with usage():
            written = opened.draw_kinds(picture, model=model)
        say(f"wrote {written}", quiet=quiet)
    if compare is not None:
        _compare(opened, compare, model, as_json=as_json)
    elif not rename and picture is None:
        rows(opened.kinds(model, tree=tree), COLUMNS, as_json=as_json)


def _compare(opened: "Archive", fits: str, model: str | None, *, as_json: bool) -> None:
    first, second = _fits(fits)
    for fate in opened.compare_kinds(first, second, model=model):
        if as_json:
            line(fate.to_dict())
        else:
            print(fate)


def _pair(text: str) -> tuple[int, str]:
    number, equals, name = text.partition("=")
    if not equals or not number.strip().isdigit():
        raise typer.BadParameter(
            f"expected KIND=NAME such as 3=clear-cut, got {text!r}"
        )
    return int(number), name.strip()


def _fits(text: str) -> tuple[int, int | None]:
    parts = text.split(":")
    if len(parts) > 2 or not all(part.isdigit() for part in parts):
        raise typer.BadParameter(f"expected FIT or FIT:FIT such as 1:2, got {text!r}")
    return int(parts[0]), int(parts[1]) if len(parts) == 2 else None
