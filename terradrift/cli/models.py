"""The verb `models`: which there are, what they are, and their weights on this machine."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from terradrift.cli import options as opt
from terradrift.cli.output import line, rows, say

if TYPE_CHECKING:
    from terradrift.embed.catalogue import Listed

app = typer.Typer(
    help="The embedding models that are installed, and their weights.",
    rich_markup_mode=None,
)

Name = Annotated[str, typer.Argument(metavar="NAME", help="Name of the model.")]


@app.callback(invoke_without_command=True)
def models(context: typer.Context, as_json: opt.Json = False) -> None:
    """The embedding models that are installed, and their weights."""
    if context.invoked_subcommand is not None:
        return
    import pyarrow as pa

    from terradrift.embed import catalogue, library

    entries = catalogue.listed()
    if as_json:
        for entry in entries:
            line(catalogue.summary(entry))
        return
    rows(pa.Table.from_pylist([_row(entry) for entry in entries]), as_json=False)
    for entry in entries:
        if entry.problem:
            say(f"{entry.name} cannot be used here: {entry.problem}")
    say(f"weights lie in {library.folder()}")


@app.command()
def show(name: Name, as_json: opt.Json = False) -> None:
    """All that is known of model NAME: its card, its source, its weights here."""
    from terradrift.embed import catalogue

    facts = catalogue.card(catalogue.found(name))
    if as_json:
        line(facts)
        return
    width = max(len(key) for key in facts)
    for key, value in facts.items():
        print(f"{key:<{width}}  {_words(value)}")


@app.command()
def fetch(name: Name, quiet: opt.Quiet = False) -> None:
    """Download the weights of model NAME from their official place and add them."""
    from terradrift.embed import catalogue, library
    from terradrift.embed.fetch import fetch as fetched

    spec = catalogue.spec(name)
    if library.sound(spec):
        say(f"{name} is here already: {library.place(spec)}", quiet=quiet)
        return
    say(f"{name}: {spec.licence}; {spec.source.url}", quiet=quiet)
    path = fetched(spec, quiet=quiet)
    say(f"added {path}", quiet=quiet)


@app.command()
def add(
    name: Name,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", help="Official checkpoint of the model.")
    ],
    quiet: opt.Quiet = False,
) -> None:
    """Take the weights of model NAME from FILE, a checkpoint of torch or safetensors."""
    from terradrift.embed import catalogue, library

    spec = catalogue.spec(name)
    catalogue.refuse_anothers(spec, file)
    path = library.add(spec, file)
    say(f"added {path}", quiet=quiet)
    if library.is_published(spec) is False:
        say(
            f"note: every key fits, but {file} is not byte for byte the file that is "
            f"published at {spec.source.url}",
            quiet=quiet,
        )


@app.command()
def verify(name: Name) -> None:
    """Read the weights of model NAME and compare them with their digest."""
    from terradrift.embed import catalogue, library

    held = library.verify(catalogue.spec(name))
    say(f"{name}: {len(held.state)} tensors, as added; SHA-256 {held.sha256}")


@app.command()
def remove(name: Name) -> None:
    """Delete the weights of model NAME from this machine."""
    from terradrift.embed import catalogue, library

    spec = catalogue.spec(name)
    there = library.remove(spec)
    say(f"removed {library.place(spec)}" if there else f"{name} has no weights here")


def _row(entry: "Listed") -> dict[str, Any]:
    """What the table shows of a model, in words."""
    from terradrift.embed import catalogue

    facts = catalogue.summary(entry)
    size = facts["bytes"] or 4 * (facts["parameters"] or 0)
    free = "any" if facts["weights"] in {"fitted", "none needed"} else ""
    return {
        "name": entry.name,
        "pooled": _shown(facts["dimensions"]),
        "tokens": _tokens(facts["tokens"]),
        "bands": free or _shown(facts["bands"] and len(facts["bands"])),
        "level": free or _shown(facts["level"]),
        "licence": _shown(facts["licence"]),
        "MB": f"{size / 1e6:.0f}" if size else "",
        "weights": "cannot be used" if entry.problem else facts["weights"],
    }


def _shown(value: object) -> str:
    return "" if value is None else str(value)


def _tokens(tokens: dict[int, int]) -> str:
    """Such as `768 per 8 px`; of several sizes, the default and how many there are."""
    if not tokens:
        return ""
    size, dimensions = next(iter(tokens.items()))
    more = f" (+{len(tokens) - 1})" if len(tokens) > 1 else ""
    return f"{dimensions} per {size} px{more}"


def _words(value: object) -> str:
    if isinstance(value, list | tuple):
        return " ".join(map(str, value))
    if isinstance(value, dict):
        return ", ".join(f"{key}: {inner}" for key, inner in value.items())
    return _shown(value)
