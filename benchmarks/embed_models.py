"""How fast foundation models run, beside the float32 loop that users write.

    python benchmarks/embed_models.py --models ssl4eo-resnet50-moco,ssl4eo-vits16-dino

Official sizes with random weights, native chips of noise; `NAME-tokens` for tokens. Each model
runs in a process of its own. In one run, in turn: the plain eager float32 loop on all threads
(batches of 32, torch's own threads), then the model as the runner calls it (one graph on
`--threads` threads; two workers on CUDA), by precision and batch. Seconds are wall time, the
best of `--repeats`; `cpu ms` is CPU time per chip. `peak` is the share of the rate of a plain
matrix product of the same precision at that moment. `cosine` is the least to the eager loop.
`end to end` is the whole runner over GeoTIFFs on disk, rows and all, after two of the files:
its chips per second over those of the model alone (on CUDA: the busy share of the device).
"""

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import _networks as made
import numpy as np
import torch

from terradrift import threads as cores
from terradrift.embed import chips as cutting
from terradrift.embed.foundation import Foundation
from terradrift.embed.protocol import ModelCard
from terradrift.embed.run import embed
from terradrift.grid import TILE_PATCHES

MODELS = "ssl4eo-resnet50-moco,ssl4eo-vits16-dino"
EAGER_BATCH = 32
DTYPES = {"fp32": torch.float32, "bf16": torch.bfloat16}


def one(name: str, options: argparse.Namespace) -> dict[str, Any]:
    """All figures of one model."""
    device, workers = options.device, options.threads
    if device != "cpu":
        workers = 2
    network, card = made.network(name, options.seed)
    found: dict[str, Any] = {
        "model": name,
        "chip": card.chip_size,
        "gflop": made.gflop(network, card),
        "parameters": sum(p.numel() for p in network.parameters()),
    }
    n = options.chips or max(workers, min(64, int(600 / found["gflop"])))
    if device != "cpu":
        n = options.chips or 2 * max(options.batches)
    chips = made.some_chips(card, n, options.seed)
    torch.set_num_threads(options.threads)
    network.to(device)
    task = lambda: made.eager(network, chips, device, EAGER_BATCH)  # noqa: E731
    few = made.part(chips, 0, 1)
    made.eager(network, few, device, 1)
    true, took, cpu = timed(task, device, options.repeats)
    found["eager"] = {"per_s": n / took, "cpu_ms": 1e3 * cpu / n}
    torch.set_num_threads(1)
    found["peak"] = {
        k: made.peak(device, v, options.threads) for k, v in DTYPES.items()
    }
    found["runs"] = []
    for precision in options.precisions:
        model = Foundation(
            network=network, card=card, device=device, precision=precision
        )
        with ThreadPoolExecutor(workers) as pool:
            made.quick(model, made.part(chips, 0, workers), 1, pool)
            for batch in options.batches:
                if batch * workers > n and batch > min(options.batches):
                    continue
                task = lambda b=batch, m=model: made.quick(m, chips, b, pool)  # noqa: E731 - used at once
                got, took, cpu = timed(task, device, options.repeats)
                rate = n / took
                found["runs"].append(
                    {
                        "precision": precision,
                        "batch": batch,
                        "per_s": rate,
                        "cpu_ms": 1e3 * cpu / n,
                        "times_eager": rate / found["eager"]["per_s"],
                        "times_eager_cpu": found["eager"]["cpu_ms"] / (1e3 * cpu / n),
                        "peak_share": rate
                        * found["gflop"]
                        / 1e3
                        / found["peak"][precision],
                        "cosine": made.cosine(got, true),
                        "how_run": model.how_run,
                    }
                )
    if options.end_to_end:
        found["end_to_end"] = end_to_end(network, card, options, found["runs"])
    used = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    found["memory_gib"] = {"process": used}
    if device != "cpu":
        found["memory_gib"]["device"] = torch.cuda.max_memory_allocated() / 2**30
    return found


def timed(task: Any, device: str, repeats: int) -> tuple[np.ndarray, float, float]:
    """What it gives, its wall seconds at best, and CPU seconds at best, after a warm-up."""
    got = task()
    walls, cpus = [], []
    for _ in range(repeats):
        made.synchronise(device)
        wall, cpu = time.perf_counter(), time.process_time()
        task()
        made.synchronise(device)
        walls.append(time.perf_counter() - wall)
        cpus.append(time.process_time() - cpu)
    return got, min(walls), min(cpus)


