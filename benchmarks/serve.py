"""The map of a million changes from a real server: start, tiles, filters, lists, memory.

    python benchmarks/serve.py [--archive FOLDER] [--json benchmarks/results/serve.json]

Starts `terradrift serve` in a clean process and asks it over HTTP, as a browser does. Of
each question the median of several tiles or filters that were never asked before (*cold*),
wall clock and CPU of the server, and of the same asked again (*warm*). Beside it, in the
same run: DuckDB answering the same tiles from the Lance table, and from a table of its own
that is sorted along a Hilbert curve; and one GeoJSON of all points. Before all that the page
itself in a headless browser (`_serve_view.py`), but with `--no-browser`. Without `--archive`
one of a million changes is made first (`_million.py`).
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import psutil
from _million import make
from _serve_view import REST, views

from terradrift.serve.columns import mercator
from terradrift.store.tables import Store

HERE = Path(__file__).parent
ZOOMS = tuple(range(17))
EACH = 7
"""Tiles of a zoom, where there are so many."""
PEER_ZOOMS = (0, 3, 6, 8, 10)
SEED = 23
Line = dict[str, Any]


@contextmanager
def serving(folder: Path) -> Iterator[tuple[str, psutil.Process, float]]:
    """Address and process of a server, and when it was started."""
    command = [sys.executable, "-m", "terradrift", "serve", str(folder)]
    started = time.perf_counter()
    with subprocess.Popen(
        [*command, "--no-open", "--port", "0"], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            if process.stdout is None:
                raise RuntimeError("expected the address of the server, got no output")
            address = process.stdout.readline().strip().rsplit(" ", 1)[-1]
            yield address.rstrip("/"), psutil.Process(process.pid), started
        finally:
            process.terminate()


class Asking:
    """Questions to a server, with their times."""

    def __init__(self, address: str, process: psutil.Process) -> None:
        self._client = httpx.Client(base_url=address, timeout=120)
        self._process = process

    def get(self, path: str, **values: Any) -> tuple[httpx.Response, Line]:
        """The answer, and what it took."""
        cpu = _cpu_seconds(self._process.pid)
        start = time.perf_counter()
        answer = self._client.get(path, params=values)
        wall = time.perf_counter() - start
        answer.raise_for_status()
        spent = _cpu_seconds(self._process.pid) - cpu
        size = answer.num_bytes_downloaded
        return answer, {"ms": wall * 1e3, "cpu_ms": spent * 1e3, "bytes": size}

    def post(self, path: str, body: Any) -> Any:
        """The answer's JSON."""
        answer = self._client.post(path, json=body)
        answer.raise_for_status()
        return answer.json()


def typical(lines: list[Line]) -> Line:
    """Medians, and the slowest."""
    told = {
        name: round(statistics.median(line[name] for line in lines), 2)
        for name in lines[0]
    }
    return told | {
        "p95_ms": round(float(np.quantile([line["ms"] for line in lines], 0.95)), 2),
        "worst_ms": round(max(line["ms"] for line in lines), 2),
        "of": len(lines),
    }


def places(store: Store, table: str) -> np.ndarray:
    """(k, 2) longitude and latitude of some changes, the same every time."""
    rows = store.scan(table, ["longitude", "latitude"]).read_all()
    some = np.random.default_rng(SEED).choice(len(rows), min(2000, len(rows)), False)
    return np.column_stack([rows[name].to_numpy()[some] for name in rows.column_names])


def tiles_of(some: np.ndarray, zoom: int) -> list[tuple[int, int, int]]:
    """Tiles of a zoom that changes lie in, some of them."""
    shift = mercator.BITS - zoom
    x, y = mercator.x_of(some[:, 0]) >> shift, mercator.y_of(some[:, 1]) >> shift
    found = list(dict.fromkeys(zip(x.tolist(), y.tolist(), strict=True)))
    return [(zoom, x, y) for x, y in found[:EACH]]


