"""Drift of patches between two instants: cosine distance of what was seen nearest to each.

For each instant the clear observation of the patch counts that lies nearest to it in time,
before or after; of two equally near ones the earlier. Clear is `CLEAR_PERCENT`, which is
what `detect` takes by default. Tables are read tile by tile, in ranges.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from terradrift.errors import QueryError
from terradrift.query import tables as _tables
from terradrift.query.lance_scan import PICK_SHARE
from terradrift.space import Space
from terradrift.store import layout, spaces
from terradrift.store.series import vectors_of

if TYPE_CHECKING:
    import lance

    from terradrift.store.tables import Store

CLEAR_PERCENT = 70.0
"""Observations less clear than this, or of unknown clearness, are not compared."""

_TILES_HELD = 256
"""Tiles whose dates are remembered: some half a megabyte each."""
_NEVER = np.iinfo(np.int64).max
_RANGE_BYTES = 1 << 19
"""What starting to read another range costs, in bytes that could be read meanwhile."""


@dataclass(frozen=True, slots=True, eq=False)
class _Tile:
    """The clear observations of one tile's patches, by patch and instant."""

    ids: NDArray[np.bytes_]
    """(p,), sorted."""
    instants: NDArray[np.int64]
    """(t,), ascending, each once: all instants at which one of the patches was seen."""
    keys: NDArray[np.int64]
    """(n,), ascending: patch times t plus the number of the instant."""
    rows: NDArray[np.int64]
    """(n,), positions in the table."""

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


class Histories:
    """What was seen when of every patch under one model, at the versions of a store.

    Made once and asked often, from any thread: dates of tiles are remembered.
    """

    def __init__(self, store: "Store", model: str | None) -> None:
        self._store = store
        self._model = model
        self._tile = lru_cache(_TILES_HELD)(self._read)
        self._layout = lru_cache(1)(lambda: layout.layout(self._embeddings()))
        self._places = lru_cache(1)(self._read_places)
        self._space = lru_cache(1)(
            lambda: spaces.current(store, model) if model else None
        )

    def check(self, patches: Sequence[str | None]) -> None:
        """Raise `QueryError` where one of the ids is no patch of the archive; None passes."""
        self._tiles_of(_encoded(patches), patches)

    def drift(
        self,
        patches: Sequence[str | None],
        first: NDArray[np.datetime64],
        second: NDArray[np.datetime64],
    ) -> NDArray[np.float64]:
        """Cosine distances (n,), 0..2, in the archive's current space of the model.

        NaN where the patch or an instant is not given (None, NaT), where the patch has no
        clear observation, where one observation is nearest to both instants, and where a
        vector has no direction.

        Raises:
            QueryError: no patch of that id, or no embeddings of the model.
        """
        names = _encoded(patches)
        tiles = self._tiles_of(names, patches)
        given = (tiles >= 0) & ~np.isnat(first) & ~np.isnat(second)
        instants = np.stack([first, second]).astype("M8[us]").astype(np.int64)
        rows = np.full(instants.shape, -1)
        for tile in np.unique(tiles[given]).tolist():
            here = np.flatnonzero(given & (tiles == tile))
            held = self._tile(self._places()[2][tile])
            rows[:, here] = held.nearest(names[here], instants[:, here])
        apart = np.flatnonzero((rows >= 0).all(axis=0) & (rows[0] != rows[1]))
        found = np.full(len(names), np.nan)
        if len(apart):
            vectors = _vectors(self._embeddings(), rows[:, apart])
            found[apart] = _cosine(vectors[0], vectors[1], self._space())
        return found

    def _embeddings(self) -> "lance.LanceDataset":
        opened = {name: self._store.dataset(name) for name in self._store.tables()}
        return _tables.of_model(opened, "embeddings", self._model)

    def _read(self, tile: str) -> _Tile:
        found = self._layout()
        ranges = found.runs.get(tile, np.empty((0, 2), np.int64))
        columns = ["patch_id", "datetime", "clear_percent"]
        light = layout.read_table(found.dataset, columns, ranges)
        rows = layout.positions(ranges)
        clear = pc.fill_null(
            pc.greater_equal(light["clear_percent"], CLEAR_PERCENT), False
        )
        kept = np.flatnonzero(clear.to_numpy())
        light, rows = light.take(pa.array(kept)), rows[kept]
        ids, patch = np.unique(
            _encoded(light["patch_id"].to_pylist()), return_inverse=True
        )
        instants, at = np.unique(
            light["datetime"].cast(pa.int64()).to_numpy(), return_inverse=True
        )
        keys = patch * len(instants) + at
        order = np.argsort(keys)
        return _Tile(ids, instants, keys[order], rows[order])

    def _read_places(
        self,
    ) -> tuple[NDArray[np.bytes_], NDArray[np.int64], list[str]]:
        """Ids of all patches (n,), sorted; the number of each one's tile; names of tiles."""
        if not self._store.exists("patches"):
            raise QueryError(
                "the archive has no patches yet; run terradrift ingest first"
            )
        rows = self._store.scan("patches", ["patch_id", "tile"]).read_all()
        ids = _encoded(rows["patch_id"].to_pylist())
        coded = rows["tile"].combine_chunks().dictionary_encode()
        order = np.argsort(ids)
        numbers = coded.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        return ids[order], numbers[order], coded.dictionary.to_pylist()

    def _tiles_of(
        self, names: NDArray[np.bytes_], patches: Sequence[str | None]
    ) -> NDArray[np.int64]:
        """(n,) number of each patch's tile, -1 where no patch is given."""
        ids, tiles, _ = self._places()
        asked = np.array([patch is not None for patch in patches], bool)
        at = np.minimum(np.searchsorted(ids, names), max(len(ids) - 1, 0))
        known = ids[at] == names if len(ids) else np.zeros(len(names), bool)
        for wrong in np.flatnonzero(asked & ~known)[:1].tolist():
            like = (
                f"ids look like {ids[0].decode()}" if len(ids) else "there are none yet"
            )
            raise QueryError(f"no patch {patches[wrong]!r} in the archive; {like}")
        return np.where(asked, tiles[at] if len(ids) else -1, -1)