def end_to_end(
    network: Any, card: ModelCard, options: argparse.Namespace, runs: list[dict]
) -> dict[str, float]:
    """The runner over files on disk, beside the model alone on as many chips."""
    tokens = card.token_stride is not None
    per_side = TILE_PATCHES if tokens else max(1, min(4, 1024 // (card.chip_size or 1)))
    model = Foundation(network=network, card=card, device=options.device)
    best = max(
        (run for run in runs if run["precision"] == options.precisions[-1]),
        key=lambda run: run["per_s"],
    )
    with tempfile.TemporaryDirectory() as folder:
        (first,) = made.write_tiles(Path(folder), card, 1, per_side)
        (image,) = made.tiles([first], card, per_side)
        wanted = np.arange(len(image.patch_ids))
        per_image = sum(len(cut.chips) for cut in cutting.cut(image, card, wanted))
        target = options.seconds * best["per_s"] / per_image
        count = int(np.clip(target, 2 * options.threads, 400))
        files = made.write_tiles(Path(folder), card, count, per_side)
        through(files[:2], model, options, per_side)
        start, cpu = time.perf_counter(), time.process_time()
        rows = through(files, model, options, per_side)
        took, cpu = time.perf_counter() - start, time.process_time() - cpu
    rate = count * per_image / took
    return {
        "chips_per_s": rate,
        "rows_per_s": rows / took,
        "cpu_ms": 1e3 * cpu / (count * per_image),
        "share_of_model_alone": rate / best["per_s"],
        "share_by_cpu": best["cpu_ms"] * count * per_image / 1e3 / cpu,
        "images": count,
    }


def through(
    files: list[Path], model: Foundation, options: argparse.Namespace, per_side: int
) -> int:
    """Rows that the runner makes of the files."""
    stream = embed(
        made.tiles(files, model.card, per_side),
        model,
        run_id="bench",
        device=options.device,
        threads=options.threads,
        allow_mismatch=True,
    )
    return sum(done.batch.num_rows for done in stream)


def show(found: dict[str, Any]) -> None:
    eager = found["eager"]
    print(
        f"\n{found['model']}: {found['gflop']:.2f} GFLOP, chip {found['chip']} px, peak "
        f"{found['peak']['fp32']:.3f} fp32, {found['peak']['bf16']:.3f} bf16 TFLOP/s\n"
        f"  eager fp32          {eager['per_s']:9.1f} chips/s {eager['cpu_ms']:8.1f} cpu ms"
    )
    for run in found["runs"]:
        print(
            f"  {run['precision']} batch {run['batch']:<5}     {run['per_s']:9.1f} chips/s "
            f"{run['cpu_ms']:8.1f} cpu ms  {run['times_eager']:5.2f} x "
            f"({run['times_eager_cpu']:.2f} x cpu)  peak {run['peak_share']:4.0%}  "
            f"cosine {run['cosine']:.6f}"
        )
    print(f"  {found['runs'][-1]['how_run']}")
    if "end_to_end" in found:
        whole = found["end_to_end"]
        print(
            f"  end to end          {whole['chips_per_s']:9.1f} chips/s "
            f"{whole['cpu_ms']:8.1f} cpu ms  {whole['rows_per_s']:.0f} rows/s, "
            f"{whole['share_of_model_alone']:.0%} of the model alone "
            f"({whole['share_by_cpu']:.0%} by cpu)"
        )
    memory = ", ".join(f"{k} {v:.2f} GiB" for k, v in found["memory_gib"].items())
    print(f"  memory: {memory}", flush=True)


def parser() -> argparse.ArgumentParser:
    numbers = lambda text: [int(k) for k in text.split(",")]  # noqa: E731
    made_of = argparse.ArgumentParser(description=__doc__)
    made_of.add_argument("--models", default=MODELS, help="names, with commas between")
    made_of.add_argument("--device", default="cpu", help="cpu, cuda or cuda:N")
    made_of.add_argument("--threads", type=int, default=cores.available())
    made_of.add_argument("--batches", type=numbers, default=None)
    made_of.add_argument("--precisions", type=lambda t: t.split(","), default=None)
    made_of.add_argument("--chips", type=int, default=None, help="chips per run")
    made_of.add_argument("--repeats", type=int, default=3)
    made_of.add_argument("--seconds", type=float, default=5, help="end to end, about")
    made_of.add_argument(
        "--end-to-end", action=argparse.BooleanOptionalAction, default=True
    )
    made_of.add_argument("--seed", type=int, default=0)
    made_of.add_argument("--json", type=Path, default=None, help="where figures go")
    made_of.add_argument("--one", action="store_true", help=argparse.SUPPRESS)
    return made_of


def main(arguments: list[str] | None = None) -> None:
    arguments = sys.argv[1:] if arguments is None else arguments
    options = parser().parse_args(arguments)
    cpu = options.device == "cpu"
    options.batches = options.batches or ([1, 8, 16] if cpu else [8, 32, 128, 512])
    options.precisions = options.precisions or ["fp32", "bf16"]
    if options.one:
        print(json.dumps(one(options.models, options)))
        return
    found: dict[str, Any] = {
        "about": made.about(options.device),
        "threads": options.threads,
        "load_before": round(os.getloadavg()[0], 2),
        "models": [],
        "failed": {},
    }
    print(", ".join(f"{k} {v}" for k, v in found["about"].items()))
    print(f"{options.threads} threads, load {found['load_before']}")
    for name in options.models.split(","):
        command = [sys.executable, __file__, *arguments, "--one", "--models", name]
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
        if done.returncode:
            found["failed"][name] = done.returncode
            print(f"\n{name}: failed, see above", flush=True)
            continue
        found["models"].append(json.loads(done.stdout.splitlines()[-1]))
        show(found["models"][-1])
    if options.json:
        options.json.parent.mkdir(parents=True, exist_ok=True)
        options.json.write_text(json.dumps(found, indent=1) + "\n")
    if found["failed"]:
        sys.exit(1)


if __name__ == "__main__":
    main()
