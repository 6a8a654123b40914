"""Changes of an archive, each with the planted change that it is, or none.

A change is the planted one that covers most of its patch, at least `SHARE` of it, where its
onset lies from `EARLY` days before the planted onset to `LATE` days after it; after the end
of a passing one it is that one's end, which is a kind of its own. All others are false.
"""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import rasterio
from numpy.typing import NDArray
from rasterio.warp import transform as warped

import terradrift as td
from terradrift import schema
from terradrift.grid import parse_id

SHARE = 0.25
EARLY, LATE = 45, 120
FALSE = "nothing planted"
END = "end of "
_STEPS = (np.arange(10) + 0.5) / 10


@dataclass(frozen=True, slots=True, eq=False)
class Changes:
    """Changes of one model in one archive, in the order of their ids."""

    ids: NDArray[np.object_]
    patch: NDArray[np.object_]
    event: NDArray[np.object_]
    """As the archive groups them."""
    before: NDArray[np.float32]
    """(n, d)"""
    after: NDArray[np.float32]
    delta: NDArray[np.float32]
    group: NDArray[np.int64]
    """(n,), number of the true change that it is part of; -1: it is false."""
    kind: NDArray[np.object_]
    """(n,), kind of that, or `FALSE`."""

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def true(self) -> NDArray[np.bool_]:
        """(n,), those that are part of something true."""
        return self.group >= 0


def sampled(
    patches: NDArray[np.object_], path: Path, patch_size: int
) -> NDArray[np.float64]:
    """(n, 100) values of a raster at points spread over each patch, NaN outside."""
    with rasterio.open(path) as raster:
        values, place, crs = raster.read(1), raster.transform, raster.crs
    dx, dy = np.tile(_STEPS, 10), np.repeat(_STEPS, 10)
    out = np.full((len(patches), 100), np.nan)
    for number, patch in enumerate(patches):
        epsg, row, col = parse_id(patch)
        xs, ys = (col + dx) * patch_size, (row + dy) * patch_size
        if crs.to_epsg() != epsg:
            xs, ys = map(np.asarray, warped(f"EPSG:{epsg}", crs, xs, ys))
        x, y = (np.floor(axis).astype(int) for axis in ~place * (xs, ys))
        inside = (x >= 0) & (x < values.shape[1]) & (y >= 0) & (y < values.shape[0])
        out[number, inside] = values[y[inside], x[inside]]
    return out


def vectors(column: Any) -> NDArray[np.float32]:
    """(n, d) of a pandas column of lists."""
    return np.stack(column.to_numpy()).astype(np.float32)


def rows(archive: td.Archive, model: str) -> Any:
    """Changes of a model as pandas, in the order of their ids."""
    view = f"changes_{schema.suffix(model)}"
    return archive.sql(
        "SELECT change_id, patch_id, event_id, onset, score, before, after, delta "  # noqa: S608 - ours
        f"FROM {view} ORDER BY change_id"
    ).df()


def labelled(
    frame: Any, group: NDArray[np.int64], kind: NDArray[np.object_]
) -> Changes:
    """Rows with what they truly are."""
    return Changes(
        frame["change_id"].to_numpy(object),
        frame["patch_id"].to_numpy(object),
        frame["event_id"].to_numpy(object),
        *(vectors(frame[part]) for part in ("before", "after", "delta")),
        group,
        kind,
    )


def planted(archive: td.Archive, model: str, scenes: Path) -> Changes:
    """Changes of a simulated archive, each matched with what was planted."""
    frame = rows(archive, model)
    size = archive.store.settings.grid.patch_size
    truth = {
        feature["id"]: feature["properties"]
        for feature in json.loads((scenes / "truth.geojson").read_text())["features"]
    }
    numbers = sampled(frame["patch_id"].to_numpy(object), scenes / "truth.tif", size)
    onset = frame["onset"].dt.tz_convert(None).to_numpy().astype("datetime64[D]")
    group = np.full(len(frame), -1, np.int64)
    kind = np.full(len(frame), FALSE, object)
    for at in range(len(frame)):
        shares = {n: np.mean(numbers[at] == n) for n in np.unique(numbers[at]) if n > 0}
        best = max(shares, key=lambda n: shares[n], default=None)
        if best is None or shares[best] < SHARE:
            continue
        name = _kind(truth[int(best)], onset[at])
        if name is not None:
            # An end is an event of its own: it is not the change that it ends.
            group[at] = 2 * int(best) + name.startswith(END)
            kind[at] = name
    return labelled(frame, group, kind)


def _kind(change: dict[str, Any], onset: np.datetime64) -> str | None:
    begin = np.datetime64(change["onset"])
    end = np.datetime64(change["end"]) if change["end"] else None
    name = str(change["kind"])
    if end is not None and onset > end:
        begin, name = end, END + name
    days = (onset - begin).astype(int)
    return name if -EARLY <= days <= LATE else None
