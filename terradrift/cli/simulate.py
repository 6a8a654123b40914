"""`terradrift simulate`: a realistic series with planted changes of known place and date."""

from pathlib import Path
from typing import Annotated

import typer

from terradrift.cli.output import say, usage


def simulate(
    out: Annotated[Path, typer.Argument(metavar="FOLDER", help="Where to write.")],
    size_px: Annotated[int, typer.Option(help="Pixels per side, at 10 m.")] = 384,
    dates: Annotated[int, typer.Option(help="Acquisitions.")] = 30,
    seed: Annotated[int, typer.Option(help="Same seed, same files.")] = 0,
) -> None:
    """Write scenes (COG), a STAC catalogue and the truth, for trying things out."""
    from terradrift.ingest.simulate import simulate as make

    with usage():
        catalog = make(out, size_px=size_px, dates=dates, seed=seed)
    say(f"wrote {catalog} and {out / 'truth.geojson'}")
