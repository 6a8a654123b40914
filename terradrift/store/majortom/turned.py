"""Whether the footprints of a file are mirror images of their places."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from terradrift.errors import SchemaError
from terradrift.store.majortom import fragments, source
from terradrift.store.majortom.cells import CellGrid
from terradrift.store.majortom.places import moved

FOOTPRINTS = ("transposed", "right")
SAMPLE_PX = 1068
"""Side of the samples that were published; tells cells apart where footprints do not."""


def transposed(rows: source.Rows, asked: str | None, path: Path) -> bool | None:
    """Whether footprints are the mirror images of their places; None: nothing tells."""
    if asked is not None:
        return asked == "transposed"
    point = _points(rows, path)
    _, sample = np.unique(_samples(rows), return_inverse=True)
    reach = SAMPLE_PX * float(np.median(rows.boxes.pixel))
    turned, right, neither = fragments.votes(
        rows.boxes, sample.ravel(), point[rows.cell], reach
    )
    if neither or (turned and right):
        raise SchemaError(
            f"{path}: footprints of {turned:,} samples are transposed, of {right:,} right and "
            f"of {neither:,} neither; split the file, or pass --footprints "
            f"{' or '.join(FOOTPRINTS)}"
        )
    return None if turned == right else turned > 0


def _points(rows: source.Rows, path: Path) -> NDArray[np.float64]:
    """(c, 2) west and south of the cells, metres in the zone of their rows."""
    grid, lonlat = CellGrid(), np.zeros((len(rows.cells), 2))
    for number, name in enumerate(rows.cells):
        try:
            row, col = grid.parse(name)
        except ValueError as error:
            raise SchemaError(f"{path}: {error}") from error
        lonlat[number] = grid.longitude(row, col), grid.latitude(row)
    zone = np.zeros(len(rows.cells), np.int64)
    zone[rows.cell] = rows.epsg
    point = np.zeros_like(lonlat)
    for code in np.unique(zone).tolist():
        here = zone == code
        point[here] = moved(4326, code, lonlat[here, 0], lonlat[here, 1])
    return point


def _samples(rows: source.Rows) -> NDArray[np.int64]:
    """(n,), one number for a cell, product and instant."""
    _, when = np.unique(rows.times, return_inverse=True)
    codes = (rows.cell * len(rows.products) + rows.product) * len(rows) + when.ravel()
    return np.asarray(codes)
