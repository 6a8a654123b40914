"""`report`: what the archive holds, gathered for the page, and pixels for its pictures."""

import json
from collections.abc import Iterable
from functools import partial
from pathlib import Path

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from terradrift import schema
from terradrift.archive.pixels_of import Pixels
from terradrift.detect.settings import Settings
from terradrift.query.sql import ask
from terradrift.report.data import ReportData, ranked, shown_patches
from terradrift.report.write import write_html, write_pngs
from terradrift.store.tables import Store

_BEST = """
    SELECT p.geometry AS geometry,
           CASE WHEN s.judged THEN coalesce(c.best, 0) END AS score
    FROM patches p
    LEFT JOIN (
        SELECT patch_id, max(score) AS best FROM changes GROUP BY patch_id
    ) c USING (patch_id)
    LEFT JOIN (
        SELECT patch_id, bool_or(z IS NOT NULL) AS judged FROM scores GROUP BY patch_id
    ) s USING (patch_id)
    ORDER BY patch_id
"""
_DRIFT = """
    SELECT p.geometry AS geometry, s.most AS score
    FROM patches p
    LEFT JOIN (
        SELECT patch_id, max(drift) AS most FROM scores GROUP BY patch_id
    ) s USING (patch_id)
    ORDER BY patch_id
"""
_CLEAR_DATES = """
    SELECT max(dates) AS dates
    FROM (SELECT count(drift) + 1 AS dates FROM scores GROUP BY patch_id)
"""
_ABSTAINED = """
    SELECT reason, count(*) AS n FROM scores WHERE reason IS NOT NULL AND z IS NULL
    GROUP BY reason ORDER BY n DESC, reason
"""


def report(store: Store, model: str, path: Path, *, events: int) -> Path:
    """Write the page (`.html`), or a folder of PNGs where the path has no such ending."""
    data = gather(store, model, events)
    if path.suffix.lower() in (".html", ".htm"):
        return write_html(data, path)
    write_pngs(data, path)
    return path


def gather(store: Store, model: str, top: int) -> ReportData:
    """Everything that the page shows, by the archive's own SQL."""
    ask = partial(_ask, store)
    found = ranked(_plain(ask("SELECT * FROM events ORDER BY rank")))
    wanted = found.slice(0, top)["event_id"].to_pylist()
    changes = ask(
        "SELECT * EXCLUDE (before, after, delta, geometry) FROM changes "
        "WHERE list_contains($events, event_id) ORDER BY change_id",
        events=wanted,
    )
    scores = ask(
        "SELECT * FROM scores WHERE list_contains($patches, patch_id) "
        "ORDER BY patch_id, datetime",
        patches=shown_patches(found, changes, top),
    )
    scenes = store.scan("scenes").read_all()
    corners, values, name = mapped(store)
    return ReportData(
        title=store.root.name,
        model=model,
        patch_size=store.settings.grid.patch_size,
        events=found,
        changes=changes,
        scores=scores,
        kinds=ask("SELECT * FROM kinds WHERE role = 'kind' ORDER BY kind"),
        scenes=scenes.select(["scene_id", "datetime", "cloud_percent"]),
        runs=ask("SELECT * FROM runs ORDER BY started, run_id"),
        corners=corners,
        values=values,
        values_name=name,
        n_observations=_count(store, model),
        abstained={row["reason"]: row["n"] for row in ask(_ABSTAINED).to_pylist()},
        skipped=tuple(_skipped(store)),
        chip=Pixels(store, scenes),
        top=top,
    )


def _ask(store: Store, text: str, **values: object) -> pa.Table:
    return ask.sql(store, text, None, **values).to_arrow_table()


def _plain(table: pa.Table) -> pa.Table:
    """Geometry as WKB, whatever type the query gave it."""
    at = table.schema.get_field_index("geometry")
    column = table["geometry"].combine_chunks()
    storage = column.storage if isinstance(column, pa.ExtensionArray) else column
    return table.set_column(at, "geometry", storage.cast(pa.binary()))


def mapped(store: Store) -> tuple[NDArray[np.float64], NDArray[np.float32], str]:
    """Corners (n, 4, 2) of every patch in degrees, its best score (n,), and its name.

    The score is that of `changes`, 0 where a patch was judged and did not change; the drift
    where dates are too few for changes. NaN where nothing could be said.
    """
    ask = partial(_ask, store)
    name = "change score" if _can_change(ask) else "drift"
    rows = _plain(ask(_BEST if name == "change score" else _DRIFT))
    values = rows["score"].to_numpy().astype(np.float32)
    shapes = shapely.from_wkb(rows["geometry"].to_numpy(zero_copy_only=False))
    rings = shapely.get_coordinates(shapes).reshape(-1, 5, 2)[:, :4]
    return rings, values, name


def _can_change(ask: "partial[pa.Table]") -> bool:
    """Whether some patch was clear on dates enough for a change to be told."""
    if ask("SELECT 1 FROM changes LIMIT 1").num_rows:
        return True
    most = ask(_CLEAR_DATES)["dates"][0].as_py() or 0
    return bool(most >= 2 * Settings().min_segment)


def _count(store: Store, model: str) -> int:
    table = f"embeddings_{schema.suffix(model)}"
    return store.count(table) if store.exists(table) else 0


def _skipped(store: Store) -> Iterable[tuple[str, str]]:
    """Scenes that runs left out, as their rows in `runs` say."""
    if not store.exists("runs"):
        return
    seen: set[str] = set()
    for text in store.scan("runs", ["parameters"]).read_all()["parameters"].to_pylist():
        for scene, reason in json.loads(text).get("skipped", {}).items():
            if scene not in seen:
                seen.add(scene)
                yield scene, reason
