"""The verb `label`: verdicts on changes and events, and what to judge next."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from terradrift.cli import options as opt
from terradrift.cli.output import rows, say, usage

if TYPE_CHECKING:
    from terradrift.archive import Archive

_LISTED = (
    *("target_id", "target", "verdict", "name", "who", "at"),
    *("date", "longitude", "latitude"),
)
_NEXT = (
    *("rank", "probability", "change_id", "onset", "persistence", "score", "kind"),
    *("longitude", "latitude"),
)


def label(
    archive: opt.ArchivePath,
    ids: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="[ID ...]",
            help="More ids for the one of --yes, --no or --withdraw that is given.",
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="What they are, or are not: clear-cut.")
    ] = None,
    yes: Annotated[
        list[str] | None,
        typer.Option(metavar="IDS", help="Changes or events that are: A or A,B,..."),
    ] = None,
    no: Annotated[
        list[str] | None,
        typer.Option(metavar="IDS", help="Changes or events that are not."),
    ] = None,
    withdraw: Annotated[
        list[str] | None,
        typer.Option(metavar="IDS", help="Take back what --who said of these."),
    ] = None,
    who: Annotated[str | None, typer.Option(help="Who says so.")] = None,
    listed: Annotated[
        bool, typer.Option("--list", help="Show the verdicts that stand.")
    ] = False,
    upcoming: Annotated[
        int | None,
        typer.Option(
            "--next",
            metavar="N",
            help="Show N changes whose verdict would teach a search most.",
        ),
    ] = None,
    like: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="With --next: like this one; several times."),
    ] = None,
    unlike: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="With --next: unlike it; several times."),
    ] = None,
    mode: opt.Mode = None,
    bbox: opt.Bbox = None,
    within: opt.Within = None,
    between: opt.Between = None,
    kind: opt.Kind = None,
    persistence: opt.Persistence = None,
    min_score: opt.MinScore = None,
    where: opt.Where = None,
    model: opt.Model = None,
    space: opt.Space = None,
    output: opt.Output = None,
    as_json: opt.Json = False,
    quiet: opt.Quiet = False,
) -> None:
    """Say whether changes and events of ARCHIVE are what a name says; list; what to judge next."""
    import terradrift as td

    sides = {"yes": yes, "no": no, "withdraw": withdraw}
    given = {
        side: [one.strip() for text in told for one in text.split(",") if one.strip()]
        for side, told in sides.items()
        if told
    }
    if ids:
        if len(given) != 1:
            raise typer.BadParameter(
                "expected one of --yes, --no and --withdraw with several ids, got "
                f"{' and '.join(f'--{side}' for side in given) or 'none'}"
            )
        next(iter(given.values())).extend(ids)
    if given and name is None:
        raise typer.BadParameter("expected --name, what they are or are not")
    if not (given or listed or upcoming is not None):
        raise typer.BadParameter("expected --yes, --no, --withdraw, --list or --next N")
    asked: dict[str, Any] = {  # read by the search, which says what is wrong
        "mode": mode,
        "bbox": bbox,
        "within": within,
        "between": between,
        "kind": kind or None,
        "persistence": persistence,
        "min_score": min_score,
        "where": where,
        "space": space,
    }
    filters = {name: one for name, one in asked.items() if one is not None}
    if filters and upcoming is None:
        first = next(iter(filters)).replace("_", "-")
        raise typer.BadParameter(f"--{first} is for --next; pass --next N too")
    opened = td.open(archive)
    with usage():
        _say(opened, given, str(name), who, quiet=quiet)
        if upcoming is not None:
            found = opened.uncertain(
                like=like or (),
                unlike=unlike or (),
                labels=name,
                n=upcoming,
                model=model,
                **filters,
            )
            say(found.note, quiet=quiet or found.note is None)
            if output is None:
                rows(found.to_arrow(), _NEXT, as_json=as_json)
            else:
                say(f"{found.export(output):,} rows to {output}", quiet=quiet)
        elif listed:
            _list(opened, name, output, as_json=as_json)


def _say(
    opened: "Archive",
    given: dict[str, list[str]],
    name: str,
    who: str | None,
    *,
    quiet: bool,
) -> None:
    if both := sorted(set(given.get("yes", ())) & set(given.get("no", ()))):
        raise typer.BadParameter(f"{both[0]} is both --yes and --no; choose one")
    for side, ids in given.items():
        if side == "withdraw":
            count = opened.unlabel(ids, name, who)
        else:
            count = opened.label(ids, "yes" if side == "yes" else "no", name, who)
        words = {"yes": f"are {name}", "no": f"are not {name}", "withdraw": "withdrawn"}
        say(f"{count:,} {words[side]}", quiet=quiet)


def _list(
    opened: "Archive", name: str | None, output: Path | None, *, as_json: bool
) -> None:
    from terradrift.query import write

    table = opened.labels(name)
    if output is not None:
        say(f"{write.write(table, output):,} labels to {output}")
        return
    gone = table["target"].to_pylist().count("gone")
    if gone:
        say(f"{gone:,} of {len(table):,} are of changes that are gone")
    rows(table, _LISTED, as_json=as_json)
