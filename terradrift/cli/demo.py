"""`terradrift demo`: the whole story on a simulated series, offline, in about a minute."""

import shutil
from pathlib import Path
from typing import Annotated

import typer

from terradrift.cli import options as opt
from terradrift.cli.output import rows, say
from terradrift.cli.run import EVENT_COLUMNS

_BY_MONTH = """
    SELECT strftime(onset, '%Y-%m') AS month, persistence, kind,
           count(*) AS changes, round(max(score), 2) AS highest
    FROM changes
    GROUP BY ALL
    ORDER BY month, persistence, kind
    LIMIT 12
"""


def demo(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Where to write everything.")
    ] = Path("demo"),
    seed: Annotated[int, typer.Option(help="Another landscape.")] = 0,
    quiet: opt.Quiet = False,
) -> None:
    """Simulate a year and a half of scenes with planted changes, and find them."""
    import terradrift as td
    from terradrift.ingest.simulate import simulate

    scenes, place, ours = folder / "scenes", folder / "archive.td", folder / ".demo"
    if folder.exists() and any(folder.iterdir()) and not ours.exists():
        raise typer.BadParameter(
            f"expected an empty or new folder, or that of an earlier demo, got {folder}"
        )
    for made in (scenes, place):
        shutil.rmtree(made, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    ours.touch()
    say("1. Simulate scenes with planted changes", quiet=quiet)
    catalog = simulate(scenes, seed=seed)
    say(f"2. terradrift run {place} {catalog}", quiet=quiet)
    archive = td.create(place, td.Grid(80))
    archive.run(catalog, quiet=quiet)
    top = archive.events(10)
    rows(top, EVENT_COLUMNS, as_json=False)
    say("3. terradrift sql: changes per month and kind", quiet=quiet)
    rows(archive.sql(_BY_MONTH).to_arrow_table(), as_json=False)
    if len(top):
        best = top["event_id"][0].as_py()
        say(f"4. terradrift similar --event {best}: changes like it", quiet=quiet)
        found = archive.similar(event=best, k=5)
        rows(
            found.to_arrow(),
            ["rank", "distance", "change_id", "onset", "score", "kind"],
            as_json=False,
        )
    count = archive.export(folder / "changes.parquet")
    archive.report(folder / "report.html")
    say(
        f"5. {count:,} changes to {folder / 'changes.parquet'} (opens in QGIS), "
        f"pictures in {folder / 'report.html'}; the truth lies in {scenes / 'truth.geojson'}"
    )
