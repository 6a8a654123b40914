"""Whole histories of patches, tile by tile, in blocks of bounded memory."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from functools import partial

import lance
import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from terradrift import grid
from terradrift.chip import INDICES
from terradrift.series import Series
from terradrift.store import layout, sameday
from terradrift.store.ahead import ahead as ahead_of
from terradrift.store.layout import Layout
from terradrift.store.tables import Store
from terradrift.store.units import embeddings_table

MAX_BYTES = 64 << 20
"""Bytes of float16 vectors in a block, before its patches are cut into another one."""

_AHEAD = 2
_RANGE_BYTES = 1 << 19
"""What starting to read another range costs, in bytes that could be read meanwhile."""

_LIGHT = ["patch_id", "datetime", "clear_percent", *INDICES]


def tiles(store: Store, model: str) -> list[str]:
    """Tiles that have embeddings under the model, sorted."""
    return list(_layout(store, model).runs)


def series(
    store: Store, model: str, tile: str, max_bytes: int = MAX_BYTES
) -> Iterator[Series]:
    """The histories of one tile's patches in blocks, sorted by patch, then day."""
    return blocks(store, model, [tile], max_bytes)


def blocks(
    store: Store,
    model: str,
    wanted: Iterable[str] | None = None,
    max_bytes: int = MAX_BYTES,
    ahead: int = _AHEAD,
) -> Iterator[Series]:
    """The histories of all patches, or of those in the tiles `wanted`, tile by tile.

    A block holds whole patches with their whole history and at most `max_bytes` of
    vectors (one patch at least). `ahead` blocks are read while one is being used. All
    blocks come from one version of the table. Where two observations of a patch share a
    day, the clearest is given.
    """
    found = _layout(store, model)
    chosen = found.runs if wanted is None else wanted
    there = (tile for tile in chosen if tile in found.runs)
    plans = ahead_of((partial(_plan, found, tile, max_bytes) for tile in there), ahead)
    tasks = (
        partial(_load, found.dataset, plan, first, last)
        for plan in plans
        for first, last in plan.cuts
    )
    return ahead_of(tasks, ahead)


@dataclass(frozen=True, slots=True, eq=False)
class _Plan:
    """One tile's rows without their vectors, sorted by patch and day."""

    ids: NDArray[np.str_]
    """(p,), sorted."""
    cells: NDArray[np.int64]
    """(p, 3)"""
    patch: NDArray[np.int64]
    """(n,), index into `ids` of each row, ascending."""
    rows: NDArray[np.int64]
    """(n,), position of each row in the table."""
    day: NDArray[np.int64]
    """(n,), days since 1970-01-01, UTC."""
    times: NDArray[np.datetime64]
    clear: NDArray[np.float32]
    indices: NDArray[np.float32]
    """(n, 3)"""
    cuts: list[tuple[int, int]]
    """First and last-but-one patch of each block."""


def _layout(store: Store, model: str) -> Layout:
    return layout.layout(store.dataset(embeddings_table(model)))


