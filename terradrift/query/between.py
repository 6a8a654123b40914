"""Drift of patches between two instants: cosine distance of what was seen nearest to each.

For each instant the clear observation of the patch counts that lies nearest to it in time,
before or after; of two equally near ones the earlier. Clear is `CLEAR_PERCENT`, which is
what `detect` takes by default. Tables are read tile by tile, in ranges.
"""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time
from functools import lru_cache
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from terradrift.errors import QueryError
from terradrift.query import tables as _tables
from terradrift.query.lance_scan import PICK_SHARE
from terradrift.query.seen import Seen, encoded
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
_RANGE_BYTES = 1 << 19
"""What starting to read another range costs, in bytes that could be read meanwhile."""


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
        self._tiles_of(encoded(patches), patches)

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
        names = encoded(patches)
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
            # Positions are of the version that was laid out.
            vectors = _vectors(self._layout().dataset, rows[:, apart])
            found[apart] = _cosine(vectors[0], vectors[1], self._space())
        return found

    def _embeddings(self) -> "lance.LanceDataset":
        opened = {
            name: self._store.dataset(name)
            for name in self._store.tables()
            if name.startswith("embeddings_")
        }
        return _tables.of_model(opened, "embeddings", self._model)

    def _read(self, tile: str) -> Seen:
        return Seen.read(self._layout(), tile, CLEAR_PERCENT)

    def _read_places(
        self,
    ) -> tuple[NDArray[np.bytes_], NDArray[np.int64], list[str]]:
        """Ids of all patches (n,), sorted; the number of each one's tile; names of tiles."""
        if not self._store.exists("patches"):
            raise QueryError(
                "the archive has no patches yet; run terradrift ingest first"
            )
        rows = self._store.scan("patches", ["patch_id", "tile"]).read_all()
        ids = encoded(rows["patch_id"].to_pylist())
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
