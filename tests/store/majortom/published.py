"""Tables as Major TOM publishes them, made from the documented schema, defects included."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyproj
import shapely

from terradrift.store.majortom.cells import CellGrid

SAMPLE, FRAGMENT, STRIDE, PIXEL = 1068, 224, 211, 10
CELLS = ("570U_58R", "570U_59R", "571U_58R")


def corner(cell: str) -> tuple[int, float, float]:
    """Zone, west and north of a cell's sample."""
    grid = CellGrid()
    row, col = grid.parse(cell)
    epsg = grid.epsg(cell)
    to = pyproj.Transformer.from_crs(4326, epsg, always_xy=True)
    west, south = to.transform(grid.longitude(row, col), grid.latitude(row))
    west, south = (round(axis / PIXEL) * PIXEL for axis in (west, south))
    return epsg, float(west), float(south + SAMPLE * PIXEL)


def rows(
    cells: Sequence[str] = CELLS,
    days: Sequence[str] = ("20200607T101031",),
    *,
    transposed: bool = True,
    dimensions: int = 8,
    product: str = "S2A_MSIL1C_{day}_N0500_R022_T33TWM_X",
) -> list[dict]:
    """A row per fragment, cell and day.

    The image is one of coordinates: a fragment's vector begins with the mean row and column
    of its pixels within the sample, over 4, the number of its cell and that of the day.
    """
    found = []
    image_row, image_col = np.indices((SAMPLE, SAMPLE))
    for number, cell in enumerate(cells):
        epsg, west, north = corner(cell)
        back = pyproj.Transformer.from_crs(epsg, 4326, always_xy=True)
        for date, day in enumerate(days):
            for i in range(5):
                for j in range(5):
                    at = (
                        slice(i * STRIDE, i * STRIDE + FRAGMENT),
                        slice(j * STRIDE, j * STRIDE + FRAGMENT),
                    )
                    # The pair is (row, column), and was read as (column, row).
                    first = (i * STRIDE, j * STRIDE)
                    along, down = first if transposed else first[::-1]
                    left, top = west + along * PIXEL, north - down * PIXEL
                    side = FRAGMENT * PIXEL
                    shape = shapely.box(left, top - side, left + side, top)
                    place = shapely.transform(shape, back.transform, interleaved=False)
                    vector = np.zeros(dimensions, np.float32)
                    vector[:4] = (
                        image_row[at].mean() / 4,
                        image_col[at].mean() / 4,
                        number,
                        date,
                    )
                    found.append(
                        {
                            "unique_id": f"{cell}-{day}-{i}-{j}",
                            "embedding": vector.tolist(),
                            "timestamp": day,
                            "product_id": product.format(day=day),
                            "grid_cell": cell,
                            "grid_row_u": CellGrid().parse(cell)[0],
                            "grid_col_r": CellGrid().parse(cell)[1],
                            "geometry": shapely.to_wkb(place),
                            "centre_lat": place.centroid.y,
                            "centre_lon": place.centroid.x,
                            "utm_footprint": shape.wkt,
                            "utm_crs": f"EPSG:{epsg}",
                            "pixel_bbox": [
                                *first,
                                first[0] + FRAGMENT,
                                first[1] + FRAGMENT,
                            ],
                        }
                    )
    return found


def write(path: Path, made: list[dict]) -> Path:
    columns = pa.schema(
        [
            pa.field("unique_id", pa.string()),
            pa.field("embedding", pa.list_(pa.float32())),
            pa.field("timestamp", pa.string()),
            pa.field("product_id", pa.string()),
            pa.field("grid_cell", pa.string()),
            pa.field("grid_row_u", pa.int16()),
            pa.field("grid_col_r", pa.int16()),
            pa.field("geometry", pa.binary()),
            pa.field("centre_lat", pa.float32()),
            pa.field("centre_lon", pa.float32()),
            pa.field("utm_footprint", pa.string()),
            pa.field("utm_crs", pa.string()),
            pa.field("pixel_bbox", pa.list_(pa.int64())),
        ]
    )
    pq.write_table(pa.Table.from_pylist(made, schema=columns), path, row_group_size=40)
    return path
