"""`terradrift demo`: the whole story on a simulated series, offline, in about a minute."""

import json
import shutil
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from terradrift.cli import options as opt
from terradrift.cli.output import rows, say
from terradrift.cli.run import events

if TYPE_CHECKING:
    import pyarrow as pa

    import terradrift as td

_BY_MONTH = """
    SELECT strftime(onset, '%Y-%m') AS month, persistence, kind,
           count(*) AS changes, round(max(score), 2) AS highest
    FROM changes
    GROUP BY ALL
    ORDER BY changes DESC, month, persistence, kind
    LIMIT 12
"""
_FOUND = """
    SELECT rank, peak, persistence, label FROM events
    WHERE within(geometry, $place) AND "end" >= $first AND start <= $last
    ORDER BY rank LIMIT 1
"""
_SLACK = timedelta(days=60)  # clouds hide the first weeks of a change


def demo(
    folder: Annotated[
        Path, typer.Argument(metavar="FOLDER", help="Where to write everything.")
    ] = Path("demo"),
    seed: Annotated[int, typer.Option(help="Another landscape.")] = 0,
    quiet: opt.Quiet = False,
) -> None:
    """Simulate two and a half years of scenes with planted changes, and find them."""
    import terradrift as td
    from terradrift.ingest.simulate import simulate

    scenes, place = _places(folder)
    say("1. Simulate scenes with planted changes", quiet=quiet)
    # Changes are planted when every patch has a year to be judged by.
    catalog = simulate(scenes, size_px=384, dates=60, quiet_days=500, seed=seed)
    say(f"2. terradrift run {place} {catalog} --patch-size 80", quiet=quiet)
    archive = td.create(place, td.Grid(80))
    archive.run(catalog, quiet=quiet)
    top = archive.events(10)
    events(top, as_json=False)
    say(
        "   the planted changes, and the best event at their place and time:",
        quiet=quiet,
    )
    rows(planted(archive, scenes / "truth.geojson"), as_json=False)
    say("3. terradrift sql: changes per month and kind", quiet=quiet)
    rows(archive.sql(_BY_MONTH).to_arrow_table(), as_json=False)
    if len(top):
        best = top["event_id"][0].as_py()
        say(f"4. terradrift similar --event {best}: changes like it", quiet=quiet)
        columns = ["rank", "distance", "change_id", "onset", "score", "kind"]
        rows(archive.similar(event=best, k=5).to_arrow(), columns, as_json=False)
    count = archive.export(folder / "changes.parquet", overwrite=True)
    archive.export(folder / "changes.gpkg", overwrite=True)
    archive.report(folder / "report.html")
    say(
        f"5. {count:,} changes in {folder / 'changes.parquet'} and, for QGIS, "
        f"{folder / 'changes.gpkg'}; pictures in {folder / 'report.html'}"
    )
    say(f"6. Look at it, search it and label it: terradrift serve {place}")


def planted(archive: "td.Archive", truth: Path) -> "pa.Table":
    """Each planted change with the best-ranked event that meets its place and time.

    Time: from a clear view of the old state to two months after the change began; `rank`
    is null where there is no such event.
    """
    import pandas as pd
    import pyarrow as pa

    found = []
    for feature in json.loads(truth.read_text())["features"]:
        said = feature["properties"]
        began = pd.Timestamp(said["first_affected_acquisition"])
        event = archive.sql(
            _FOUND,
            place=json.dumps(feature["geometry"]),
            first=pd.Timestamp(said["last_unaffected_acquisition"]),
            last=began + _SLACK,
        ).fetchone()
        found.append(
            {
                "planted": said["kind"],
                "hectares": said["area_m2"] / 10_000,
                "begins": began.to_pydatetime(),
                "rank": event and event[0],
                "peak": event and event[1],
                "persistence": event and event[2],
                "label": event and event[3],
            }
        )
    return pa.Table.from_pylist(found)


def _places(folder: Path) -> tuple[Path, Path]:
    """Folders of scenes and archive, emptied if an earlier demo filled them."""
    scenes, place, ours = folder / "scenes", folder / "archive.td", folder / ".demo"
    if folder.exists() and any(folder.iterdir()) and not ours.exists():
        raise typer.BadParameter(
            f"expected an empty or new folder, or that of an earlier demo, got {folder}"
        )
    for made in (scenes, place):
        shutil.rmtree(made, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    ours.touch()
    return scenes, place
