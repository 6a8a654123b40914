"""A published table of embeddings: its columns checked, its rows put in order of place.

Two things are kept of a row: a few numbers in memory, and its vector as float16 in a file
without a name, which is gone whatever happens. So memory is some 60 bytes a row, and rows may
come in any order.
"""

from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from terradrift.errors import ArchiveError, SchemaError
from terradrift.store.majortom import columns
from terradrift.store.majortom.fragments import Boxes

COLUMNS = (
    "embedding",
    "timestamp",
    "product_id",
    "grid_cell",
    "utm_footprint",
    "utm_crs",
    "pixel_bbox",
)
"""What is read; the others follow from these, or are not right."""
_ROWS = 2048


@dataclass(frozen=True, slots=True, eq=False)
class Rows:
    """All rows of a file but for their vectors."""

    boxes: Boxes
    epsg: NDArray[np.int64]
    """(n,), UTM zone of each row."""
    times: NDArray[np.datetime64]
    """(n,), datetime64[us]."""
    cell: NDArray[np.int64]
    """(n,), number in `cells`."""
    cells: tuple[str, ...]
    product: NDArray[np.int64]
    products: tuple[str, ...]
    vectors: NDArray[np.float16]
    """(n, d), on disk."""

    def __len__(self) -> int:
        return len(self.epsg)


def is_published(found: pa.Schema) -> bool:
    """Whether a file's columns are those of a published table."""
    return {"grid_cell", "pixel_bbox", "utm_footprint"} <= set(found.names)


def opened(path: Path) -> tuple[pa.Schema, int]:
    """Columns and number of rows of a Parquet file.

    Raises:
        ArchiveError: it is not there, or no Parquet.
    """
    try:
        with pq.ParquetFile(path) as file:
            return file.schema_arrow, file.metadata.num_rows
    except FileNotFoundError as error:
        raise ArchiveError(f"no file at {path}") from error
    except (OSError, pa.ArrowInvalid) as error:
        raise ArchiveError(
            f"expected a Parquet file, got {path}: {str(error).splitlines()[0]}"
        ) from error


def check(path: Path) -> None:
    """Hold a file to the published columns.

    Raises:
        ArchiveError: as `opened`.
        SchemaError: a column is missing, or all rows.
    """
    found, rows = opened(path)
    if missing := [name for name in COLUMNS if name not in found.names]:
        raise SchemaError(
            f"expected a table of Major TOM embeddings, {path} has no column "
            f"{' and no column '.join(missing)}"
        )
    if rows == 0:
        raise SchemaError(f"{path} holds no rows")


def read(path: Path, folder: Path) -> Rows:
    """Read a file, batch by batch; vectors go into a nameless file in `folder`.

    Raises:
        ArchiveError: as `check`.
        SchemaError: a column is missing or of another kind, vectors of unequal length or
            with values that are no number, or boxes and footprints that make no fragment.
    """
    check(path)
    _, count = opened(path)
    builder: _Builder | None = None
    with pq.ParquetFile(path) as file:
        at = 0
        for batch in file.iter_batches(batch_size=_ROWS, columns=list(COLUMNS)):
            if batch.num_rows == 0:
                continue
            vectors = columns.vectors(batch, at, path)
            if builder is None:
                builder = _Builder(path, folder, count, vectors.shape[1])
            builder.add(at, batch, vectors)
            at += batch.num_rows
    assert builder is not None  # noqa: S101 - `check` found rows
    return builder.done()


class _Builder:
    """Rows, as they come."""

    def __init__(self, path: Path, folder: Path, count: int, width: int) -> None:
        self._path = path
        with TemporaryFile(dir=folder) as file:
            self._vectors = np.memmap(file, np.float16, "w+", shape=(count, width))
        self._numbers: list[dict[str, NDArray[Any]]] = []
        self._codes: dict[str, dict[str, int]] = {
            name: {} for name in ("grid_cell", "product_id", "utm_crs")
        }

    def add(self, at: int, batch: pa.RecordBatch, vectors: NDArray[np.float32]) -> None:
        width = self._vectors.shape[1]
        if vectors.shape[1] != width:
            raise SchemaError(
                f"{self._path}: row {at + 1} has a vector of {vectors.shape[1]} numbers, "
                f"rows before it of {width}"
            )
        with np.errstate(over="ignore"):
            half = vectors.astype(np.float16)
        if not (whole := np.isfinite(half).all(axis=1)).all():
            row = at + int(np.flatnonzero(~whole)[0]) + 1
            raise SchemaError(
                f"{self._path}: the vector of row {row} holds NaN, or numbers beyond float16"
            )
        self._vectors[at : at + len(half)] = half
        self._numbers.append(
            {
                **columns.place(batch, at, self._path),
                "times": columns.times(batch, at, self._path),
                **{name: self._coded(batch, name, at) for name in self._codes},
            }
        )

    def _coded(self, batch: pa.RecordBatch, name: str, at: int) -> NDArray[np.int64]:
        known = self._codes[name]
        column = batch.column(name).cast(pa.string())
        if column.null_count:
            raise SchemaError(f"{self._path}: {name} is missing near row {at + 1}")
        encoded = column.dictionary_encode()
        numbers = [
            known.setdefault(each, len(known))
            for each in encoded.dictionary.to_pylist()
        ]
        codes = encoded.indices.to_numpy(zero_copy_only=False)
        return np.asarray(np.array(numbers, np.int64)[codes])

    def done(self) -> Rows:
        whole = {
            name: np.concatenate([part[name] for part in self._numbers])
            for name in self._numbers[0]
        }
        codes = np.array(
            [columns.epsg(name, self._path) for name in self._codes["utm_crs"]]
        )
        return Rows(
            boxes=Boxes(
                *(whole[name] for name in ("first", "side", "west", "north", "size"))
            ),
            epsg=codes[whole["utm_crs"]],
            times=whole["times"],
            cell=whole["grid_cell"],
            cells=tuple(self._codes["grid_cell"]),
            product=whole["product_id"],
            products=tuple(self._codes["product_id"]),
            vectors=self._vectors,
        )


def first(path: Path) -> Boxes:
    """The box and the footprint of the first row of a file.

    Raises:
        SchemaError: they are no square.
    """
    with pq.ParquetFile(path) as file:
        wanted = ["pixel_bbox", "utm_footprint"]
        batch = next(file.iter_batches(batch_size=1, columns=wanted))
    return Boxes(**columns.place(batch, 0, path))