def _plan(found: Layout, tile: str, max_bytes: int) -> _Plan:
    """Sort one tile's observations, and cut its patches into blocks."""
    ranges = found.runs[tile]
    light = layout.read_table(found.dataset, _LIGHT, ranges)
    ids, patch = _factorise(light["patch_id"])
    times = light["datetime"].cast(pa.int64()).to_numpy()
    clear = _floats(light, "clear_percent")
    day = times // sameday.US_PER_DAY
    order = _order(patch, day, clear, times)
    patch = patch[order]
    size = found.dataset.schema.field("embedding").type.list_size * 2
    per_patch = size * len(_distinct_days(day)[0])
    step = max(1, max_bytes // per_patch)
    return _Plan(
        ids=ids,
        cells=np.array([grid.parse_id(str(id_)) for id_ in ids], np.int64).reshape(
            -1, 3
        ),
        patch=patch,
        rows=layout.positions(ranges)[order],
        day=day[order],
        times=times[order].astype("datetime64[us]"),
        clear=clear[order],
        indices=np.column_stack([_floats(light, name) for name in INDICES])[order],
        cuts=[(at, min(at + step, len(ids))) for at in range(0, len(ids), step)],
    )


def _factorise(names: pa.ChunkedArray) -> tuple[NDArray[np.str_], NDArray[np.int64]]:
    """Distinct names in sorted order, and each value's index into them."""
    encoded = pa.chunked_array(names, pa.string()).combine_chunks().dictionary_encode()
    distinct = np.array(encoded.dictionary.to_pylist(), dtype=np.str_)
    order = np.argsort(distinct)
    rank = np.empty(len(distinct), np.int64)
    rank[order] = np.arange(len(distinct))
    codes = encoded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    patch: NDArray[np.int64] = np.take(rank, codes)
    return distinct[order], patch


def _order(
    patch: NDArray[np.int64],
    day: NDArray[np.int64],
    clear: NDArray[np.float32],
    times: NDArray[np.int64],
) -> NDArray[np.int64]:
    """Rows by patch and day, each pair once: the clearest, then the earliest."""
    key = patch * (1 << 32) + day  # days since 1970 are far below 2**31
    if np.all(np.diff(key) > 0):
        return np.arange(len(key))
    order = np.lexsort((times, -np.nan_to_num(clear, nan=-1.0), key))
    first = np.ones(len(order), bool)
    first[1:] = np.diff(key[order]) > 0
    kept: NDArray[np.int64] = order[first]
    return kept


def _floats(light: pa.Table, name: str) -> NDArray[np.float32]:
    values: NDArray[np.float32] = light[name].to_numpy()
    return values.astype(np.float32, copy=False)


def _load(dataset: lance.LanceDataset, plan: _Plan, first: int, last: int) -> Series:
    """Read the vectors of the patches `first` up to `last` into their places."""
    start, stop = np.searchsorted(plan.patch, [first, last])
    here = slice(int(start), int(stop))
    days, column = _distinct_days(plan.day[here])
    n, t = last - first, len(days)
    slot = (plan.patch[here] - first) * t + column
    vectors = _vectors(dataset, plan.rows[here], slot, n * t)
    times = np.full(n * t, np.datetime64("NaT"), "datetime64[us]")
    times[slot] = plan.times[here]
    clear = np.full(n * t, np.nan, np.float32)
    clear[slot] = plan.clear[here]
    indices = np.full((n * t, len(INDICES)), np.nan, np.float32)
    indices[slot] = plan.indices[here]
    return Series(
        patch_ids=plan.ids[first:last],
        cells=plan.cells[first:last],
        days=days.astype("datetime64[D]"),
        times=times.reshape(n, t),
        vectors=vectors.reshape(n, t, -1),
        clear_percent=clear.reshape(n, t),
        indices=indices.reshape(n, t, len(INDICES)),
    )


def _distinct_days(
    day: NDArray[np.int64],
) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Distinct days ascending, and each row's index into them; linear in the rows."""
    lowest = day.min()
    seen = np.zeros(int(day.max() - lowest) + 1, bool)
    seen[day - lowest] = True
    rank = np.cumsum(seen) - 1
    return np.flatnonzero(seen) + lowest, rank[day - lowest]


def _vectors(
    dataset: lance.LanceDataset,
    rows: NDArray[np.int64],
    slot: NDArray[np.int64],
    count: int,
) -> NDArray[np.float16]:
    """(count, d): the vector of each of `rows` at its `slot`, zeros elsewhere."""
    d = dataset.schema.field("embedding").type.list_size
    # Arrow's pool keeps pages that are in place already; fresh ones cost half the speed.
    buffer = pa.allocate_buffer(count * d * 2)
    out = np.frombuffer(buffer, np.float16).reshape(count, d)
    empty = np.ones(count, bool)
    empty[slot] = False
    out[empty] = 0
    _scatter(dataset, rows, slot, out)
    return out


def _scatter(
    dataset: lance.LanceDataset,
    rows: NDArray[np.int64],
    slot: NDArray[np.int64],
    out: NDArray[np.float16],
) -> None:
    """Put the vector of each of `rows` into row `slot` of `out`, batch by batch."""
    order = np.argsort(rows, kind="stable")
    rows, slot = rows[order], slot[order]
    whole = np.dtype((np.void, out.shape[1] * out.itemsize))  # one copy per vector
    target = out.view(whole)[:, 0]
    ranges = layout.covering(rows, _RANGE_BYTES // whole.itemsize)
    for at, batch in layout.read_ranges(dataset, ["embedding"], ranges):
        low, high = np.searchsorted(rows, [at, at + batch.num_rows])
        source = vectors_of(batch.column("embedding")).view(whole)[:, 0]
        if high - low < len(source):
            source = source[rows[low:high] - at]
        target[slot[low:high]] = source


def vectors_of(column: pa.FixedSizeListArray) -> NDArray[np.float16]:
    """(n, d) view of a column of vectors, without a copy."""
    flat: NDArray[np.float16] = column.flatten().to_numpy(zero_copy_only=True)
    return flat.reshape(len(column), column.type.list_size)
