"""Columns of published tables as arrays; what is wrong with one is told with its row."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pyproj
import shapely
from numpy.typing import NDArray

from terradrift.errors import SchemaError

_SQUARE = 1e-3
"""Metres by which sides of a footprint may differ."""


def place(batch: pa.RecordBatch, at: int, path: Path) -> dict[str, NDArray[Any]]:
    """Where each fragment begins in pixels, and its footprint as stated."""
    box = lists(batch, "pixel_bbox", at, path).astype(np.int64)
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


def vectors(batch: pa.RecordBatch, at: int, path: Path) -> NDArray[np.float32]:
    """(n, d) embeddings; `at` is the number of rows before these."""
    return lists(batch, "embedding", at, path).astype(np.float32)


def lists(batch: pa.RecordBatch, name: str, at: int, path: Path) -> NDArray[Any]:
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


def times(batch: pa.RecordBatch, at: int, path: Path) -> NDArray[np.datetime64]:
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


def epsg(name: str, path: Path) -> int:
    """EPSG code of a UTM zone."""
    code = None
    with suppress(pyproj.exceptions.CRSError):
        code = pyproj.CRS.from_user_input(name).to_epsg()
    if code is None or not (32601 <= code <= 32660 or 32701 <= code <= 32760):
        raise SchemaError(
            f"{path}: expected a UTM zone such as EPSG:32633 in utm_crs, got {name}"
        )
    return int(code)
