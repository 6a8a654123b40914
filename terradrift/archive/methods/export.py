"""Anomalies as GeoParquet 1.1: one row per observation with all that its score is made of.

Columns follow METHODS 4.4. Names of the Major TOM embedding files are kept where the thing
is the same: `unique_id`, `timestamp` (text such as 20180516T104021), `product_id`,
`centre_lat`, `centre_lon`, `utm_footprint`, `utm_crs`, `geometry`. `unique_id` is SHA-256 of
method, model, patch, instant and product, not of the printed vector, so it is the same on
every machine. `grid_cell`, `grid_row_u`, `grid_col_r` and `pixel_bbox` are not given: a
patch is no fragment of a Major TOM cell, `patch_id` is its key.
"""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import shapely
from numpy.typing import NDArray

from terradrift import schema
from terradrift.archive import places
from terradrift.archive.methods import anomalies
from terradrift.errors import ArchiveError
from terradrift.grid import Grid, parse_id
from terradrift.store import footer, spatial
from terradrift.store.footer import Contents
from terradrift.store.majortom.places import moved
from terradrift.store.parquet import Covered, rows_per_group, write
from terradrift.store.tables import Store
from terradrift.store.units import embeddings_table

ABOUT = "terradrift:anomalies"
"""Footer key: method, model and settings as JSON."""

_SAME = 1e-7
"""Degrees, a centimetre: a geometry so near its patch's square is that square."""
_MILLIMETRES = 3
"""Digits of metres."""

_RENAMED = {
    "scene_id": "product_id",
    "n_reference": "ref_count",
    "reference_start": "ref_start",
    "reference_end": "ref_end",
    "score": "score_temporal",
}
_COLUMNS = pa.schema(
    [
        pa.field("unique_id", pa.string()),
        pa.field("patch_id", pa.string()),
        pa.field("timestamp", pa.string()),
        pa.field("datetime", schema.INSTANT),
        pa.field("product_id", pa.string()),
        pa.field("cloud_frac", pa.float32()),
        pa.field("ref_count", pa.int32()),
        pa.field("ref_start", schema.INSTANT),
        pa.field("ref_end", schema.INSTANT),
        *(
            pa.field(name, pa.float32())
            for name in ("score_temporal", "score_spatial", "z", "p_value", "cusum")
        ),
        pa.field("persistent", pa.bool_()),
        pa.field("reason", pa.string()),
        pa.field("method", pa.string()),
        pa.field("model_id", pa.string()),
        pa.field("weights_sha256", pa.string()),
        pa.field("preprocessing_id", pa.string()),
        pa.field("run_id", pa.string()),
        pa.field("centre_lon", pa.float64()),
        pa.field("centre_lat", pa.float64()),
        pa.field("utm_crs", pa.string()),
        pa.field("utm_footprint", pa.string()),
        pa.field("bbox", schema.BBOX),
        pa.field("geometry", pa.binary()),
    ]
)


def export(store: Store, path: Path, *, method: str, model: str) -> int:
    """Write what a method says of every observation; returns the number of rows.

    Streams tile by tile; `path` appears whole or not at all. Footers hold GeoParquet's
    `geo` and, as JSON, how the scores were made.

    Raises:
        ArchiveError: the method was not run, a patch has no geometry, or `path` cannot be
            written.
    """
    table = _table(store, method, model)
    dataset = store.dataset(table)
    said = {
        key.decode(): value.decode()
        for key, value in (dataset.schema.metadata or {}).items()
    }
    about = {**_of_model(store, said.get("model", "")), **said}
    rows = spatial.in_space(
        store, dataset, "datetime", None, rows_per_group(_COLUMNS), place=True
    )
    shaped = _shaped(rows, store.settings.grid, about)

    def footers(covered: Covered) -> dict[str, str]:
        told = {**about, "schema": about.get("terradrift:schema", "")}
        contents = _contents(store, about, covered)
        return {
            "geo": json.dumps(footer.geo(contents, sorted(covered.shapes))),
            ABOUT: json.dumps(told),
        }

    return write(shaped, _COLUMNS, path, "datetime", footers).rows


def _table(store: Store, method: str, model: str) -> str:
    """The method's table: of the model, or of no model where it is one on pixels."""
    for name in (
        anomalies.table_name(method, model),
        anomalies.table_name(method),
    ):
        if store.exists(name):
            return name
    held = [name for name in store.tables() if name.startswith(anomalies.PREFIX)]
    raise ArchiveError(
        f"{store.root} has no anomalies of {method} under {model}; run terradrift detect "
        f"--method {method} first (there are: {', '.join(sorted(held)) or 'none'})"
    )


