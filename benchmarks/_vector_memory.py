"""NumPy and FAISS as engines of `search.py`: all in memory."""

# ruff: noqa: ARG002 - all engines are asked alike

from typing import Any

import _vectors as vectors
import numpy as np
from _vector_engine import Engine, Rows, lists
from numpy.typing import NDArray


class NumPy(Engine):
    """One float32 matrix in memory: a product and a partition; filters are slices."""

    exact = True

    def open(self) -> None:
        self.matrix = np.concatenate(list(self.blocks()))
        self.kept: dict[str, slice] = {}

    def ready(self, name: str) -> None:
        rows = vectors.passing(name, len(self.matrix))
        self.kept[name] = slice(int(rows[0]), int(rows[-1]) + 1)

    def search(self, query: NDArray[np.float32], k: int, way: str, name: str) -> Rows:
        part = self.kept[name] if name else slice(0, len(self.matrix))
        cosine = self.matrix[part] @ query
        best = np.argpartition(-cosine, min(k, len(cosine)) - 1)[:k]
        return part.start + best[np.argsort(-cosine[best], kind="stable")]

    def batch(self, queries: NDArray[np.float32], k: int, way: str) -> list[Rows]:
        found = []
        for start in range(0, len(queries), 32):
            cosine = queries[start : start + 32] @ self.matrix.T
            best = np.argpartition(-cosine, k - 1, axis=1)[:, :k]
            order = np.argsort(-np.take_along_axis(cosine, best, 1), axis=1)
            found += list(np.take_along_axis(best, order, 1))
        return found

    def add(self, rows: NDArray[np.float32], first: int) -> None:
        self.matrix = np.concatenate([self.matrix, rows])


class Faiss(Engine):
    factory = "IVF{},SQ8"
    ways = ("nprobe 16", "nprobe 32", "nprobe 64", "nprobe 256")
    others = (
        "nprobe 8",
        "nprobe 12",
        "nprobe 24",
        "nprobe 48",
        "nprobe 96",
        "nprobe 128",
    )

    @property
    def files(self) -> tuple[str, ...]:
        return (f"{type(self).__name__}.faiss",)

    def build(self) -> None:
        import faiss

        rows, dimensions = self.stored.shape
        count = lists(rows)
        index = faiss.index_factory(dimensions, self.factory.format(count))
        # FAISS trains its lists on at most so many rows of each, by default.
        few = np.random.default_rng(0).choice(
            rows, min(rows, 256 * count), replace=False
        )
        sample = self.stored[np.sort(few)].astype(np.float32)
        index.train(sample / np.linalg.norm(sample, axis=1, keepdims=True))
        for block in self.blocks():
            index.add(block)
        faiss.write_index(index, str(self.folder / self.files[0]))

    def open(self) -> None:
        import faiss

        faiss.omp_set_num_threads(self.threads)
        self.index = faiss.read_index(str(self.folder / self.files[0]))
        self.kept: dict[str, Any] = {}

    def ready(self, name: str) -> None:
        import faiss

        inside = np.zeros(-(-self.index.ntotal // 8) * 8, bool)
        inside[vectors.passing(name, self.index.ntotal)] = True
        bits = np.packbits(inside, bitorder="little")
        selector = faiss.IDSelectorBitmap(len(bits), faiss.swig_ptr(bits))
        self.kept[name] = (selector, bits)

    def _asked(self, way: str, name: str) -> Any:
        import faiss

        selector = self.kept[name][0] if name else None
        probes = int(way.rsplit(maxsplit=1)[-1])
        asked = faiss.SearchParametersIVF(nprobe=probes, sel=selector)
        if "Refine" not in self.factory:
            return asked
        return faiss.IndexRefineSearchParameters(k_factor=10, base_index_params=asked)

    def search(self, query: NDArray[np.float32], k: int, way: str, name: str) -> Rows:
        return self.batch(query[None], k, way, name)[0]

    def batch(
        self, queries: NDArray[np.float32], k: int, way: str, name: str = ""
    ) -> list[Rows]:
        asked = self._asked(way, name)
        _, found = self.index.search(queries, k, params=asked)
        return [rows[rows >= 0] for rows in found]

    def add(self, rows: NDArray[np.float32], first: int) -> None:
        self.index.add(rows)


class FaissRabitq(Faiss):
    factory = "IVF{},RaBitQfs,Refine(SQ8)"
