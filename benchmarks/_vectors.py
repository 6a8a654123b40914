"""Vectors for `search.py`: made block by block, their exact neighbours, and an archive of them.

Two sets, both unit length, in 200 clusters of Zipf-like sizes with 5 % broad outliers, stored
as float16. `low-rank`: the clusters lie in 30 dimensions, lifted to all with a little noise of
full rank, as networks' embeddings roughly do. `full-rank`: the same without the 30 dimensions,
variances falling as 1 / (1 + 0.15 i) over all of them (112 effective ones of 384), which codes
of few bits find harder. Rows stand by region (10), then by day (100); neither knows of the
vectors.
"""

import json
from collections import deque
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from terradrift import schema
from terradrift.grid import Grid
from terradrift.store.tables import Settings, Store

SETS = ("low-rank", "full-rank")
BLOCK = 50_000
DRAWN_AHEAD = 2
REGIONS, DAYS = 10, 100
FIRST_DAY = np.datetime64("2018-01-01", "us")
TABLE = "changes_bench"
QUERIES = 1000
JUDGED = 200
"""Queries whose 1,000 nearest are known."""
DEEP = 5
"""Queries whose `K_DEEP` nearest are known."""
K_KNOWN, K_DEEP = 1000, 100_000
FILTERS = {
    "1 %": (3, 4, 40, 50),
    "10 %": (3, 4, 0, DAYS),
    "50 %": (2, 7, 0, DAYS),
}
"""First region and the one after the last, first day and the one after the last."""


class Mixture:
    """What the rows and the queries are drawn from."""

    def __init__(self, kind: str, dimensions: int, seed: int = 0) -> None:
        if kind not in SETS:
            raise ValueError(f"expected a set of {', '.join(SETS)}, got {kind!r}")
        rng = np.random.default_rng(seed)
        inner = 30 if kind == "low-rank" else dimensions
        basis = np.linalg.qr(rng.normal(size=(dimensions, inner)))[0]
        self.basis = basis.T.astype("f4") if kind == "low-rank" else None
        self.scale = (1 / np.sqrt(1 + 0.15 * np.arange(inner))).astype("f4")
        self.centres = (rng.normal(size=(200, inner)) * self.scale).astype("f4")
        weights = 1 / np.arange(1, 201) ** 0.7
        self.weights = weights / weights.sum()
        self.spread = rng.uniform(0.25, 0.5, 200).astype("f4")
        self.middle = (rng.normal(size=inner) * 0.5 * self.scale).astype("f4")
        self.dimensions = dimensions

    def draw(self, count: int, seed: int) -> NDArray[np.float16]:
        """(count, d) unit vectors; a seed always gives the same."""
        rng = np.random.default_rng([seed, 1])
        which = rng.choice(200, count, p=self.weights)
        shape = (count, len(self.scale))
        values = rng.standard_normal(shape, dtype="f4") * self.scale
        broad = rng.random(count) < 0.05
        factor = rng.uniform(1, 2, (count, 1)).astype("f4")
        inside = self.centres[which] + self.spread[which][:, None] * values
        values = np.where(broad[:, None], values * factor, inside) + self.middle
        if self.basis is not None:
            noise = rng.standard_normal((count, self.dimensions), dtype="f4")
            values = values @ self.basis + 0.12 / np.sqrt(self.dimensions) * noise
        values /= np.linalg.norm(values, axis=1, keepdims=True)
        return values.astype(np.float16)


def blocks(kind: str, rows: int, dimensions: int) -> Iterator[NDArray[np.float16]]:
    """All rows in order, (BLOCK, d) at a time."""
    mixture = Mixture(kind, dimensions)
    with ThreadPoolExecutor(DRAWN_AHEAD) as pool:
        waiting: deque[Future[NDArray[np.float16]]] = deque()
        for start in range(0, rows, BLOCK):
            count = min(BLOCK, rows - start)
            waiting.append(pool.submit(mixture.draw, count, start))
            if len(waiting) > DRAWN_AHEAD:
                yield waiting.popleft().result()
        while waiting:
            yield waiting.popleft().result()


