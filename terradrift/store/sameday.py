"""One observation per patch and day: of two scenes, the clearer one stays.

A second scene of a day may come long after the first was stored. Which of two rows stays
depends on the rows alone, not on the order in which they came, so a run that was killed
and taken up again ends with the same rows as one that was not.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import lance
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from terradrift.errors import ArchiveError

Place = tuple[str, int]
"""A tile and a day (days since 1970-01-01, UTC)."""

US_PER_DAY = 86_400_000_000
_KEYS = ["patch_id", "datetime", "scene_id", "clear_percent"]


@dataclass(frozen=True, slots=True, eq=False)
class Outcome:
    """What is to be written, and what is to go, in one commit."""

    keep: NDArray[np.bool_]
    """(n,), the new rows that stay."""
    lost: NDArray[np.uint64]
    """Row addresses of the stored rows that a new one replaces."""


def days(datetimes: pa.Array | pa.ChunkedArray) -> NDArray[np.int64]:
    """(n,) days since 1970-01-01 of `timestamp[us, UTC]` values."""
    instants: NDArray[np.int64] = datetimes.cast(pa.int64()).to_numpy(
        **({} if isinstance(datetimes, pa.ChunkedArray) else {"zero_copy_only": False})
    )
    return np.floor_divide(instants, US_PER_DAY)


def places(batches: Iterable[pa.RecordBatch]) -> set[Place]:
    """The (tile, day) pairs of rows with columns `tile` and `datetime`."""
    found: set[Place] = set()
    for batch in batches:
        tiles = batch.column("tile").dictionary_encode()
        codes = tiles.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        day = days(batch.column("datetime"))
        names = tiles.dictionary.to_pylist()
        for code, number in np.unique(np.column_stack([codes, day]), axis=0):
            found.add((names[code], int(number)))
    return found


def resolve(dataset: lance.LanceDataset, rows: pa.Table, clash: set[Place]) -> Outcome:
    """Compare new rows with the stored ones of the same tiles and days.

    The clearest stays; of equally clear ones the earlier, then the lower `scene_id`.
    """
    held = _stored(dataset, clash)
    both = pa.concat_tables([held.select(_KEYS), rows.select(_KEYS)])
    patch = both["patch_id"].combine_chunks().dictionary_encode()
    scene = both["scene_id"].to_numpy()
    clear = pc.fill_null(both["clear_percent"], -1.0).to_numpy()
    instant = both["datetime"].cast(pa.int64()).to_numpy()
    code = patch.indices.to_numpy(zero_copy_only=False).astype(np.int64)
    day = instant // US_PER_DAY
    # Rows of one place and day become neighbours, the one that stays first.
    _, scene_rank = np.unique(scene.astype(np.str_), return_inverse=True)
    order = np.lexsort((scene_rank, instant, -clear, day, code))
    again = np.zeros(len(order), bool)
    again[1:] = (np.diff(code[order]) == 0) & (np.diff(day[order]) == 0)
    loses = np.zeros(len(order), bool)
    loses[order[again]] = True
    stored = len(held)
    address = held["_rowaddr"].to_numpy()
    return Outcome(keep=~loses[stored:], lost=address[loses[:stored]])


def _stored(dataset: lance.LanceDataset, clash: set[Place]) -> pa.Table:
    tiles = sorted({tile for tile, _ in clash})
    first = min(day for _, day in clash)
    last = max(day for _, day in clash)
    listed = ", ".join(f"'{tile}'" for tile in tiles)
    return dataset.scanner(
        columns=_KEYS,
        filter=f"tile IN ({listed}) AND datetime >= {_instant(first)} "
        f"AND datetime < {_instant(last + 1)}",
        with_row_address=True,
    ).to_table()


def _instant(day: int) -> str:
    return f"TIMESTAMP '{np.datetime64(day, 'D')} 00:00:00Z'"


def replace(
    dataset: lance.LanceDataset,
    rows: pa.Table,
    lost: NDArray[np.uint64],
    properties: dict[str, str],
) -> None:
    """Add `rows` and remove the rows at the addresses `lost`, in one Lance commit."""
    added = (
        lance.fragment.write_fragments(rows, dataset, schema=rows.schema)
        if rows.num_rows
        else []
    )
    exchange(dataset, added, lost, properties)


def exchange(
    dataset: lance.LanceDataset,
    added: list[lance.FragmentMetadata],
    lost: NDArray[np.uint64],
    properties: dict[str, str],
) -> None:
    """Add fragments that are written and remove the rows at `lost`, in one Lance commit."""
    updated, removed = [], []
    fragments = lost >> np.uint64(32)
    for number in np.unique(fragments):
        fragment = dataset.get_fragment(int(number))
        listed = ", ".join(str(row) for row in lost[fragments == number])
        if fragment is None:
            raise ArchiveError(
                f"fragment {number} is gone from {dataset.uri}; run again"
            )
        left = fragment.delete(f"_rowaddr IN ({listed})")
        if left is None:
            removed.append(int(number))
        else:
            updated.append(left)
    lance.LanceDataset.commit(
        dataset,
        lance.Transaction(
            read_version=dataset.version,
            operation=lance.LanceOperation.Update(
                removed_fragment_ids=removed,
                updated_fragments=updated,
                new_fragments=added,
            ),
            transaction_properties=properties,
        ),
    )
