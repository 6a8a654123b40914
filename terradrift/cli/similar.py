"""The verb `similar`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from terradrift.cli import options as opt
from terradrift.cli.output import rows, say, usage

if TYPE_CHECKING:
    from terradrift.query.result import Result

_SHOWN = (
    "rank",
    "distance",
    "change_id",
    "patch_id",
    "datetime",
    "onset",
    "persistence",
    "score",
    "kind",
    "event_id",
    "longitude",
    "latitude",
)


def similar(
    archive: opt.ArchivePath,
    change: Annotated[
        str | None, typer.Option(help="change_id to search with.")
    ] = None,
    event: Annotated[
        str | None, typer.Option(help="event_id: the mean of its changes.")
    ] = None,
    like_kind: Annotated[
        int | None, typer.Option(help="Kind: the mean of its changes.")
    ] = None,
    patch: Annotated[str | None, typer.Option(help="patch_id, with --date.")] = None,
    date: Annotated[str | None, typer.Option(help="Date of --patch.")] = None,
    region: Annotated[
        str | None,
        typer.Option(help="GeoJSON text or vector file: the mean of its changes."),
    ] = None,
    vector: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Numbers in a .npy file or a .json list."),
    ] = None,
    like: Annotated[
        list[str] | None,
        typer.Option(
            metavar="ID",
            help="Change, event or PATCH@DATE; may be given several times.",
        ),
    ] = None,
    unlike: Annotated[
        list[str] | None,
        typer.Option(metavar="ID", help="Not like this one; likewise, with --like."),
    ] = None,
    labels: Annotated[
        str | None,
        typer.Option(metavar="NAME", help="Like the labels of this name: yes, not no."),
    ] = None,
    refine: Annotated[
        str,
        typer.Option(help="How --like and --labels are learned: auto, rocchio, probe."),
    ] = "auto",
    mode: opt.Mode = None,
    target: Annotated[
        str, typer.Option(help="What to find: changes or observations.")
    ] = "changes",
    k: Annotated[int, typer.Option("-k", help="Rows wanted, 1 to 100,000.")] = 20,
    bbox: opt.Bbox = None,
    within: opt.Within = None,
    between: opt.Between = None,
    kind: opt.Kind = None,
    persistence: opt.Persistence = None,
    min_score: opt.MinScore = None,
    where: opt.Where = None,
    exclude: Annotated[
        str | None,
        typer.Option(
            help="event: not the example's event and patches; self: not itself; or none [default: event; with --like and --labels self]."
        ),
    ] = None,
    exclude_radius: Annotated[
        str | None,
        typer.Option(
            metavar="LENGTH", help="Not within 500m, 5km, ... of the example."
        ),
    ] = None,
    per_event: Annotated[
        int | None, typer.Option(metavar="N", help="At most N rows of one event.")
    ] = None,
    per_patch: Annotated[
        int | None, typer.Option(metavar="N", help="At most N rows of one patch.")
    ] = None,
    exact: Annotated[
        bool | None,
        typer.Option(
            "--exact/--index",
            help="Compare every row that passes, or ask the index even for few [default: as is fast].",
        ),
    ] = None,
    device: Annotated[
        str, typer.Option(help="auto, cpu, or cuda for an exact search on a GPU.")
    ] = "auto",
    model: opt.Model = None,
    space: opt.Space = None,
    output: opt.Output = None,
    as_json: opt.Json = False,
) -> None:
    """Find changes like this one; filters hold before the search."""
    import terradrift as td

    asked: dict[str, Any] = {  # read by the search, which says what is wrong
        "change": change,
        "event": event,
        "like_kind": like_kind,
        "patch": patch,
        "date": date,
        "region": region,
        "vector": vector,
        "like": like or (),
        "unlike": unlike or (),
        "labels": labels,
        "refine": refine,
        "mode": mode,
        "target": target,
        "k": k,
        "bbox": bbox,
        "within": within,
        "between": between,
        "kind": kind,
        "persistence": persistence,
        "min_score": min_score,
        "where": where,
        "exclude": exclude,
        "exclude_radius": exclude_radius,
        "per_event": per_event,
        "per_patch": per_patch,
        "exact": exact,
        "device": device,
        "model": model,
        "space": space,
    }
    opened = td.open(archive)
    with usage():
        result = opened.similar(**asked)
    _told(result)
    if output is not None:
        result.export(output)
        say(f"{len(result):,} rows to {output}")
        return
    table = result.to_arrow()
    rows(
        table, [name for name in _SHOWN if name in table.schema.names], as_json=as_json
    )


def _told(result: "Result") -> None:
    """How the answer was got, on standard error."""
    say(f"{result.mode}, compared in {result.space}: {result.plan}")
    if result.note:
        say(result.note)
