"""LanceDB and DuckDB as engines of `search.py`: tables of float32 vectors on disk."""

# ruff: noqa: ARG002 - all engines are asked alike

from collections.abc import Iterator
from typing import Any

import _vectors as vectors
import numpy as np
from _vector_engine import Engine, Rows, lists
from numpy.typing import NDArray


class Lance(Engine):
    """LanceDB's table of float32 vectors, `region` (BITMAP) and `day` (BTREE); no index."""

    exact = True

    @property
    def files(self) -> tuple[str, ...]:
        return (f"{type(self).__name__}.lancedb",)

    def _config(self) -> Any:
        return None

    def build(self) -> None:
        import lancedb
        import pyarrow as pa
        from lancedb.index import Bitmap, BTree

        rows, dimensions = self.stored.shape
        region, day = vectors.place(rows)
        wanted = pa.schema(
            [
                pa.field("id", pa.int64()),
                pa.field("region", pa.int32()),
                pa.field("day", pa.int32()),
                pa.field("vector", pa.list_(pa.float32(), dimensions)),
            ]
        )

        def batches() -> Iterator[pa.RecordBatch]:
            start = 0
            for block in self.blocks():
                at = slice(start, start + len(block))
                values = pa.FixedSizeListArray.from_arrays(block.ravel(), dimensions)
                ids = pa.array(np.arange(at.start, at.stop))
                columns = [ids, pa.array(region[at]), pa.array(day[at]), values]
                yield pa.record_batch(columns, schema=wanted)
                start = at.stop

        database = lancedb.connect(str(self.folder / self.files[0]))
        table = database.create_table("t", batches(), schema=wanted)
        table.create_index("region", config=Bitmap())
        table.create_index("day", config=BTree())
        if config := self._config():
            table.create_index("vector", config=config)

    def open(self) -> None:
        import lancedb

        self.table = lancedb.connect(str(self.folder / self.files[0])).open_table("t")

    def _ask(self, what: Any, k: int, way: str, name: str) -> Any:
        asked = self.table.search(what, vector_column_name="vector")
        asked = asked.distance_type("cosine").limit(k).select(["id", "_distance"])
        if way:
            probes, refine = (int(word) for word in way.split()[1::2])
            asked = asked.minimum_nprobes(probes).maximum_nprobes(probes)
            asked = asked.refine_factor(refine)
        else:
            asked = asked.bypass_vector_index()
        if name:
            asked = asked.where(vectors.condition(name), prefilter=True)
        return asked.to_arrow()

    def search(self, query: NDArray[np.float32], k: int, way: str, name: str) -> Rows:
        return self._ask(query, k, way, name)["id"].to_numpy()

    def batch(
        self, queries: NDArray[np.float32], k: int, way: str
    ) -> list[Rows] | None:
        if not way:
            return None
        rows = self._ask(list(queries), k, way, "")
        ids, asked = rows["id"].to_numpy(), rows["query_index"].to_numpy()
        return [ids[asked == at] for at in range(len(queries))]

    def add(self, rows: NDArray[np.float32], first: int) -> None:
        import pyarrow as pa

        count, dimensions = rows.shape
        values = pa.FixedSizeListArray.from_arrays(rows.ravel(), dimensions)
        zeros = pa.array(np.zeros(count, np.int32))
        ids = pa.array(np.arange(first, first + count))
        self.table.add(
            pa.table({"id": ids, "region": zeros, "day": zeros, "vector": values})
        )


class LancePq(Lance):
    """IVF_PQ with d / 8 codes of 8 bits, distances of some times k from the vectors.

    Lists are trained as LanceDB does by default (50 rounds, 256 rows a list).
    """

    ways = ("nprobes 8 refine 10", "nprobes 32 refine 10", "nprobes 256 refine 10")
    others = tuple(
        f"nprobes {probes} refine {refine}"
        for probes in (8, 12, 16, 24, 32, 48, 64, 128)
        for refine in (5, 10, 20)
        if (probes, refine) not in {(8, 10), (32, 10)}
    )
    exact = False

    def _config(self) -> Any:
        from lancedb.index import IvfPq

        rows, dimensions = self.stored.shape
        return IvfPq(
            distance_type="cosine",
            num_partitions=lists(rows),
            num_sub_vectors=dimensions // 8,
        )


class LanceRq(LancePq):
    """IVF_RQ: one bit a dimension."""

    def _config(self) -> Any:
        from lancedb.index import IvfRq

        return IvfRq(
            distance_type="cosine",
            num_partitions=lists(len(self.stored)),
            num_bits=1,
        )


class DuckDb(Engine):
    """A native table of float32 arrays, sorted as the archive."""

    exact = True
    source = "t"

    @property
    def files(self) -> tuple[str, ...]:
        return ("t.duckdb",)

    def _fill(self, connection: Any) -> None:
        import pyarrow as pa

        rows, dimensions = self.stored.shape
        region, day = vectors.place(rows)
        connection.execute(
            f"CREATE TABLE t (id BIGINT, region INT, day INT, vector FLOAT[{dimensions}])"
        )
        start = 0
        for block in self.blocks():
            at = slice(start, start + len(block))
            values = pa.FixedSizeListArray.from_arrays(block.ravel(), dimensions)
            part = pa.table(
                {
                    "id": np.arange(at.start, at.stop),
                    "region": region[at],
                    "day": day[at],
                    "vector": values,
                }
            )
            connection.register("part", part)
            connection.execute("INSERT INTO t FROM part")
            connection.unregister("part")
            start = at.stop

    def build(self) -> None:
        import duckdb

        path = str(self.folder / self.files[0])
        with duckdb.connect(path, config={"threads": self.threads}) as connection:
            self._fill(connection)

    def open(self) -> None:
        import duckdb

        path = self.folder / "t.duckdb"
        options = {"threads": self.threads}
        here = str(path) if self.source == "t" else ":memory:"
        self.connection = duckdb.connect(here, config=options)
        if self.source == "t":
            self.connection.execute("SELECT count(*) FROM t")

    def search(self, query: NDArray[np.float32], k: int, way: str, name: str) -> Rows:
        where = f"WHERE {vectors.condition(name)}" if name else ""
        source = self.source.format(self.folder)
        text = (
            f"SELECT id FROM {source} {where} ORDER BY array_cosine_distance("  # noqa: S608
            f"vector::FLOAT[{len(query)}], $q::FLOAT[{len(query)}]) LIMIT {k}"
        )
        found = self.connection.execute(text, {"q": query.tolist()})
        return found.fetchnumpy()["id"]

    def add(self, rows: NDArray[np.float32], first: int) -> None:
        self.connection.executemany(
            "INSERT INTO t VALUES (?, 0, 0, ?)",
            [[first + at, row.tolist()] for at, row in enumerate(rows)],
        )


class DuckDbParquet(DuckDb):
    """The same rows as Parquet, zstd, groups of 20,000 rows."""

    source = "'{}/t.parquet'"
    grows = False

    @property
    def files(self) -> tuple[str, ...]:
        return ("t.parquet",)

    def build(self) -> None:
        import duckdb

        with duckdb.connect(config={"threads": self.threads}) as connection:
            self._fill(connection)
            connection.execute(
                f"COPY t TO '{self.folder}/t.parquet' "
                "(FORMAT parquet, COMPRESSION zstd, ROW_GROUP_SIZE 20480)"
            )
