"""Whether the footprints of a file are mirror images of their places."""

from pathlib import Path

import numpy as np
import pyproj
from numpy.typing import NDArray

from terradrift.errors import SchemaError
from terradrift.store.majortom import fragments, source
from terradrift.store.majortom.cells import CellGrid

FOOTPRINTS = ("transposed", "right")
SAMPLE_PX = 1068
"""Side of the samples that were published; tells cells apart where footprints do not."""


def transposed(rows: source.Rows, asked: str | None, path: Path) -> bool | None:
    """Whether footprints are the mirror images of their places; None: nothing tells."""
    if asked is not None:
        return asked == "transposed"
    cells, point = CellGrid(), np.zeros((len(rows.cells), 2))
    zone = np.zeros(len(rows.cells), np.int64)
    zone[rows.cell] = rows.epsg
    for number, name in enumerate(rows.cells):
        try:
            row, col = cells.parse(name)
        except ValueError as error:
            raise SchemaError(f"{path}: {error}") from error
        to = pyproj.Transformer.from_crs(4326, int(zone[number]), always_xy=True)
        point[number] = to.transform(cells.longitude(row, col), cells.latitude(row))
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


def _samples(rows: source.Rows) -> NDArray[np.int64]:
    """(n,), one number for a cell, product and instant."""
    _, when = np.unique(rows.times, return_inverse=True)
    codes = (rows.cell * len(rows.products) + rows.product) * len(rows) + when.ravel()
    return np.asarray(codes)