def _of_model(store: Store, model: str) -> dict[str, str]:
    """What the embeddings say of their model; nothing for a method on pixels."""
    table = embeddings_table(model) if model else ""
    if not (table and store.exists(table)):
        return {}
    held = store.dataset(table).schema.metadata or {}
    names = ("model", "revision", "weights_sha256", "preprocessing")
    return {name: held.get(name.encode(), b"").decode() for name in names}


def _shaped(
    rows: Iterator[pa.Table], grid: Grid, about: dict[str, str]
) -> Iterator[pa.Table]:
    model = about.get("model", "")
    revision = about.get("revision", "")
    preprocessing = about.get("preprocessing", "")
    fixed = {
        "model_id": f"{model}@{revision}" if model else None,
        "weights_sha256": about.get("weights_sha256") or None,
        "preprocessing_id": _short(preprocessing) if preprocessing else None,
    }
    for table in rows:
        columns = {_RENAMED.get(name, name): table[name] for name in table.column_names}
        columns |= _places(table, grid)
        columns["cloud_frac"] = pc.subtract(
            1.0, pc.divide(table["clear_percent"].cast(pa.float64()), 100.0)
        )
        stamps = pc.strftime(table["datetime"], format="%Y%m%dT%H%M%S")
        # Arrow prints the seconds with their fraction.
        columns["timestamp"] = pc.utf8_slice_codeunits(stamps, 0, 15)
        columns["unique_id"] = _unique(table)
        for name, value in fixed.items():
            columns[name] = pa.array([value] * len(table), pa.string())
        chosen = [columns[field.name].cast(field.type) for field in _COLUMNS]
        yield pa.Table.from_arrays(chosen, schema=_COLUMNS)


def _short(text: str) -> str:
    """A name of a long text that is equal for equal texts; the footer has the text."""
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _unique(table: pa.Table) -> pa.Array:
    """SHA-256 of what makes a row the row it is."""
    parts = [
        table[name].to_pylist() for name in ("method", "model", "patch_id", "scene_id")
    ]
    instants = table["datetime"].cast(pa.int64()).to_pylist()
    texts = ("|".join(map(str, row)) for row in zip(*parts, instants, strict=True))
    return pa.array([hashlib.sha256(text.encode()).hexdigest() for text in texts])


def _places(table: pa.Table, grid: Grid) -> dict[str, pa.Array]:
    """Centre in degrees, and the outline in metres with its CRS, of what `geometry` shows."""
    encoded = table["patch_id"].combine_chunks().dictionary_encode()
    at = encoded.indices
    _, row = np.unique(at.to_numpy(), return_index=True)
    shapes = shapely.from_wkb(table["geometry"].take(pa.array(row)).to_pylist())
    cells = np.array([parse_id(str(one)) for one in encoded.dictionary.to_pylist()])
    squares = places.corners(grid, cells)
    other = ~shapely.equals_exact(shapes, shapely.polygons(squares), tolerance=_SAME)
    number, row, col = cells.T
    size = grid.patch_size
    ground = shapely.box(col * size, row * size, (col + 1) * size, (row + 1) * size)
    centres = np.zeros((len(cells), 2))
    for epsg in np.unique(number).tolist():
        here = number == epsg
        centres[here] = grid.centers(epsg, row[here], col[here])
        if (here := here & other).any():
            ground[here], centres[here] = _outlines(shapes[here], epsg)
    return {
        "utm_crs": pa.array([f"EPSG:{epsg}" for epsg in number], pa.string()).take(at),
        "utm_footprint": pa.array(shapely.to_wkt(ground), pa.string()).take(at),
        "centre_lon": pa.array(centres[:, 0]).take(at),
        "centre_lat": pa.array(centres[:, 1]).take(at),
    }


def _outlines(
    shapes: NDArray[np.object_], epsg: int
) -> tuple[NDArray[np.object_], NDArray[np.float64]]:
    """Shapes (n,) in degrees as polygons in metres of a CRS; (n, 2) centres in degrees."""
    ground = shapely.transform(
        shapes, lambda at: np.round(moved(4326, epsg, *at.T), _MILLIMETRES)
    )
    middle = shapely.get_coordinates(shapely.centroid(ground))
    return ground, moved(epsg, 4326, *middle.T)


def _contents(store: Store, about: dict[str, str], covered: Covered) -> Contents:
    """As the footers of other exports tell it; there are no vectors."""
    grid = store.settings.grid
    return Contents(
        kind="anomalies",
        model=about,
        dimensions=0,
        dtype="float32",
        patch_size=grid.patch_size,
        patch_px=None if grid.gsd is None else grid.patch_px,
        grid_crs=grid.crs,
        bands=store.settings.bands,
        bbox=covered.box,
        start=covered.start,
        end=covered.end,
    )
