"""When the patches of a tile were clearly seen, and what is nearest to an instant."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from terradrift.store import layout
from terradrift.store.layout import Layout

_NEVER = np.iinfo(np.int64).max


@dataclass(frozen=True, slots=True, eq=False)
class Seen:
    """The clear observations of the patches of one tile, by patch and instant."""

    ids: NDArray[np.bytes_]
    """(p,), sorted."""
    instants: NDArray[np.int64]
    """(t,), ascending, each once: all instants at which one of the patches was seen."""
    keys: NDArray[np.int64]
    """(n,), ascending: patch times t plus the number of the instant."""
    rows: NDArray[np.int64]
    """(n,), positions in the table."""

    @classmethod
    def read(cls, found: Layout, tile: str, clear_percent: float) -> "Seen":
        """Those that are at least so clear; a tile that is not there has none."""
        ranges = found.runs.get(tile, np.empty((0, 2), np.int64))
        columns = ["patch_id", "datetime", "clear_percent"]
        light = layout.read_table(found.dataset, columns, ranges)
        clear = pc.greater_equal(light["clear_percent"], clear_percent)
        kept = np.flatnonzero(pc.fill_null(clear, False).to_numpy())
        light = light.take(pa.array(kept))
        ids, patch = np.unique(
            encoded(light["patch_id"].to_pylist()), return_inverse=True
        )
        instants, at = np.unique(
            light["datetime"].cast(pa.int64()).to_numpy(), return_inverse=True
        )
        keys = patch * len(instants) + at
        order = np.argsort(keys)
        rows = layout.positions(ranges)[kept]
        return cls(ids, instants, keys[order], rows[order])

    def nearest(
        self, names: NDArray[np.bytes_], at: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """(i, n) rows of the observations of patches (n,) nearest to instants (i, n); -1: none."""
        if not len(self.keys):
            return np.full(at.shape, -1)
        patch = np.minimum(np.searchsorted(self.ids, names), len(self.ids) - 1)
        key = patch * len(self.instants)
        low, high = np.searchsorted(self.keys, [key, key + len(self.instants)])
        high = np.where(self.ids[patch] == names, high, low)
        after = np.searchsorted(
            self.keys, key + np.searchsorted(self.instants, at, "right")
        )
        last = len(self.keys) - 1
        before, after = np.clip(after - 1, 0, last), np.clip(after, 0, last)
        gaps = [
            np.where(
                (each >= low) & (each < high), np.abs(self._when(each) - at), _NEVER
            )
            for each in (before, after)
        ]
        # The earlier stays where both are as near.
        nearest = np.where(gaps[1] < gaps[0], after, before)
        return np.where(np.minimum(*gaps) < _NEVER, self.rows[nearest], -1)

    def _when(self, observation: NDArray[np.int64]) -> NDArray[np.int64]:
        when: NDArray[np.int64] = self.instants[
            self.keys[observation] % len(self.instants)
        ]
        return when


def encoded(patches: Sequence[str | None]) -> NDArray[np.bytes_]:
    """(n,) ids in UTF-8, empty for None."""
    return np.array([(patch or "").encode() for patch in patches], np.bytes_)
