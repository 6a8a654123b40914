"""Importing published embeddings: rows a CPU second, and the memory that it takes.

Files of Earth Index's form of 2025 are made: one for each of `--tiles` MGRS tiles and year, a
point, bytes for a vector and no CRS in each row, rows in no order, neighbouring tiles with a
tenth of their patches in common. They are imported by `terradrift import` in a process of its
own; its own memory (`RssAnon`, sampled every 50 ms: what it holds itself, without files that
it maps) and CPU seconds are measured. Beside, in another process: geopandas reads as many
of the same files as the peer is given and joins them, which is how users read them today;
it ends there, with neither vectors of one type nor places that are told apart. And the same
rows by `terradrift export` and back.

    python benchmarks/exchange_import.py --rows 10_000_000 --dimensions 32 --peer-rows 1_000_000
"""

import argparse
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import psutil
import pyarrow as pa
import pyarrow.parquet as pq
import pyproj
import shapely

PATCH, YEARS = 320, range(2015, 2025)
EPSG, WEST, SOUTH = 32633, 400_000.0, 5_000_000.0
_EVERY = 0.05


def made(folder: Path, rows: int, tiles: int, dimensions: int) -> None:
    """Files of points and bytes, a tile and year each."""
    side = round((rows / tiles / len(YEARS)) ** 0.5)
    back = pyproj.Transformer.from_crs(EPSG, 4326, always_xy=True)
    random = np.random.default_rng(0)
    for tile in range(tiles):
        row, col = (axis.ravel() for axis in np.indices((side, side)))
        # Tiles overlap by a tenth of their side.
        first = tile * (side - side // 10)
        x, y = WEST + (first + col + 0.5) * PATCH, SOUTH + (row + 0.5) * PATCH
        points = shapely.to_wkb(shapely.points(*back.transform(x, y)))
        for year in YEARS:
            order = random.permutation(side * side)
            vectors = random.integers(0, 256, (side * side, dimensions), np.uint8)
            columns = {
                "id": pa.array(order.astype(str)),
                "embedding": pa.FixedSizeListArray.from_arrays(
                    pa.array(vectors.ravel()), dimensions
                ),
                "geometry": pa.array(points[order], pa.binary()),
            }
            name = f"33U{tile:02}_{year}-01-01_{year + 1}-01-01.parquet"
            pq.write_table(pa.table(columns), folder / name, row_group_size=20_000)


def measured(command: list[str]) -> dict[str, float]:
    """Wall and CPU seconds, and peaks of memory in MB, of a process."""
    start = time.perf_counter()
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    own = every = cpu = 0.0
    watched = psutil.Process(process.pid)
    while process.poll() is None:
        try:
            text = Path(f"/proc/{process.pid}/status").read_text()
            used = watched.cpu_times()
        except (OSError, psutil.Error):
            break
        held = {
            line.split(":")[0]: int(line.split()[1]) / 1024
            for line in text.splitlines()
            if line.startswith(("RssAnon", "VmRSS"))
        }
        own, every = max(own, held.get("RssAnon", 0)), max(every, held.get("VmRSS", 0))
        cpu = max(cpu, used.user + used.system)
        time.sleep(_EVERY)
    said = process.stdout.read().decode() if process.stdout else ""
    if process.wait():
        sys.exit(f"{' '.join(command)}: {said}")
    print(said.strip()[-400:], file=sys.stderr)
    return {
        "seconds": time.perf_counter() - start,
        "cpu": cpu,
        "own_mb": own,
        "rss_mb": every,
    }


_PEER = """
import glob, sys
import geopandas, pandas
files = sorted(glob.glob(sys.argv[1] + "/*.parquet"))[: int(sys.argv[2])]
# Files without a `geo` footer are no GeoParquet to geopandas: read, then made geometries.
parts = []
for file in files:
    table = pandas.read_parquet(file)
    shapes = geopandas.GeoSeries.from_wkb(table.pop("geometry"), crs=4326)
    parts.append(geopandas.GeoDataFrame(table, geometry=shapes))
joined = pandas.concat(parts)
print(len(joined), "rows joined")
"""


def line(name: str, rows: int, found: dict[str, float]) -> None:
    """One row of the table."""
    rate = rows / found["cpu"]
    print(
        f"| {name} | {rows:,} | {found['seconds']:.0f} | {found['cpu']:.0f} | {rate:,.0f} | "
        f"{found['own_mb']:,.0f} | {found['rss_mb']:,.0f} |",
        flush=True,
    )


def main() -> None:
    """Print a table; with --json a record too."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--dimensions", type=int, default=32)
    parser.add_argument("--tiles", type=int, default=10)
    parser.add_argument("--peer-rows", type=int, default=500_000)
    parser.add_argument(
        "--own",
        action="store_true",
        help="also the same once more, and export and back",
    )
    parser.add_argument("--folder", type=Path)
    parser.add_argument("--json", type=Path, help="file to write figures to")
    asked = parser.parse_args()
    load = os.getloadavg()[0]
    terradrift = [sys.executable, "-m", "terradrift"]
    with TemporaryDirectory(dir=asked.folder) as name:
        place = Path(name)
        files = place / "in"
        files.mkdir()
        made(files, asked.rows, asked.tiles, asked.dimensions)
        first = pq.read_metadata(next(iter(sorted(files.iterdir())))).num_rows
        rows = first * len(list(files.iterdir()))
        print(
            f"{rows:,} rows of {asked.dimensions} numbers in {asked.tiles * len(YEARS)} files"
        )
        print("| what | rows | s | CPU s | rows per CPU s | own MB | with files, MB |")
        print("| --- | --- | --- | --- | --- | --- | --- |")
        archive = str(place / "a.td")
        told = ["import", archive, str(files), "--form", "earth-index"]
        results = {"import": measured([*terradrift, *told])}
        line("`terradrift import`, Earth Index", rows, results["import"])
        if asked.own:
            results["again"] = measured([*terradrift, *told])
            line("the same once more: nothing is new", rows, results["again"])
        few = max(1, asked.peer_rows // first)
        peer = [sys.executable, "-c", _PEER, str(files), str(few)]
        results["peer"] = measured(peer)
        line("geopandas, read and joined", few * first, results["peer"])
        if asked.own:
            out = str(place / "out")
            sent = ["export", archive, out, "--to", "partitioned", "-q"]
            measured([*terradrift, *sent])
            back = ["import", str(place / "b.td"), out]
            results["own"] = measured([*terradrift, *back])
            line(
                "`terradrift import`, own folder by tile and year", rows, results["own"]
            )
    if asked.json:
        what = {"load_before": load, "rows": rows, "peer_rows": few * first}
        text = json.dumps({**what, "dimensions": asked.dimensions, **results}, indent=2)
        asked.json.write_text(f"{text}\n")


if __name__ == "__main__":
    main()
