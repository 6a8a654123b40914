"""A published table of embeddings: its columns checked, its rows put in order of place.

Two things are kept of a row: a few numbers in memory, and its vector as float16 in a file
without a name, which is gone whatever happens. So memory is some 60 bytes a row, and rows may
come in any order.
"""

from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryFile
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pyproj
import shapely
from numpy.typing import NDArray

from terradrift.errors import ArchiveError, SchemaError
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
_SQUARE = 1e-3
"""Metres by which sides of a footprint may differ."""


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


def is_published(columns: pa.Schema) -> bool:
    """Whether a file's columns are those of a published table."""
    return {"grid_cell", "pixel_bbox", "utm_footprint"} <= set(columns.names)


def check(path: Path) -> tuple[pa.Schema, int]:
    """Columns and number of rows of a file.

    Raises:
        ArchiveError: it is not there, or no Parquet.
        SchemaError: a column is missing.
    """
    try:
        with pq.ParquetFile(path) as file:
            found, rows = file.schema_arrow, file.metadata.num_rows
    except FileNotFoundError as error:
        raise ArchiveError(f"no file at {path}") from error
    except (OSError, pa.ArrowInvalid) as error:
        raise ArchiveError(
            f"expected a Parquet file, got {path}: {str(error).splitlines()[0]}"
        ) from error
    if missing := [name for name in COLUMNS if name not in found.names]:
        raise SchemaError(
            f"expected a table of Major TOM embeddings, {path} has no column "
            f"{' and no column '.join(missing)}"
        )
    if rows == 0:
        raise SchemaError(f"{path} holds no rows")
    return found, rows


def read(path: Path, folder: Path) -> Rows:
    """Read a file, batch by batch; vectors go into a nameless file in `folder`.

    Raises:
        ArchiveError: as `check`.
        SchemaError: a column is missing or of another kind, vectors of unequal length or
            with values that are no number, or boxes and footprints that make no fragment.
    """
    _, count = check(path)
    builder: _Builder | None = None
    with pq.ParquetFile(path) as file:
        at = 0
        for batch in file.iter_batches(batch_size=_ROWS, columns=list(COLUMNS)):
            if batch.num_rows == 0:
                continue
            vectors = _vectors(batch, at, path)
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
                **_place(batch, at, self._path),
                "times": _times(batch, at, self._path),
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
        codes = np.array([_epsg(name, self._path) for name in self._codes["utm_crs"]])
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


def _place(batch: pa.RecordBatch, at: int, path: Path) -> dict[str, NDArray[Any]]:
    """Where each fragment begins in pixels, and its footprint as stated."""
    box = _lists(batch, "pixel_bbox", at, path).astype(np.int64)
    if box.shape[1] != 4:
        raise SchemaError(
            f"{path}: expected 4 numbers in pixel_bbox, got {box.shape[1]}"
        )
    text = batch.column("utm_footprint").to_pylist()
    try:
        west, south, east, north = shapely.bounds(shapely.from_wkt(text)).T
    except (shapely.errors.ShapelyError, TypeError) as error:
        raise SchemaError(
            f"{path}: utm_footprint near row {at + 1} is no polygon as WKT"
        ) from error
    side, size = box[:, 2] - box[:, 0], east - west
    square = (
        (side > 0)
        & (side == box[:, 3] - box[:, 1])
        & (np.abs(size - (north - south)) <= _SQUARE)
        & (size > 0)
    )
    if not square.all():
        row = at + int(np.flatnonzero(~square)[0]) + 1
        raise SchemaError(
            f"{path}: pixel_bbox and utm_footprint of row {row} are no squares: "
            f"{box[row - at - 1].tolist()} and {text[row - at - 1]}"
        )
    return {
        "first": box[:, :2],
        "side": side,
        "west": west,
        "north": north,
        "size": size,
    }


def _vectors(batch: pa.RecordBatch, at: int, path: Path) -> NDArray[np.float32]:
    return _lists(batch, "embedding", at, path).astype(np.float32)


def _lists(batch: pa.RecordBatch, name: str, at: int, path: Path) -> NDArray[Any]:
    """(n, k) of a column of lists that are all of one length."""
    column = batch.column(name)
    if not (
        hasattr(column.type, "value_type")
        and (
            pa.types.is_floating(column.type.value_type)
            or pa.types.is_integer(column.type.value_type)
        )
    ):
        raise SchemaError(
            f"{path}: expected lists of numbers in {name}, got {column.type}"
        )
    lengths = pc.list_value_length(column).to_numpy(zero_copy_only=False)
    odd = ~(lengths == lengths[0])  # NaN where a list is missing
    if odd.any() or not lengths[0] > 0:
        row = int(np.flatnonzero(odd)[0]) if odd.any() else 0
        raise SchemaError(
            f"{path}: expected {name} of one length, got "
            f"{lengths[row]:g} numbers in row {at + row + 1} and {lengths[0]:g} in row {at + 1}"
        )
    flat = column.flatten()
    if flat.null_count:
        raise SchemaError(f"{path}: {name} holds nothing in places near row {at + 1}")
    return np.asarray(flat.to_numpy(zero_copy_only=False).reshape(len(column), -1))


def _times(batch: pa.RecordBatch, at: int, path: Path) -> NDArray[np.datetime64]:
    """(n,), of texts such as 20200607T101031, or of instants."""
    column = batch.column("timestamp")
    if pa.types.is_timestamp(column.type):
        times = column.cast(pa.timestamp("us"), safe=False).to_numpy(
            zero_copy_only=False
        )
        if not np.isnat(times).any():
            return np.asarray(times.astype("datetime64[us]"))
    found = []
    for row, text in enumerate(column.cast(pa.string()).to_pylist()):
        day, _, clock = f"{text}".partition("T")
        try:
            found.append(
                np.datetime64(
                    f"{day[:4]}-{day[4:6]}-{day[6:]}T{clock[:2]}:{clock[2:4]}:{clock[4:6]}",
                    "us",
                )
            )
        except ValueError as error:
            raise SchemaError(
                f"{path}: expected a timestamp such as 20200607T101031 in row "
                f"{at + row + 1}, got {text!r}"
            ) from error
    return np.array(found, "datetime64[us]")


def _epsg(name: str, path: Path) -> int:
    code = None
    with suppress(pyproj.exceptions.CRSError):
        code = pyproj.CRS.from_user_input(name).to_epsg()
    if code is None or not (32601 <= code <= 32660 or 32701 <= code <= 32760):
        raise SchemaError(
            f"{path}: expected a UTM zone such as EPSG:32633 in utm_crs, got {name}"
        )
    return int(code)


def first(path: Path) -> Boxes:
    """The box and the footprint of the first row of a file.

    Raises:
        SchemaError: they are no square.
    """
    with pq.ParquetFile(path) as file:
        columns = ["pixel_bbox", "utm_footprint"]
        batch = next(file.iter_batches(batch_size=1, columns=columns))
    return Boxes(**_place(batch, 0, path))
