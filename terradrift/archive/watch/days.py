"""What `watch` reads of the embeddings: one day at a time, and what tells that one changed."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from terradrift import schema
from terradrift.detect.monitor.fixed import finite, project
from terradrift.detect.monitor.reference import Reference
from terradrift.errors import ArchiveError
from terradrift.store import sameday
from terradrift.store.series import vectors_of
from terradrift.store.tables import Store
from terradrift.store.units import embeddings_table

DAY = np.timedelta64(1, "D")


def observed(
    store: Store, model: str, date: np.datetime64, held: Reference
) -> tuple[
    NDArray[np.str_],
    NDArray[np.datetime64],
    NDArray[np.bool_],
    NDArray[np.float32],
]:
    """Ids (m,), instants, which are clear, and reduced vectors (m, r) of one day.

    Sorted by patch; of two observations of a patch the clearest, as everywhere.
    """
    ids, times, percent, clear, reduced = [], [], [], [], []
    for batch in store.scan(
        embeddings_table(model),
        ["patch_id", "datetime", "clear_percent", "embedding"],
        _between(date, date + DAY),
    ):
        share = batch.column("clear_percent").to_numpy(zero_copy_only=False)
        whole = vectors_of(batch.column("embedding"))
        with np.errstate(invalid="ignore"):
            usable = (share >= held.rules.min_clear) & finite(whole)
        vectors = np.zeros((batch.num_rows, held.basis.axes.shape[1]), np.float32)
        vectors[usable] = project(held.basis, whole[usable])
        ids.append(np.array(batch.column("patch_id").to_pylist(), np.str_))
        times.append(batch.column("datetime").cast(pa.int64()).to_numpy())
        percent.append(share.astype(np.float32))
        clear.append(usable)
        reduced.append(vectors)
    every = np.concatenate(ids)
    instants, share = np.concatenate(times), np.concatenate(percent)
    order = np.lexsort((instants, -np.nan_to_num(share, nan=-1.0), every))
    first = np.ones(len(order), bool)
    first[1:] = every[order][1:] != every[order][:-1]
    kept = order[first]
    return (
        every[kept],
        instants[kept].view("datetime64[us]"),
        np.concatenate(clear)[kept],
        np.concatenate(reduced)[kept],
    )


def _between(first: np.datetime64 | None, end: np.datetime64) -> str:
    """Condition on `datetime`: days are ours, written as numbers."""
    until = f"datetime < TIMESTAMP '{end.astype('datetime64[D]')} 00:00:00Z'"
    if first is None:
        return until
    return (
        f"datetime >= TIMESTAMP '{first.astype('datetime64[D]')} 00:00:00Z' AND {until}"
    )


def days(store: Store, model: str, first: np.datetime64) -> list[np.datetime64]:
    """Days from `first` on that the archive holds observations of, ascending."""
    found: set[int] = set()
    condition = f"datetime >= TIMESTAMP '{first.astype('datetime64[D]')} 00:00:00Z'"
    for batch in store.scan(embeddings_table(model), ["datetime"], condition):
        found.update(np.unique(sameday.days(batch.column("datetime"))).tolist())
    return [np.datetime64(one, "D") for one in sorted(found)]


def last_day(store: Store, model: str) -> np.datetime64:
    """The last day that the archive holds observations of."""
    batches = store.scan(embeddings_table(model), ["datetime"])
    last = max(int(sameday.days(one.column("datetime")).max()) for one in batches)
    return np.datetime64(last, "D")


def first_day(store: Store, model: str, start: np.datetime64 | None) -> np.datetime64:
    """`start`, or the day after the last one held.

    Raises:
        ArchiveError: `start` is later: the days between may be still to come.
    """
    latest = last_day(store, model) + DAY
    if start is not None and start > latest:
        raise ArchiveError(
            f"expected a start of {latest} at the latest, the day after the last one that "
            f"{store.root} holds, got {start}; start earlier, or ingest what lies between"
        )
    return latest if start is None else start


def count(
    store: Store, model: str, first: np.datetime64 | None, end: np.datetime64
) -> int:
    """Observations of the days from `first` up to, not including, `end`."""
    return store.count(embeddings_table(model), _between(first, end))


def fingerprint(
    store: Store, model: str, first: np.datetime64, end: np.datetime64
) -> list[int]:
    """Changes where an observation of these days is added, or replaced by a clearer one.

    Every unit that adds or replaces rows is in the ledger, so the units of the scenes of
    these days are counted beside the rows.
    """
    rows = count(store, model, first, end)
    units = f"units_{schema.suffix(model)}"
    if not store.exists(units) or not store.exists("scenes"):
        return [rows, 0]
    scenes = store.scan("scenes", ["scene_id"], _between(first, end)).read_all()
    known = pa.array(scenes["scene_id"].unique().to_pylist(), pa.string())
    held = store.scan(units, ["scene_id"]).read_all()["scene_id"]
    return [rows, int(pa.compute.sum(pa.compute.is_in(held, known)).as_py() or 0)]
