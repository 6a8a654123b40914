"""terradrift as engines of `search.py`: the index alone, exact scans, and whole searches.

`index` and `flat` are asked for row ids, as FAISS is: `near` by codes, and `exact` over the
same files. `similar` is what a user calls, on a process that holds nothing but the archive:
planning, search, ties, the rows' columns. `stream` is the same without any index.
"""

# ruff: noqa: ARG002 - all engines are asked alike

from typing import Any

import _vectors as vectors
import numpy as np
import pyarrow as pa
from _vector_engine import Engine, Rows
from numpy.typing import NDArray

COLUMNS = ("delta",)


class Index(Engine):
    """`query.index` alone: `near`, with the recall that it says."""

    grows = False

    @property
    def files(self) -> tuple[str, ...]:
        return ("bench.td/index",)

    def build(self) -> None:
        from terradrift.query.index.build import build
        from terradrift.store.tables import Store

        store = Store.open(self.folder / "bench.td")
        build(store, vectors.TABLE, COLUMNS, None, threads=self.threads, quiet=True)

    def open(self) -> None:
        from terradrift.query.index import held
        from terradrift.store.tables import Store

        store = Store.open(self.folder / "bench.td")
        table = store.opened(vectors.TABLE)
        index = held.opened(store, vectors.TABLE, table, COLUMNS, None)
        assert index is not None, "no index to open"
        self.index, self.kept = index, {}
        parts = table.get_fragments()
        self.first = np.array([p.fragment_id for p in parts], np.uint64) << np.uint64(
            32
        )
        self.starts = np.cumsum([0, *(p.physical_rows for p in parts)])

    def ready(self, name: str) -> None:
        rows = vectors.passing(name, self.starts[-1])
        at = np.searchsorted(self.starts, rows, side="right") - 1
        self.kept[name] = self.first[at] + (rows - self.starts[at]).astype(np.uint64)

    def _query(self, query: NDArray[np.float32]) -> Any:
        from terradrift.query.search.nearest import Query

        return Query(COLUMNS, query[None], ("change_id",))

    def search(self, query: NDArray[np.float32], k: int, way: str, name: str) -> Any:
        found, _ = self.index.near(
            self._query(query), k, allowed=self.kept.get(name), threads=self.threads
        )
        return found.row_ids

    def decode(self, found: Any) -> Rows:
        at = np.searchsorted(self.first, found, side="right") - 1
        return self.starts[at] + (found - self.first[at]).astype(np.int64)


class Flat(Index):
    """`exact` of the same files: every row, in float16, again in float64 near the k-th."""

    exact = True

    def search(self, query: NDArray[np.float32], k: int, way: str, name: str) -> Any:
        allowed = self.kept.get(name)
        found = self.index.exact(
            self._query(query), k, allowed=allowed, threads=self.threads
        )
        return found.row_ids


class Similar(Index):
    """`Archive.similar` as it is called, on an indexed archive.

    `ids` asks for `change_id` alone, as LanceDB and FAISS are asked; the others give all
    columns.
    """

    ways = ("vector", "ids", "change")
    grows = True

    def open(self) -> None:
        import terradrift as td

        self.archive = td.open(self.folder / "bench.td")

    def ready(self, name: str) -> None:
        """Conditions are a part of the search."""

    def search(self, query: NDArray[np.float32], k: int, way: str, name: str) -> Any:
        conditions = vectors.conditions(name) if name else {}
        if way == "change":
            # A change of the archive that the query chooses, so that each time is another.
            row = int(np.abs(query).sum() * 1e6) % self.archive.store.count(
                vectors.TABLE
            )
            example: dict[str, Any] = {"change": vectors.change_id(row)}
        else:
            example = {"vector": query}
            if way == "ids":
                example["columns"] = ["change_id"]
        found = self.archive.similar(
            **example, k=k, threads=self.threads, **conditions, **self._options()
        )
        return found.to_arrow()["change_id"]

    def _options(self) -> dict[str, Any]:
        return {}

    def decode(self, found: Any) -> Rows:
        digits = pa.compute.utf8_slice_codeunits(found, -8)
        return digits.cast(pa.int64()).to_numpy()

    def add(self, rows: NDArray[np.float32], first: int) -> None:
        from terradrift import schema

        here = np.arange(first, first + len(rows))
        wanted = schema.changes(rows.shape[1])
        batch = vectors.archived(rows.astype(np.float16), here, first)
        self.before = self.archive.store.dataset(vectors.TABLE)
        self.archive.store.append(vectors.TABLE, batch.to_batches(), wanted)

    def undo(self) -> None:
        self.before.restore()


class Stream(Similar):
    """The same where there is no index."""

    exact = True

    @property
    def files(self) -> tuple[str, ...]:
        return ()

    def build(self) -> None:
        """Nothing is built."""


OURS: dict[str, type[Engine]] = {
    "index": Index,
    "flat": Flat,
    "similar": Similar,
    "stream": Stream,
}
