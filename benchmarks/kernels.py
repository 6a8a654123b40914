"""What it costs to have a kernel: C, numba, torch and NumPy, each in a process of its own.

    python benchmarks/kernels.py

The same job, on one thread: cosine distance of the later half of 60 dates to the centroid
of the first half, from float16. Seconds to import what it needs, seconds of the first call
(a compile pause shows there), patches per second and CPU second after it, megabytes on disk.
`docs/decisions/0008-compiled-kernels.md` has the figures.
"""

import argparse
import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path

import numpy as np

PACKAGES = {"C": [], "numba": ["numba", "llvmlite"], "torch": ["torch"], "numpy": []}
Drift = Callable[[np.ndarray], np.ndarray]


def in_c() -> Drift:
    from terradrift.detect import centroid

    def drift(rows: np.ndarray) -> np.ndarray:
        clear = np.ones(rows.shape[:2], bool)
        half = rows.shape[1] // 2
        return centroid.apart(rows, clear, centroid.first(clear, half)).drift[:, half:]

    return drift


def in_numpy() -> Drift:
    os.environ["TERRADRIFT_KERNELS"] = "off"
    return in_c()


def in_torch() -> Drift:
    import torch

    torch.set_num_threads(1)

    def drift(rows: np.ndarray) -> np.ndarray:
        half = rows.shape[1] // 2
        parts = []
        for at in range(0, len(rows), 50):
            wide = torch.from_numpy(rows[at : at + 50]).float()
            wide /= wide.norm(dim=2, keepdim=True)
            total = wide[:, :half].sum(dim=1, keepdim=True)
            to = torch.bmm(wide[:, half:], total.transpose(1, 2))[..., 0]
            parts.append((1 - to / total.norm(dim=2)).numpy())
        return np.concatenate(parts)

    return drift


def in_numba() -> Drift:
    import numba

    @numba.njit(fastmath=True, nogil=True)
    def swept(bits, table, out):
        n, t, d = bits.shape
        half = t // 2
        row, total = np.empty(d, np.float32), np.empty(d, np.float32)
        for p in range(n):
            total[:] = 0
            for at in range(half):
                square = np.float32(0)
                for k in range(d):
                    row[k] = table[bits[p, at, k]]
                    square += row[k] * row[k]
                scale = np.float32(1) / np.sqrt(square)
                for k in range(d):
                    total[k] += scale * row[k]
            length = np.sqrt(np.sum(total * total))
            for at in range(half, t):
                product, square = np.float32(0), np.float32(0)
                for k in range(d):
                    value = table[bits[p, at, k]]
                    product += value * total[k]
                    square += value * value
                out[p, at - half] = 1 - product / (length * np.sqrt(square))

    # numba has no float16 on a processor: a table of all 65,536 turns it to float32
    table = np.arange(1 << 16, dtype=np.uint16).view(np.float16).astype(np.float32)

    def drift(rows: np.ndarray) -> np.ndarray:
        out = np.empty((len(rows), rows.shape[1] - rows.shape[1] // 2), np.float32)
        swept(rows.view(np.uint16), table, out)
        return out

    return drift


SIDES = {"C": in_c, "numba": in_numba, "torch": in_torch, "numpy": in_numpy}


def megabytes(side: str) -> float:
    folders = [Path(find_spec(name).origin).parent for name in PACKAGES[side]]
    files = [path for folder in folders for path in folder.rglob("*") if path.is_file()]
    if side == "C":
        import terradrift.kernels

        files = list(Path(terradrift.kernels.__file__).parent.glob("_*.so"))
    return round(sum(path.stat().st_size for path in files) / 1e6, 1)


def work(side: str, patches: int) -> None:
    random = np.random.default_rng(0)
    rows = random.standard_normal((patches, 60, 768), dtype=np.float32)
    rows = rows.astype(np.float16)
    exact = rows[:50].astype(np.float64)
    exact /= np.linalg.norm(exact, axis=2, keepdims=True)
    total = exact[:, :30].sum(axis=1, keepdims=True)
    exact = 1 - (exact[:, 30:] * total).sum(axis=2) / np.linalg.norm(total, axis=2)
    start = time.perf_counter()
    drift = SIDES[side]()
    imported = time.perf_counter()
    drift(rows[:2])
    first = time.perf_counter()
    used = []
    for _ in range(3):
        before = time.process_time()
        found = drift(rows)
        used.append(time.process_time() - before)
    result = {
        "import_s": round(imported - start, 3),
        "first_call_s": round(first - imported, 3),
        "patches_cpu_s": round(patches / min(used)),
        "mb": megabytes(side),
        "error": float(np.abs(found[:50] - exact).max()),
    }
    print(json.dumps(result))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--patches", type=int, default=1000)
    parser.add_argument("--side", choices=list(SIDES), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.side:
        work(options.side, options.patches)
        return
    one = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"), "1")
    for side in SIDES:
        command = [sys.executable, __file__, "--side", side]
        ran = subprocess.run(
            [*command, "--patches", str(options.patches)],
            env=os.environ | one,
            stdout=subprocess.PIPE,
            text=True,
            check=True,
        )
        print(json.dumps({"side": side, **json.loads(ran.stdout)}), flush=True)


if __name__ == "__main__":
    main()