def queries(kind: str, dimensions: int) -> NDArray[np.float32]:
    """(QUERIES, d) from the same mixture, none of them a row."""
    return Mixture(kind, dimensions).draw(QUERIES, seed=2**40).astype(np.float32)


def place(rows: int) -> tuple[NDArray[np.int32], NDArray[np.int32]]:
    """Region and day of every row."""
    cell = np.arange(rows) * (REGIONS * DAYS) // rows
    return (cell // DAYS).astype(np.int32), (cell % DAYS).astype(np.int32)


def passing(name: str, rows: int) -> NDArray[np.int64]:
    """Positions of the rows that a filter lets through."""
    first, last, early, late = FILTERS[name]
    region, day = place(rows)
    inside = (region >= first) & (region < last) & (day >= early) & (day < late)
    return np.flatnonzero(inside)


def conditions(name: str) -> dict[str, object]:
    """The same filter for `similar`."""
    first, last, early, late = FILTERS[name]
    found: dict[str, object] = {"bbox": (3.0 + first, 50.0, 3.0 + last - 0.5, 51.0)}
    if late - early < DAYS:
        days = [FIRST_DAY.astype("M8[D]") + day for day in (early, late - 1)]
        found["between"] = (str(days[0]), str(days[1]))
    return found


def condition(name: str) -> str:
    """The same filter in SQL, for tables of `region` and `day`."""
    first, last, early, late = FILTERS[name]
    where = f"region >= {first} AND region < {last}"
    return (
        where
        if late - early == DAYS
        else f"{where} AND day >= {early} AND day < {late}"
    )


class Truth:
    """Nearest rows by float64 products, gathered block by block."""

    def __init__(self, asked: NDArray[np.float32], k: int) -> None:
        wide = asked.astype(np.float64)
        self._asked = wide / np.linalg.norm(wide, axis=1, keepdims=True)
        self._k = k
        self._cosine = np.empty((len(asked), 0))
        self._rows = np.empty((len(asked), 0), np.int64)

    def add(self, vectors: NDArray[np.float16], rows: NDArray[np.int64]) -> None:
        """Take (n, d) vectors that stand at `rows`."""
        wide = vectors.astype(np.float64)
        wide /= np.linalg.norm(wide, axis=1, keepdims=True)
        cosine = np.concatenate([self._cosine, self._asked @ wide.T], axis=1)
        rows = np.broadcast_to(rows, (len(self._asked), len(rows)))
        rows = np.concatenate([self._rows, rows], axis=1)
        if cosine.shape[1] > self._k:
            best = np.argpartition(-cosine, self._k - 1, axis=1)[:, : self._k]
            cosine = np.take_along_axis(cosine, best, 1)
            rows = np.take_along_axis(rows, best, 1)
        self._cosine, self._rows = cosine, rows

    def rows(self) -> NDArray[np.int64]:
        """(queries, k), nearest first."""
        order = np.argsort(-self._cosine, axis=1, kind="stable")
        return np.take_along_axis(self._rows, order, 1)


def made(folder: Path, about: dict[str, Any], *, flat: bool) -> None:
    """`make`, unless that is done.

    Raises:
        ValueError: the folder holds other rows.
    """
    said = folder / "about.json"
    if not said.exists():
        make(folder, about["set"], about["rows"], about["dimensions"], flat=flat)
    if (held := json.loads(said.read_text())) != about:
        raise ValueError(
            f"expected {about} in {folder}, got {held}; name another folder"
        )


def make(folder: Path, kind: str, rows: int, dimensions: int, *, flat: bool) -> None:
    """Write archive, queries and truth into the folder, in one pass over the rows.

    `flat`: also the vectors as one file, which peers are built from.
    """
    folder.mkdir(parents=True)
    asked = queries(kind, dimensions)
    np.save(folder / "queries.npy", asked)
    known = {"all": Truth(asked[:JUDGED], K_KNOWN)}
    if flat:
        known["deep"] = Truth(asked[:DEEP], min(K_DEEP, rows))
        known |= {name: Truth(asked[:JUDGED], 10) for name in FILTERS}
    kept = {name: passing(name, rows) for name in FILTERS}
    matrix = (
        np.lib.format.open_memmap(
            folder / "vectors.npy", "w+", np.float16, (rows, dimensions)
        )
        if flat
        else None
    )

    def batches() -> Iterator[pa.RecordBatch]:
        start = 0
        for vectors in blocks(kind, rows, dimensions):
            here = np.arange(start, start + len(vectors))
            if matrix is not None:
                matrix[here[0] : here[-1] + 1] = vectors
            for name, truth in known.items():
                those = np.intersect1d(kept[name], here) if name in kept else here
                if len(those):
                    truth.add(vectors[those - start], those)
            yield from archived(vectors, here, rows).to_batches()
            start += len(vectors)

    store = Store.create(folder / "bench.td", Settings(Grid(160), model="bench"))
    store.append(TABLE, batches(), schema.changes(dimensions))
    np.savez(folder / "truth.npz", **{name: t.rows() for name, t in known.items()})
    about = {"set": kind, "rows": rows, "dimensions": dimensions}
    (folder / "about.json").write_text(json.dumps(about))


def change_id(row: int) -> str:
    return f"bench_32631_160m_{row:08d}"


def archived(
    vectors: NDArray[np.float16], here: NDArray[np.int64], rows: int
) -> pa.Table:
    """Rows of `changes` that stand at `here` of `rows`."""
    count = len(vectors)
    rng = np.random.default_rng([7, int(here[0])])
    cell = here * (REGIONS * DAYS) // rows
    west = 3.0 + cell // DAYS + rng.uniform(0, 0.4, count)
    south = 50.0 + rng.uniform(0, 0.9, count)
    onset = FIRST_DAY + (cell % DAYS).astype("m8[D]")
    tile = cell // DAYS
    return changes(
        here, tile, west=west, south=south, onset=onset, vectors=vectors, rng=rng
    )


def changes(
    here: NDArray[np.int64],
    tile: NDArray[np.int64],
    *,
    west: NDArray[np.float64],
    south: NDArray[np.float64],
    onset: NDArray[np.datetime64],
    vectors: NDArray[np.float16],
    rng: np.random.Generator,
) -> pa.Table:
    """Rows of `changes` with what searches and filters read; scores and kinds are drawn."""
    count, dimensions = vectors.shape
    box = [pa.array(side) for side in (west, south, west + 0.01, south + 0.001)]
    columns = {
        "change_id": pa.array([change_id(i) for i in here]),
        "patch_id": pa.array([f"32631_160m_{i:08d}" for i in here]),
        "tile": pa.array([f"32631_160m_{i}" for i in tile]),
        "onset": pa.array(onset).cast(schema.INSTANT),
        "score": pa.array(rng.uniform(0, 10, count).astype(np.float32)),
        "kind": pa.array(rng.integers(-1, 20, count).astype(np.int32)),
        "delta": pa.FixedSizeListArray.from_arrays(
            pa.array(vectors.ravel()), dimensions
        ),
        "longitude": pa.array(west),
        "latitude": pa.array(south),
        "bbox": pa.StructArray.from_arrays(box, fields=list(schema.BBOX)),
        "geometry": pa.array(
            shapely.to_wkb(shapely.box(west, south, west + 0.01, south + 0.001))
        ),
    }
    wanted = schema.changes(dimensions)
    return pa.table(
        [columns.get(field.name, pa.nulls(count, field.type)) for field in wanted],
        schema=wanted,
    )
