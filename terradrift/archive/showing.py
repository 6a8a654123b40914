"""An archive as a card in a notebook: where, how much, when, by which models, and its last run.

Only narrow columns are read, never a vector, and of very large tables a part of the rows;
what was read is kept as long as the tables stay as they are.
"""

from __future__ import annotations

from collections import OrderedDict
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from terradrift import schema
from terradrift.errors import TerradriftError
from terradrift.query.columns import files as columns
from terradrift.query.index import kept
from terradrift.query.shown import html, places
from terradrift.report import words
from terradrift.store.size import sizes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from numpy.typing import NDArray

    from terradrift.store.tables import Store

_ROWS = 2_000_000
"""Places that are read for the map; of more the first."""
_FILES = 20_000
"""Files whose sizes are added up."""
_CLEAR_PERCENT = 70.0
_BARS = 40
_HELD: OrderedDict[tuple[Any, ...], str] = OrderedDict()
_MOST_HELD = 8


def card(store: Store, model: str) -> str:
    """HTML of one archive; what cannot be read is said in it."""
    try:
        return html.frame(store.root.name, *_parts(store, model))
    except (TerradriftError, OSError) as error:
        return html.frame(store.root.name, html.note(str(error)))


def _parts(store: Store, model: str) -> Iterator[str]:
    names = (
        "patches",
        "scenes",
        f"changes_{schema.suffix(model)}",
        f"patch_changes_{schema.suffix(model)}",
    )
    stamp = (str(store.root), *(store.stamp(name) for name in names))
    found = _HELD.get(stamp)
    if found is None:
        found = _map(store, model) + _dates(store)
        _HELD[stamp] = found
        while len(_HELD) > _MOST_HELD:
            _HELD.popitem(last=False)
    yield f'<div style="max-width:{places.WIDTH_PX + 20}px">{found}</div>'
    yield html.facts(_facts(store, model))


def _map(store: Store, model: str) -> str:
    """Patches in grey, changes by score."""
    if not store.exists("patches"):
        return html.note("no patches yet: run terradrift ingest, or Archive.run")
    here = _places(store, "patches", [])
    changes = f"changes_{schema.suffix(model)}"
    marked = None
    many = 0
    if store.exists(changes):
        rows = _places(store, changes, ["score"])
        many = rows.num_rows
        marked = (*_degrees(rows), rows["score"].to_numpy())
    told = f"{words.count(here.num_rows, 'patch', 'patches')}"
    said = f"map of {told}, {words.count(many, 'change')} coloured by score"
    drawn = places.cells(_degrees(here), marked, said)
    return drawn + html.note(
        "patches in grey; brighter is a higher change score" if many else told
    )


def _places(store: Store, table: str, more: list[str]) -> pa.Table:
    return store.opened(table).to_table(
        columns=["longitude", "latitude", *more], limit=_ROWS
    )


def _degrees(rows: pa.Table) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    return rows["longitude"].to_numpy(), rows["latitude"].to_numpy()


def _dates(store: Store) -> str:
    """Bars of the dates in time, clear ones filled."""
    if not store.exists("scenes"):
        return ""
    rows = store.opened("scenes").to_table(columns=["datetime", "cloud_percent"])
    if not rows.num_rows:
        return ""
    at = rows["datetime"].cast(pa.timestamp("us")).to_numpy().astype("datetime64[D]")
    cloud = rows["cloud_percent"].to_numpy(zero_copy_only=False).astype(np.float64)
    days, day = np.unique(at, return_inverse=True)
    clearest = np.full(len(days), np.inf)
    np.minimum.at(clearest, day, np.nan_to_num(cloud, nan=0.0))
    clear = clearest <= 100 - _CLEAR_PERCENT
    number = days.astype(np.int64)
    edges = np.linspace(number[0], number[-1] + 1, min(_BARS, len(days)) + 1)
    whole = np.histogram(number, edges)[0]
    part = np.histogram(number[clear], edges)[0]
    said = (
        f"{words.count(len(days), 'date')} from {days[0]} to {days[-1]}, {clear.sum():,} "
        f"of them with at most {100 - _CLEAR_PERCENT:.0f} % cloud"
    )
    return (
        f'<div style="margin-top:8px">{places.bars(whole, part, said)}</div>'
        + html.note(said)
    )


def _facts(store: Store, model: str) -> Iterator[tuple[str, str]]:
    name = schema.suffix(model)
    yield "folder", str(store.root)
    for table, one, many in (
        ("scenes", "scene", None),
        ("patches", "patch", "patches"),
        (f"embeddings_{name}", "observation", None),
        (f"changes_{name}", "change", None),
        (f"events_{name}", "event", None),
        (f"kinds_{name}", "row of kinds", "rows of kinds"),
        (f"taxonomy_{name}", "regime", None),
    ):
        if store.exists(table):
            count = store.opened(table).count_rows()
            yield (many or f"{one}s").rpartition(" ")[2], words.count(count, one, many)
    held = [
        one.removeprefix("embeddings_")
        for one in store.tables()
        if one.startswith("embeddings_")
    ]
    yield (
        "models",
        ", ".join(f"{one} (current)" if one == name else one for one in held),
    )
    grid = store.settings.grid
    yield "grid", f"{grid.patch_size} m patches, {grid.crs}"
    yield "on disk", _size(store)
    yield "index", _index(store)
    yield "last run", _last(store)


def _size(store: Store) -> str:
    total, seen = 0, 0
    for size in sizes(store.root):
        seen, total = seen + 1, total + size
        if seen > _FILES:
            return f"more than {_bytes(total)}"
    return _bytes(total)


def _bytes(many: float) -> str:
    for unit in ("B", "kB", "MB", "GB"):
        if many < 1_000:
            return f"{many:.3g} {unit}"
        many /= 1_000
    return f"{many:.3g} TB"


def _index(store: Store) -> str:
    vectors = [one.name for one in kept.told(store)]
    opened = {table: store.opened(table) for table in store.tables()}
    read = columns.told(store.root, opened)
    said = []
    if vectors:
        said.append(f"vectors of {', '.join(vectors)}")
    if read:
        said.append(f"columns of {', '.join(read)}")
    return "; ".join(said) or "none (terradrift index makes large archives fast)"


def _last(store: Store) -> str:
    if not store.exists("runs"):
        return "none"
    rows = store.opened("runs").to_table(
        columns=["verb", "status", "started", "ended", "message"]
    )
    if not rows.num_rows:
        return "none"
    last = rows.sort_by([("started", "descending")]).slice(0, 1).to_pylist()[0]
    ended = last["ended"] or last["started"]
    said = f"{last['verb']}, {last['status']}, {ended:%Y-%m-%d %H:%M} UTC"
    if last["status"] != "done" and last["message"]:
        said += f": {last['message'][:200]}"
    return said
