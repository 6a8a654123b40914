"""Exports of a large archive: rates, own memory, and the peer that holds whole tables.

    python benchmarks/exchange_export.py [--rows 10_000_000] [--forms parquet,stac,...]
        [--json benchmarks/results/exchange_export.json]

Makes an archive of that many observations of 24 components (64 dates of each patch, one
written after another, so that a patch's rows lie apart unless `--sorted`), and exports it
in clean processes. Own memory is the peak of the anonymous pages of the process
(`RssAnon` of /proc/PID/status, looked at every 20 ms): what it holds itself, without files
that are mapped, which the system may drop. The peer is GeoPandas: one read of the whole
table, one write; it is run on fewer rows (`--peer-rows`), since it holds some 1.5 GB per
million.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import shapely

from terradrift import schema
from terradrift.grid import TILE_PATCHES, Grid
from terradrift.store.tables import Settings, Store

DIMENSIONS, DATES = 24, 64
ZONE, MODEL = 32631, "made"
FORMS = {
    "parquet": "e.parquet",
    "partitioned": "partitioned",
    "stac": "stac",
    "zarr": "e.zarr",
    "gpkg": "e.gpkg",
    "fgb": "e.fgb",
    "csv": "e.csv",
}
PEER = "geopandas"
_PATCHES = TILE_PATCHES**2
_LOOK_S = 0.02

_EXPORT = """
import sys
import terradrift as td
archive, target, form = sys.argv[1:4]
print(td.open(archive).export(target, what="embeddings", to=form))
"""
_PEER = """
import sys
import geopandas
import lance
import pyarrow as pa
archive, target = sys.argv[1:3]
rows = lance.dataset(archive + "/embeddings_made.lance").to_table().to_pandas()
places = lance.dataset(archive + "/patches.lance").to_table(["patch_id", "geometry"])
frame = rows.merge(places.to_pandas(), on="patch_id")
frame["geometry"] = geopandas.GeoSeries.from_wkb(frame["geometry"], crs="OGC:CRS84")
geopandas.GeoDataFrame(frame).to_parquet(target, compression="zstd", write_covering_bbox=True)
print(len(frame))
"""


def make(folder: Path, rows: int, *, tidy: bool) -> Store:
    """An archive of `rows` observations, at least; vectors are random but fixed."""
    grid = Grid(40, 10.0)
    store = Store.create(folder, Settings(grid=grid, model=MODEL))
    tiles = -(-rows // (_PATCHES * DATES))
    across = int(np.ceil(np.sqrt(tiles)))
    corners = [(390 + at % across, 4390 + at // across) for at in range(tiles)]
    # Made here: the thread in which Lance asks for rows has too small a stack for PROJ.
    store.append("patches", [_places(one) for one in corners], schema.patches())
    columns = schema.embeddings(DIMENSIONS, model=MODEL, revision="1")
    inner, outer = (range(DATES), corners) if tidy else (corners, range(DATES))

    def batches() -> Iterator[pa.RecordBatch]:
        for one in outer:
            for other in inner:
                (col, row), date = (one, other) if tidy else (other, one)
                yield _rows(col, row, int(date), columns)

    store.append(f"embeddings_{MODEL}", batches(), columns)
    return store


def _cells(col: int, row: int) -> tuple[np.ndarray, np.ndarray]:
    inside = np.arange(_PATCHES)
    return (
        row * TILE_PATCHES + inside // TILE_PATCHES,
        col * TILE_PATCHES + inside % TILE_PATCHES,
    )


def _names(col: int, row: int) -> list[str]:
    rows, cols = _cells(col, row)
    return [f"{ZONE}_40m_{c}_{r}" for r, c in zip(rows, cols, strict=True)]


def _places(corner: tuple[int, int]) -> pa.RecordBatch:
    rows, cols = _cells(*corner)
    corners = Grid(40, 10.0).corners(ZONE, rows, cols)
    low, high = corners.min(axis=1), corners.max(axis=1)
    middle = corners.mean(axis=1)
    sides = (low[:, 0], low[:, 1], high[:, 0], high[:, 1])
    n = len(rows)
    arrays = [
        pa.array(_names(*corner)),
        pa.array([f"{ZONE}_40m_{corner[0]}_{corner[1]}"] * n),
        pa.array([f"EPSG:{ZONE}"] * n),
        pa.array(rows.astype(np.int32)),
        pa.array(cols.astype(np.int32)),
        pa.array(middle[:, 0]),
        pa.array(middle[:, 1]),
        pa.StructArray.from_arrays(
            [pa.array(side) for side in sides], fields=list(schema.BBOX)
        ),
        pa.array(list(shapely.to_wkb(shapely.polygons(corners))), pa.binary()),
    ]
    return pa.RecordBatch.from_arrays(arrays, schema=schema.patches())


def _rows(col: int, row: int, date: int, columns: pa.Schema) -> pa.RecordBatch:
    random = np.random.default_rng([col, row, date])
    vectors = random.standard_normal((_PATCHES, DIMENSIONS), np.float32)
    day = np.datetime64("2018-01-03T10:50:00", "us") + np.timedelta64(11 * date, "D")
    light = random.uniform(-1, 1, (3, _PATCHES)).astype(np.float32)
    given = {
        "patch_id": pa.array(_names(col, row)),
        "datetime": pa.array(np.full(_PATCHES, day)).cast(schema.INSTANT),
        "tile": pa.array([f"{ZONE}_40m_{col}_{row}"] * _PATCHES),
        "scene_id": pa.array([f"S{date:03d}"] * _PATCHES),
        "clear_percent": pa.array(np.full(_PATCHES, 95, np.float32)),
        "ndvi": pa.array(light[0]),
        "nbr": pa.array(light[1]),
        "ndwi": pa.array(light[2]),
        "embedding": pa.FixedSizeListArray.from_arrays(
            pa.array(vectors.astype(np.float16).ravel()), DIMENSIONS
        ),
        "run_id": pa.array(["made"] * _PATCHES),
    }
    return pa.RecordBatch.from_arrays(
        [given[one.name] for one in columns], schema=columns
    )


def run(code: str, *words: str) -> dict[str, float]:
    """Run Python code in a clean process; seconds, CPU seconds, and memory in MB."""
    started = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, "-c", code, *words], stdout=subprocess.PIPE, text=True
    )
    own = mapped = ended = 0
    while not ended:
        held = _status(process.pid)
        own = max(own, held.get("RssAnon", 0))
        mapped = max(mapped, held.get("RssFile", 0))
        time.sleep(_LOOK_S)
        ended, status, used = os.wait4(process.pid, os.WNOHANG)
    seconds = time.monotonic() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    text = process.stdout.read() if process.stdout else ""
    if process.returncode:
        return {"failed": process.returncode, "own_mb": own // 1024}
    return {
        "rows": int(text.split()[-1]),
        "seconds": round(seconds, 1),
        "cpu_seconds": round(used.ru_utime + used.ru_stime, 1),
        "own_mb": own // 1024,
        "mapped_mb": mapped // 1024,
    }


def _status(pid: int) -> dict[str, int]:
    """Lines of /proc/PID/status in kB; none of a process that is no more."""
    try:
        lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    except OSError:
        return {}
    pairs = (line.split(":") for line in lines if line.startswith("Rss"))
    return {name: int(value.split()[0]) for name, value in pairs}


def _size(path: Path) -> int:
    files = (
        [path] if path.is_file() else [one for one in path.rglob("*") if one.is_file()]
    )
    return sum(one.stat().st_size for one in files) >> 20


def measured(
    archive: Path, forms: list[str], work: Path
) -> dict[str, dict[str, float]]:
    """Figures of each form, each in a process of its own."""
    found = {}
    for form in forms:
        code = _PEER if form == PEER else _EXPORT
        target = work / FORMS.get(form, "peer.parquet")
        figures = run(code, str(archive), str(target), form)
        if "failed" not in figures:
            figures["mb"] = _size(target)
        found[form] = figures
        words = (f"{name} {value:,}" for name, value in figures.items())
        print(f"{form:<12}", *words, flush=True)
        subprocess.run(["rm", "-rf", str(target)], check=True)
    return found


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=10_000_000)
    parser.add_argument("--peer-rows", type=int, default=1_000_000)
    parser.add_argument("--forms", default=",".join(FORMS))
    parser.add_argument("--sorted", action="store_true", help="rows tile by tile")
    parser.add_argument("--folder", type=Path, help="where to work, on a large disk")
    parser.add_argument("--json", type=Path, help="file to write figures to")
    asked = parser.parse_args()
    found: dict[str, object] = {"load_before": os.getloadavg()[0]}
    with tempfile.TemporaryDirectory(dir=asked.folder) as place:
        work = Path(place)
        few = [asked.forms.split(",")[0], PEER]
        for rows, forms in (
            (asked.peer_rows, few),
            (asked.rows, asked.forms.split(",")),
        ):
            archive = work / f"{rows}.td"
            make(archive, rows, tidy=asked.sorted)
            print(
                f"{rows:,} rows, {'tile by tile' if asked.sorted else 'date by date'}"
            )
            found[f"{rows:,} rows"] = measured(archive, forms, work)
    if asked.json:
        asked.json.write_text(json.dumps(found, indent=2) + "\n")


if __name__ == "__main__":
    main()
