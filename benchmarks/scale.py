"""The main job at scale: wall time by stage, patches/s, peak memory, bytes on disk.

Simulates 2,048 x 2,048 px x 10 bands (once; kept in the folder), then, each in a process
of its own: the whole job over 36 dates and over 72; the floor of ingest + embed: reading
the same windows with files kept open and running the same model on the same pixels with
nothing else, at the same number of threads; and a second run after one more scene.

    python benchmarks/scale.py [FOLDER] [--size 2048] [--dates 36]
"""

import argparse
import json
import resource
import shutil
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path


def measured(*words: str) -> dict[str, float]:
    """Run one of this file's jobs in a process of its own; its last line is its figures."""
    done = subprocess.run(
        [sys.executable, __file__, "job", *words],
        capture_output=True,
        text=True,
        check=False,
    )
    if done.returncode:
        sys.exit(f"{' '.join(words)} failed:\n{done.stderr}")
    return json.loads(done.stdout.splitlines()[-1])


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


def folder_bytes(path: Path) -> int:
    return sum(f.stat().st_size for f in path.rglob("*") if f.is_file())


def job_run(place: str, catalog: str) -> dict[str, float]:
    """The verbs of `run`, one after the other, timed."""
    import terradrift as td

    path = Path(place)
    fresh = not path.exists()
    archive = td.create(path, td.Grid(160)) if fresh else td.open(path)
    figures: dict[str, float] = {}
    verbs = {
        "ingest": lambda: archive.ingest(catalog),
        "plan": archive.plan,
        "embed": lambda: archive.embed(quiet=True),
        "detect": lambda: archive.detect(quiet=True),
        "cluster": lambda: archive.cluster(quiet=True),
    }
    results = {}
    for name, verb in verbs.items():
        cpu, started = time.process_time(), time.perf_counter()
        results[name] = verb()
        figures[f"{name}_s"] = time.perf_counter() - started
        figures[f"{name}_cpu_s"] = time.process_time() - cpu
        figures[f"{name}_rss_mb"] = peak_mb()
    figures["scenes_read"] = results["plan"].scenes
    figures["observations"] = results["embed"].rows
    figures["changes"] = results["detect"].changes
    figures["events"] = results["detect"].events
    return figures


def job_floor(place: str) -> dict[str, float]:
    """Plain reads of every scene's windows, then the model on real chips, nothing else."""
    import numpy as np
    import rasterio
    import torch
    from rasterio.windows import Window

    import terradrift as td
    from terradrift import threads
    from terradrift.embed import chips
    from terradrift.embed.mosaiks import Mosaiks
    from terradrift.ingest.plan import plan
    from terradrift.ingest.read import read

    store = td.open(place).store
    scenes = store.scan("scenes").read_all()
    files = [
        sorted({asset["href"] for asset in assets})
        for assets in scenes["assets"].to_pylist()
    ]
    count, side = threads.available(), 512

    def read_all(hrefs: list[str]) -> int:
        total = 0
        for href in hrefs:
            with rasterio.open(href) as opened:
                for y in range(0, opened.height, side):
                    for x in range(0, opened.width, side):
                        total += opened.read(window=Window(x, y, side, side)).nbytes
        return total

    cpu, started = time.process_time(), time.perf_counter()
    with ThreadPoolExecutor(count) as pool:
        total = sum(pool.map(read_all, files))
    read_s, read_cpu = time.perf_counter() - started, time.process_time() - cpu

    # The model on the very chips of every sixth scene, cut beforehand.
    settings = store.settings
    model = Mosaiks.load(store.root / "models" / "mosaiks.safetensors")
    some = scenes.take(list(range(0, scenes.num_rows, 6)))
    patches = store.scan("patches").read_all()
    todo = plan(some, patches, settings.grid, settings.bands, set())
    batches = []
    halo = model.card.context_px
    for image in read(
        todo, settings.grid, halo_px=halo, threads=count, skip_bad=False, on_bad=print
    ):
        wanted = np.flatnonzero(image.clear_percent >= 1)
        batches += [cut.chips for cut in chips.cut(image, model.card, wanted)]
    cut = sum(len(batch) for batch in batches)
    share = store.count("embeddings_mosaiks") / cut
    torch.set_num_threads(1)
    with threads.single_blas(), ThreadPoolExecutor(count) as pool:
        model.embed(batches[0])
        cpu, started = time.process_time(), time.perf_counter()
        list(pool.map(model.embed, batches))
    model_s = (time.perf_counter() - started) * share
    model_cpu = (time.process_time() - cpu) * share
    return {
        "read_s": read_s,
        "model_s": model_s,
        "cpu_s": read_cpu + model_cpu,
        "read_mb": total / 1e6,
    }


def job_simulate(folder: str, size: str, dates: str) -> dict[str, float]:
    from terradrift.ingest.simulate import simulate

    started = time.perf_counter()
    simulate(Path(folder), size_px=int(size), dates=int(dates))
    return {"simulate_s": time.perf_counter() - started}


JOBS = {"run": job_run, "floor": job_floor, "simulate": job_simulate}


def show(title: str, figures: dict[str, float]) -> None:
    words = "  ".join(f"{name} {value:,.2f}" for name, value in figures.items())
    print(f"{title:<28} {words}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", nargs="?", default="perf-work/scale", type=Path)
    parser.add_argument("--size", default=2048, type=int)
    parser.add_argument("--dates", default=36, type=int)
    options = parser.parse_args()
    scenes = options.folder / "scenes"
    catalog = str(scenes / "catalog.json")
    report = {}
    for count in (options.dates, options.dates + 1, 2 * options.dates):
        made = measured("simulate", str(scenes), str(options.size), str(count))
        show(f"simulate to {count} dates", made)
        place = options.folder / (
            "first.td" if count <= options.dates + 1 else "long.td"
        )
        if count != options.dates + 1:
            shutil.rmtree(place, ignore_errors=True)
        figures = measured("run", str(place), catalog)
        both = figures["ingest_s"] + figures["embed_s"]
        figures["patches_per_s"] = figures["observations"] / both
        figures["archive_mb"] = folder_bytes(place) / 1e6
        show(f"run over {count} dates", figures)
        report[f"run_{count}"] = figures
        if count == options.dates:
            floor = measured("floor", str(place))
            plain = floor["read_s"] + floor["model_s"]
            floor["share_of_floor_speed"] = plain / both
            floor["share_by_cpu"] = floor["cpu_s"] / (
                figures["ingest_cpu_s"] + figures["embed_cpu_s"]
            )
            show("floor: plain read, model", floor)
            report["floor"] = floor
    (options.folder / "scale.json").write_text(json.dumps(report, indent=2))


if __name__ == "__main__":
    if sys.argv[1:2] == ["job"]:
        result = JOBS[sys.argv[2]](*sys.argv[3:])
        result["peak_rss_mb"] = peak_mb()
        print(json.dumps(result))
    else:
        main()