def first_view(ask: Asking, started: float, some: np.ndarray) -> Line:
    """From the start of the process to all that the page needs for its first view."""
    listening = time.perf_counter() - started
    archive, _ = ask.get("/api/archive")
    about = time.perf_counter() - started
    version = archive.json()["version"]
    for z, x, y in tiles_of(some, 7):
        ask.get(f"/tiles/changes/{z}/{x}/{y}.mvt", v=version)
    drawn = time.perf_counter() - started
    ask.get("/api/count", v=version)
    ask.get("/api/events", v=version)
    listed = time.perf_counter() - started
    parts = {"listening": listening, "archive": about, "tiles": drawn, "lists": listed}
    return {"version": version, **{name: round(at, 2) for name, at in parts.items()}}


def tiles(ask: Asking, some: np.ndarray, version: str) -> Iterator[Line]:
    """Each layer and zoom, cold and warm."""
    for layer in ("changes", "events", "patches"):
        for zoom in ZOOMS:
            asked = tiles_of(some, zoom)
            paths = [f"/tiles/{layer}/{z}/{x}/{y}.mvt" for z, x, y in asked]
            # Another least score that leaves nothing out: tiles that nobody has asked for.
            never = {} if layer == "patches" else {"min_score": 1e-3 * (1 + zoom)}
            ask.get("/api/count", v=version, **never)
            cold = [ask.get(path, v=version, **never)[1] for path in paths]
            warm = [ask.get(path, v=version, **never)[1] for path in paths]
            yield {
                "layer": layer,
                "zoom": zoom,
                "cold": typical(cold),
                "warm": typical(warm),
            }


def star(longitude: float, latitude: float, radius: float, corners: int) -> Line:
    """A drawn area, as GeoJSON."""
    turn = np.linspace(0, 2 * np.pi, corners, endpoint=False)
    far = radius * (1 + 0.3 * np.sin(5 * turn))
    at = np.column_stack(
        [longitude + far * np.cos(turn), latitude + far * np.sin(turn)]
    )
    ring = [*at.tolist(), at[0].tolist()]
    return {"type": "Polygon", "coordinates": [ring]}


def filtered(ask: Asking, some: np.ndarray, version: str) -> Iterator[Line]:
    """A tile with filters that nobody has asked for, the mask being made as well."""
    ways: dict[str, Callable[[int], Line]] = {
        "least score": lambda at: {"min_score": 9 + at / 7},
        "period": lambda at: {"since": f"2020-0{1 + at}-03", "until": "2022-06-30"},
        "kinds": lambda at: {"kind": [at, at + 2, -1]},
        "all of these": lambda at: {
            "min_score": 10 + at / 7,
            "since": f"2020-0{1 + at}-04",
            "kind": [at, at + 3],
            "persistence": "persistent",
        },
        "area of 0.1 degrees": lambda at: {
            "region": ask.post("/api/regions", star(*some[at], 0.1, 40))["region"]
        },
        "area of 0.6 degrees": lambda at: {
            "region": ask.post("/api/regions", star(*some[at], 0.6, 200))["region"]
        },
    }
    for name, way in ways.items():
        for zoom in (5, 8):
            asked = [
                way(at + (zoom == 8) * 40 if "area" in name else at)
                for at in range(EACH)
            ]
            told = []
            for at, values in enumerate(asked):
                z, x, y = tiles_of(some[at:], zoom)[0]
                told.append(
                    ask.get(f"/tiles/changes/{z}/{x}/{y}.mvt", v=version, **values)[1]
                )
            yield {"filter": name, "zoom": zoom, **typical(told)}


def lists(ask: Asking, some: np.ndarray, version: str) -> Iterator[Line]:
    """Pages and counts, each with filters that nobody has asked for."""
    questions = {
        "/api/events": [{"sort": s} for s in ("rank", "start", "area", "score")],
        "/api/changes": [{"sort": "score"}, {"sort": "onset"}, {"offset": 500_000}],
        "/api/count": [{}],
        "/api/at": [
            {"longitude": x, "latitude": y, "metres": 200} for x, y in some[:5]
        ],
    }
    nth = 0
    for path, ways in questions.items():
        for values in ways:
            nth += 1
            limits = {} if path in ("/api/at", "/api/count") else {"limit": 100}
            told = [
                ask.get(
                    path,
                    v=version,
                    min_score=8 + nth / 50 + at / 9000,
                    **limits,
                    **values,
                )[1]
                for at in range(EACH)
            ]
            yield {"question": path, **values, **typical(told)}


