"""What an archive says of its patches, in the arrays of an evaluation."""

import json
from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from terradrift import schema
from terradrift.archive import places
from terradrift.archive.stamp import stamp_of
from terradrift.detect.settings import Settings
from terradrift.errors import ArchiveError
from terradrift.evaluate.cover import Patches
from terradrift.evaluate.ground import Acquisitions, Reported
from terradrift.evaluate.method import Judged
from terradrift.evaluate.truth import NOT_A_DAY
from terradrift.grid import parse_id
from terradrift.store.tables import Store

SCORES = ("drift", "z", "lof", "cusum", "ewma")
"""Columns of `scores` that a patch can be ranked by: its largest value of any date."""
_ROWS = 1 << 20
_DAYS_A_YEAR = 365.25


def columns(store: Store, model: str) -> tuple[str, ...]:
    """Columns of `scores` that patches of this archive can be ranked by.

    Raises:
        ArchiveError: nothing is detected under the model.
    """
    held = set(_table(store, "scores", model).schema.names)
    return tuple(name for name in SCORES if name in held)


def _table(store: Store, base: str, model: str) -> "pa.dataset.Dataset":
    name = f"{base}_{schema.suffix(model)}"
    if not store.exists(name):
        raise ArchiveError(
            f"{store.root} has no {base} of {model}; run terradrift detect first"
        )
    return store.dataset(name)


def patches(store: Store) -> tuple[Patches, NDArray[np.float64]]:
    """All patches in order of id, and their corners in degrees."""
    if not store.exists("patches"):
        raise ArchiveError(f"{store.root} holds no patches; run terradrift run first")
    ids = np.sort(_texts(store.scan("patches", ["patch_id"]).read_all()["patch_id"]))
    cells = np.array([parse_id(each) for each in ids.tolist()], np.int64)
    grid = store.settings.grid
    return Patches(ids, cells, grid.patch_size), places.corners(grid, cells)


def _observations(
    store: Store, model: str, patches: Patches, column: str
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.datetime64], NDArray[np.float64]]]:
    """Row of the patch, day and a column of every observation that was clear enough."""
    stamp = stamp_of(store, f"events_{schema.suffix(model)}")
    held = json.loads(stamp or b"{}")
    least = float(held.get("min_clear", Settings().min_clear))
    ids = pa.array(patches.ids)
    _table(store, "scores", model)
    for batch in store.scan(
        f"scores_{schema.suffix(model)}",
        ["patch_id", "datetime", column],
        f"clear_percent >= {least}",
        batch_size=_ROWS,
    ):
        row = pc.index_in(batch["patch_id"], value_set=ids).to_numpy()
        days = _days(batch["datetime"])
        yield row, days, batch[column].to_numpy(zero_copy_only=False).astype(float)


def seen(
    store: Store, model: str, patches: Patches
) -> tuple[NDArray[np.datetime64], NDArray[np.datetime64]]:
    """First and last clear day (n,) of each patch, NaT where it has none."""
    first = np.full(len(patches), np.iinfo(np.int64).max)
    last = np.full(len(patches), np.iinfo(np.int64).min)
    for row, day, _ in _observations(store, model, patches, "clear_percent"):
        np.minimum.at(first, row, day.astype(np.int64))
        np.maximum.at(last, row, day.astype(np.int64))
    never = first > last
    found = tuple(each.astype("datetime64[D]") for each in (first, last))
    for each in found:
        each[never] = NOT_A_DAY
    return found[0], found[1]


def period(
    first: NDArray[np.datetime64], last: NDArray[np.datetime64], store: Store
) -> tuple[np.datetime64, np.datetime64]:
    """The first and the last day of all patches.

    Raises:
        ArchiveError: nothing was ever clear.
    """
    known = ~np.isnat(first)
    if not known.any():
        raise ArchiveError(f"no patch of {store.root} was ever clear enough")
    return first[known].min(), last[known].max()


def years(
    first: NDArray[np.datetime64], last: NDArray[np.datetime64]
) -> NDArray[np.float64]:
    """(n,) years from the first clear day to the last one, 0 where there are none."""
    days: NDArray[np.float64] = (last - first) / np.timedelta64(1, "D")
    return np.nan_to_num(days / _DAYS_A_YEAR)