def drift_between(
    store: "Store",
    patch: str,
    first: str | date | datetime,
    second: str | date | datetime,
    *,
    model: str | None = None,
) -> float | None:
    """Cosine distance (0..2) of one patch between two instants; None where it is not known.

    See `Histories.drift`. Text is ISO 8601; a day is its first instant; UTC where nothing
    else is said.

    Raises:
        QueryError: no such patch, no embeddings, or an instant that cannot be read.
    """
    held = Histories(store, model or store.settings.model)
    at = [np.array([_instant(each)], "M8[us]") for each in (first, second)]
    (found,) = held.drift([patch], *at)
    return None if np.isnan(found) else float(found)


def _instant(given: str | date | datetime) -> np.datetime64:
    try:
        value = datetime.fromisoformat(given) if isinstance(given, str) else given
    except ValueError as error:
        raise QueryError(
            f"expected an instant such as 2018-05-16 or 2018-05-16T10:50:00, got {given!r}"
        ) from error
    if not isinstance(value, datetime):
        value = datetime.combine(value, time())
    if value.tzinfo is not None:
        value = value.astimezone(UTC).replace(tzinfo=None)
    return np.datetime64(value, "us")


def _encoded(patches: Sequence[str | None]) -> NDArray[np.bytes_]:
    """(n,) ids in UTF-8, empty for None."""
    return np.array([(patch or "").encode() for patch in patches], np.bytes_)


def _vectors(
    dataset: "lance.LanceDataset", rows: NDArray[np.int64]
) -> NDArray[np.float16]:
    """(..., d) vectors at the positions `rows` (...)."""
    distinct, at = np.unique(rows, return_inverse=True)
    d = dataset.schema.field("embedding").type.list_size
    out = np.zeros((len(distinct), d), np.float16)
    ranges = layout.covering(distinct, _RANGE_BYTES // (2 * d))
    if len(distinct) <= PICK_SHARE * np.diff(ranges, axis=1).sum():
        taken = dataset.take(distinct, columns=["embedding"])["embedding"]
        out[:] = vectors_of(taken.combine_chunks())
    else:
        for start, batch in layout.read_ranges(dataset, ["embedding"], ranges):
            low, high = np.searchsorted(distinct, [start, start + batch.num_rows])
            source = vectors_of(batch.column("embedding"))
            out[low:high] = source[distinct[low:high] - start]
    return out[at.reshape(rows.shape)]


def _cosine(
    one: NDArray[np.float16], two: NDArray[np.float16], space: Space | None
) -> NDArray[np.float64]:
    """(n,) distances of the rows (n, d) in the space, NaN where one has no direction."""
    a, b = (
        (space.place(each.astype(np.float32)) if space else each).astype(np.float64)
        for each in (one, two)
    )
    lengths = np.sqrt((a * a).sum(axis=1) * (b * b).sum(axis=1))
    with np.errstate(invalid="ignore", divide="ignore"):
        cosine = (a * b).sum(axis=1) / lengths
    # Zeros stand for no vector; in a space they would lie somewhere.
    cosine[~(np.isfinite(cosine) & one.any(axis=1) & two.any(axis=1))] = np.nan
    distance: NDArray[np.float64] = np.clip(1.0 - cosine, 0.0, 2.0)
    return distance