def peers(folder: Path, some: np.ndarray) -> Iterator[Line]:
    """The same tiles by DuckDB, and a GeoJSON of everything."""
    asked = {zoom: tiles_of(some, zoom) for zoom in PEER_ZOOMS}
    request = {"tiles": [tile for each in asked.values() for tile in each], "least": 0}
    for way in ("lance", "native", "geojson"):
        script = [sys.executable, str(HERE / "_serve_peers.py"), way, str(folder)]
        done = subprocess.run(
            [*script, json.dumps(request)],
            stdout=subprocess.PIPE,
            check=True,
            text=True,
        )
        found = json.loads(done.stdout)
        if way == "geojson":
            yield {"peer": way, **found}
            continue
        told = iter(found["tiles"])
        for zoom, each in asked.items():
            lines = [next(told) for _ in each]
            yield {"peer": way, "zoom": zoom, **typical(lines)}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--archive", type=Path)
    parser.add_argument("--json", type=Path, help="file for the results")
    parser.add_argument("--no-browser", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.archive or Path(temporary) / "million.td"
        store = Store.open(folder) if options.archive else make(folder)
        table = f"changes_{store.settings.model}"
        some = places(store, table)
        found: Line = {
            "changes": store.count(table),
            "cpus": len(os.sched_getaffinity(0)),
            "load_before": round(os.getloadavg()[0], 1),
        }
        if not options.no_browser:
            found["page"] = views(
                folder, serving, (float(some[0, 0]), float(some[0, 1]))
            )
            found["load_after_page"] = round(os.getloadavg()[0], 1)
        with serving(folder) as (address, process, started):
            ask = Asking(address, process)
            found["first_view_s"] = first_view(ask, started, some)
            version = found["first_view_s"].pop("version")
            found["memory_bytes"] = {"first view": process.memory_info().rss}
            time.sleep(REST)
            found["tiles"] = list(tiles(ask, some, version))
            found["filters"] = list(filtered(ask, some, version))
            found["lists"] = list(lists(ask, some, version))
            found["memory_bytes"]["end"] = process.memory_info().rss
            found["memory_bytes"]["most"] = _most(process.pid)
        found["peers"] = list(peers(folder, some))
    found["load_after"] = round(os.getloadavg()[0], 1)
    told(found)
    if options.json:
        options.json.write_text(json.dumps(found, indent=1) + "\n")


def _cpu_seconds(pid: int) -> float:
    """CPU that the threads of a process have had, to the nanosecond (Linux)."""
    spent = 0
    for task in Path(f"/proc/{pid}/task").iterdir():
        with suppress(FileNotFoundError):  # a thread that has ended meanwhile
            spent += int((task / "schedstat").read_text().split()[0])
    return spent / 1e9


def _most(pid: int) -> int:
    """Bytes that a process has had in memory at most."""
    status = Path(f"/proc/{pid}/status").read_text()
    (kilobytes,) = (line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(kilobytes.split()[1]) * 1024


def told(found: Line) -> None:
    """The results as tables."""
    print(
        json.dumps(
            {name: found[name] for name in found if not isinstance(found[name], list)}
        )
    )
    print("| layer | zoom | cold ms (CPU; worst) | warm ms | bytes |")
    print("| --- | --- | --- | --- | --- |")
    for line in found["tiles"]:
        cold = line["cold"]
        print(
            f"| {line['layer']} | {line['zoom']} | {cold['ms']:.1f} ({cold['cpu_ms']:.0f}; "
            f"{cold['worst_ms']:.1f}) | {line['warm']['ms']:.1f} | {cold['bytes']:,.0f} |"
        )
    for name in ("filters", "lists", "peers"):
        print()
        for line in found[name]:
            print("  ".join(f"{key} {_short(value)}" for key, value in line.items()))


def _short(value: Any) -> str:
    return f"{value:,.4g}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    main()