def clear(
    store: Store, model: str, patches: Patches, wanted: NDArray[np.bool_]
) -> Acquisitions:
    """Clear days of the patches that are `wanted` (n,)."""
    rows, days = [np.zeros(0, np.int64)], [np.zeros(0, "datetime64[D]")]
    for row, day, _ in _observations(store, model, patches, "clear_percent"):
        kept = wanted[row]
        rows.append(row[kept])
        days.append(day[kept])
    return Acquisitions.of(len(patches), np.concatenate(rows), np.concatenate(days))


def changes(
    store: Store, model: str, patches: Patches
) -> tuple[Judged, NDArray[np.str_]]:
    """The strongest candidate of each patch, and why there is none."""
    _table(store, "patch_changes", model)
    held = store.scan(
        f"patch_changes_{schema.suffix(model)}",
        ["patch_id", "score", "onset", "n_changes", "reason"],
    ).read_all()
    row = _rows(held["patch_id"], patches)
    n = len(patches)
    score = np.full(n, np.nan, np.float32)
    onset = np.full(n, NOT_A_DAY)
    told = np.zeros(n, bool)
    reason = np.full(n, "never observed", object)
    score[row] = held["score"].to_numpy()
    onset[row] = _days(held["onset"])
    told[row] = held["n_changes"].to_numpy() > 0
    reason[row] = _texts(held["reason"])
    return Judged(score, onset, told), reason.astype(np.str_)


def reported(store: Store, model: str, patches: Patches) -> Reported:
    """Every change that is reported, with the rank of its event."""
    _table(store, "changes", model)
    name = schema.suffix(model)
    held = store.scan(
        f"changes_{name}",
        ["patch_id", "onset", "onset_early", "onset_late", "event_id"],
    ).read_all()
    events = store.scan(f"events_{name}", ["event_id", "rank"]).read_all()
    at = pc.index_in(held["event_id"], value_set=events["event_id"].combine_chunks())
    rank = pc.fill_null(events["rank"].take(at), 0)
    return Reported(
        _rows(held["patch_id"], patches),
        _days(held["onset"]),
        _days(held["onset_early"]),
        _days(held["onset_late"]),
        rank.to_numpy().astype(np.int64),
    )


def largest(
    store: Store, model: str, patches: Patches, column: str
) -> tuple[Judged, NDArray[np.str_]]:
    """The largest value of each patch, and the day of it."""
    n = len(patches)
    best = np.full(n, -np.inf)
    when = np.full(n, NOT_A_DAY)
    for row, day, value in _observations(store, model, patches, column):
        order = np.argsort(value, kind="stable")
        order = order[np.isfinite(value[order])]
        highest = np.full(n, -np.inf)
        highest[row[order]] = value[order]  # of several at one place the last one stays
        at = np.full(n, NOT_A_DAY)
        at[row[order]] = day[order]
        more = highest > best
        best[more], when[more] = highest[more], at[more]
    judged = np.isfinite(best)
    score = np.where(judged, best, np.nan).astype(np.float32)
    reason = np.where(judged, "", f"no {column} on any date")
    return Judged(score, when, np.zeros(n, bool)), reason


def _rows(ids: pa.ChunkedArray, patches: Patches) -> NDArray[np.int64]:
    found: NDArray[np.int64] = (
        pc.index_in(ids, value_set=pa.array(patches.ids)).to_numpy().astype(np.int64)
    )
    return found


def _days(column: pa.ChunkedArray | pa.Array) -> NDArray[np.datetime64]:
    plain = column.cast(pa.timestamp("us"))
    if isinstance(plain, pa.ChunkedArray):
        plain = plain.combine_chunks()
    days: NDArray[np.datetime64] = plain.to_numpy(zero_copy_only=False).astype(
        "datetime64[D]"
    )
    return days


def _texts(column: pa.ChunkedArray) -> NDArray[np.str_]:
    return np.asarray(pc.fill_null(column, "").to_pylist(), np.str_)
