"""How fast the two embedders are, beside the machine's matrix product and plain torch.

    python benchmarks/embed.py --patches 1024 --repeats 5

(With --models it measures foundation models instead: see `embed_models.py`.)

One thread, chips of `--patch-px` pixels of 10 bands with a margin of one. "peak" is NumPy's
float32 matrix product of 2048 x 2048 on one thread of the same moment; only the products of
`mosaiks` count as its work. Seconds are CPU seconds, so that other work on the machine
disturbs less; the least of `--repeats` is shown. "conv2d" is the same features by torch:
two rectified responses of one convolution, averaged. Then the whole runner over tile images
in memory, rows and all, by wall time on `--threads` threads.
"""

import argparse
import json
import os
import platform
import sys
import time
from collections.abc import Callable, Iterator

import numpy as np

from terradrift import threads as cores
from terradrift.chip import BANDS, Chips, TileImage
from terradrift.embed.mosaiks import Mosaiks
from terradrift.embed.run import embed
from terradrift.embed.spectral import Spectral
from terradrift.grid import TILE_PATCHES, Grid

NAMES = tuple(b for b in BANDS if b not in ("coastal", "nir09", "cirrus"))[:10]


def least(task: Callable[[], object], repeats: int) -> float:
    """CPU seconds of the quickest of `repeats` runs, after one to warm up."""
    task()
    seconds = []
    for _ in range(repeats):
        start = time.process_time()
        task()
        seconds.append(time.process_time() - start)
    return min(seconds)


def some_chips(n: int, side: int, seed: int) -> Chips:
    rng = np.random.default_rng(seed)
    level = rng.uniform(0.02, 0.4, (n, len(NAMES), 1, 1))
    pixels = level + rng.normal(0, 0.02, (n, len(NAMES), side, side))
    return Chips(
        pixels=pixels.astype(np.float32),
        bands=NAMES,
        wavelengths=np.array([BANDS[name] for name in NAMES], np.float32),
        times=np.full(n, np.datetime64("2020-06-01", "us")),
        centers=np.zeros((n, 2)),
        gsd=10.0,
        level="L2A",
    )


def by_conv2d(model: Mosaiks, chips: Chips) -> Callable[[], np.ndarray]:
    """The features of `model` for clear chips, as one would write them in torch."""
    import torch

    filters, offset = model.filters
    k, size, band = filters.shape[1], model.size, len(model.bands)
    shaped = filters.T.reshape(k, size, size, band).transpose(0, 3, 1, 2)
    weight, bias = torch.from_numpy(shaped.copy()), torch.from_numpy(offset)
    mean = torch.from_numpy(model.band_mean)[:, None, None]
    scale = torch.from_numpy(model.band_scale)[:, None, None]
    pixels = torch.from_numpy(chips.pixels)

    def features() -> np.ndarray:
        with torch.inference_mode():
            r = torch.nn.functional.conv2d((pixels - mean) / scale, weight, bias)
            parts = [torch.relu(s * r - model.bias).mean((2, 3)) for s in (1, -1)]
            return torch.cat(parts, 1).numpy()

    return features


def images(count: int, patch_px: int, seed: int) -> Iterator[TileImage]:
    """The same full tile on `count` days."""
    rng = np.random.default_rng(seed)
    side = TILE_PATCHES * patch_px + 2
    pixels = rng.uniform(0.02, 0.4, (len(NAMES), side, side)).astype(np.float32)
    row, col = (axis.ravel() for axis in np.mgrid[:TILE_PATCHES, :TILE_PATCHES])
    grid = Grid(patch_size=patch_px * 10, gsd=10)
    ids = grid.patch_ids(32631, TILE_PATCHES - 1 - row, col)
    for day in range(count):
        yield TileImage(
            tile=f"32631_{patch_px * 10}m_0_0",
            scene_ids=(f"scene-{day}",),
            bands=NAMES,
            wavelengths=np.array([BANDS[name] for name in NAMES], np.float32),
            level="L2A",
            gsd=10.0,
            pixels=pixels,
            patch_px=patch_px,
            halo_px=1,
            rows=row.astype(np.int32),
            cols=col.astype(np.int32),
            patch_ids=ids,
            patch_scenes=np.zeros(len(row), np.int32),
            times=np.full(len(row), np.datetime64("2020-01-01", "us") + day),
            clear_percent=np.full(len(row), 100, np.float32),
            centers=np.zeros((len(row), 2)),
        )


def measure(options: argparse.Namespace, patch_px: int) -> dict[str, dict[str, float]]:
    """Rates by what was run: patches/s, and TFLOP/s where that means something."""
    import torch

    torch.set_num_threads(1)
    n = max(1, options.patches * 16 // patch_px**2)
    chips = some_chips(n, patch_px + 2, options.seed)
    model, spectral = Mosaiks.fit(chips), Spectral(NAMES)
    square = np.ones((2048, 2048), np.float32)
    work = 2 * n * patch_px**2 * model.filters[0].size
    plain = by_conv2d(model, chips)
    np.testing.assert_allclose(plain(), model.features(chips), rtol=1e-3, atol=1e-4)
    found: dict[str, dict[str, float]] = {}
    for name, task, flop in (
        ("peak: matrix product", lambda: square @ square, 2 * 2048**3),
        ("mosaiks", lambda: model.embed(chips), work),
        ("mosaiks by torch conv2d", plain, work),
        ("spectral", lambda: spectral.embed(chips), 0),
    ):
        seconds = least(task, options.repeats)
        found[name] = {"tflops": flop / seconds / 1e12}
        if not name.startswith("peak"):
            found[name]["patches_per_s"] = n / seconds
    for name, embedder in (("mosaiks", model), ("spectral", spectral)):
        days = max(4, 64 * 16 // patch_px**2)
        start = time.perf_counter()
        rows = sum(
            done.batch.num_rows
            for done in embed(
                images(days, patch_px, options.seed),
                embedder,
                run_id="bench",
                device="cpu",
                threads=options.threads,
            )
        )
        seconds = time.perf_counter() - start
        found[f"runner, {name}, {options.threads} threads"] = {
            "patches_per_s": rows / seconds
        }
    return found


def main() -> None:
    if any(given.startswith("--models") for given in sys.argv[1:]):
        import embed_models

        embed_models.main()
        return
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patches", type=int, default=1024, help="of 4 pixels")
    parser.add_argument("--patch-px", type=int, nargs="+", default=[4, 16])
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--threads", type=int, default=cores.available())
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    about = {
        "machine": f"{platform.machine()}, {os.cpu_count()} cores",
        "load": round(os.getloadavg()[0], 1),
        "seed": options.seed,
    }
    with cores.single_blas():
        found = {px: measure(options, px) for px in options.patch_px}
    if options.json:
        print(json.dumps({**about, "patch_px": found}))
        return
    print(", ".join(f"{key} {value}" for key, value in about.items()))
    for px, rows in found.items():
        peak = rows["peak: matrix product"]["tflops"]
        for name, rates in rows.items():
            share = rates.get("tflops", 0) / peak
            print(
                f"{px:3} px  {name:32} {rates.get('patches_per_s', 0):10,.0f} patches/s"
                + (f" {rates['tflops']:7.3f} TFLOP/s {share:5.0%}" if share else "")
            )


if __name__ == "__main__":
    main()
