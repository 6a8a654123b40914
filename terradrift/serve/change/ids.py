"""Where the rows of a change, an event's changes or a patch's changes stand in their table.

A scan of a million ids costs a tenth of a second; held in memory (some 80 MB) it is 5 ms.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

if TYPE_CHECKING:
    import lance

KEYS = ("change_id", "event_id", "patch_id")


class Ids:
    """The ids of one version of the table `changes`."""

    def __init__(self, table: "lance.LanceDataset") -> None:
        found = table.to_table(columns=list(KEYS))
        self._change = found["change_id"].combine_chunks()
        # Few values, many times over: numbers are a quarter of the words.
        self._others = {
            key: found[key].combine_chunks().dictionary_encode()
            for key in ("event_id", "patch_id")
        }

    def change(self, change_id: str) -> int | None:
        """Position of a change's row; None where there is none."""
        at = int(pc.index(self._change, pa.scalar(change_id, pa.string())).as_py())
        return None if at < 0 else at

    def changes(self, ids: Sequence[str]) -> NDArray[np.int64]:
        """(n,) positions of the rows of changes, -1 where there is none."""
        wanted = pa.array(ids, pa.string())
        there = pc.index_in(self._change, value_set=wanted)
        rows = np.flatnonzero(pc.is_valid(there).to_numpy(zero_copy_only=False))
        found = np.full(len(ids), -1, np.int64)
        found[there.take(pa.array(rows)).to_numpy()] = rows
        return found

    def patches_of(self, event_id: str) -> set[str]:
        """The patches of an event's changes."""
        coded = self._others["patch_id"]
        numbers = pc.unique(coded.indices.take(pa.array(self.of("event_id", event_id))))
        return set(coded.dictionary.take(numbers).to_pylist())

    def of(self, key: str, value: str) -> NDArray[np.int64]:
        """Positions of the rows of an event (`event_id`) or of a patch (`patch_id`)."""
        coded = self._others[key]
        number = pc.index(coded.dictionary, pa.scalar(value, pa.string())).as_py()
        if number < 0:
            return np.empty(0, np.int64)
        same = pc.fill_null(
            pc.equal(coded.indices, pa.scalar(number, pa.int32())), False
        )
        found: NDArray[np.int64] = np.flatnonzero(same.to_numpy(zero_copy_only=False))
        return found
