"""What the benchmark of foundation models is made of: networks, chips, tiles, peaks.

Needs torch, numpy, pyarrow and rasterio (and timm, torchvision for the models that use them),
and this package, for which `pip install --no-deps --no-build-isolation -e .` suffices.
"""

import platform
import subprocess
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import numpy as np
import rasterio
import torch
from rasterio.transform import Affine
from torch.utils.flop_counter import FlopCounterMode

from terradrift import plugins
from terradrift.chip import BANDS, Chips, TileImage
from terradrift.embed import card as cards
from terradrift.embed.foundation import Foundation, gathered
from terradrift.embed.how import How
from terradrift.embed.network import Network
from terradrift.embed.protocol import ModelCard
from terradrift.grid import TILE_PATCHES

GSD = 10.0


def network(name: str, seed: int) -> tuple[Network, ModelCard]:
    """The official sizes with random weights, and the card for the native chip."""
    spec = plugins.load(plugins.EMBEDDERS, name.removesuffix(cards.TOKENS))
    tokens = name.endswith(cards.TOKENS)
    how = How(tokens=tokens)
    torch.manual_seed(seed)
    size = cards.token_size(spec, how) if tokens else None
    built = spec.build(output="tokens" if tokens else "pooled", token_size=size)
    patch_px = cards.token_pixels(spec, how) if tokens else spec.chip_size
    card = cards.card(spec, patch_px=patch_px, how=how, weights_sha256="0" * 64)
    return built.eval(), card


def some_chips(card: ModelCard, n: int, seed: int) -> Chips:
    rng = np.random.default_rng(seed)
    side, band = card.chip_size or 0, len(card.bands)
    level = rng.uniform(0.02, 0.4, (n, band, 1, 1)).astype(np.float32)
    noise = rng.standard_normal((band, side, side), dtype=np.float32)
    return Chips(
        pixels=(level + 0.02 * noise).clip(0.001),
        bands=card.bands,
        wavelengths=np.array([BANDS[name] for name in card.bands], np.float32),
        times=np.full(n, np.datetime64("2020-06-01T10:30", "us")),
        centers=np.tile([5.0, 50.0], (n, 1)),
        gsd=card.gsd or GSD,
        level="L2A" if card.level == "any" else card.level,
    )


def part(chips: Chips, start: int, stop: int) -> Chips:
    some = slice(start, stop)
    return replace(
        chips,
        pixels=chips.pixels[some],
        times=chips.times[some],
        centers=chips.centers[some],
    )


def gflop(built: Network, card: ModelCard) -> float:
    """GFLOP per chip, a multiplication and an addition counted as two."""
    with torch.no_grad():
        prepared = built.prepare(gathered(some_chips(card, 1, 0), torch.device("cpu")))
        with FlopCounterMode(display=False) as counter:
            built(*prepared)
    return counter.get_total_flops() / 1e9


def peak(device: str, dtype: torch.dtype, threads: int) -> float:
    """TFLOP/s of the matrix product of this moment: one per thread, or one on the GPU."""
    n, repeats = (8192, 20) if device != "cpu" else (2048, 4)
    workers = 1 if device != "cpu" else threads
    a = torch.rand(n, n, device=device).to(dtype)

    def some(_: int) -> None:
        for _ in range(repeats):
            a @ a
        synchronise(device)

    with ThreadPoolExecutor(workers) as pool:
        list(pool.map(some, range(workers)))
        best = min(seconds(lambda: list(pool.map(some, range(workers)))) for _ in "123")
    return 2 * n**3 * repeats * workers / best / 1e12


def synchronise(device: str) -> None:
    if device != "cpu":
        torch.cuda.synchronize(device)


def seconds(task: Callable[[], object]) -> float:
    start = time.perf_counter()
    task()
    return time.perf_counter() - start


def eager(built: Network, chips: Chips, device: str, batch: int) -> np.ndarray:
    """The loop that users write: float32, one batch after the other."""
    found = []
    with torch.no_grad():
        for start in range(0, len(chips), batch):
            given = gathered(part(chips, start, start + batch), torch.device(device))
            found.append(built(*built.prepare(given)).cpu().numpy())
    return np.concatenate(found)


def quick(
    model: Foundation, chips: Chips, batch: int, pool: ThreadPoolExecutor
) -> np.ndarray:
    """The model on the threads of `pool`, as the runner calls it."""
    parts = [part(chips, k, k + batch) for k in range(0, len(chips), batch)]
    return np.concatenate(list(pool.map(model.embed, parts)))


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    a, b = (one.reshape(-1, one.shape[-1]).astype(np.float64) for one in (a, b))
    norms = np.linalg.norm(a, axis=1) * np.linalg.norm(b, axis=1)
    return float(((a * b).sum(1) / norms).min())


def write_tiles(folder: Path, card: ModelCard, count: int, per_side: int) -> list[Path]:
    """GeoTIFFs of whole patches and a margin; each `per_side` patches across and down."""
    patch_px = card.token_stride or card.chip_size or 0
    side = per_side * patch_px + 2 * card.context_px
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:side, :side].astype(np.float32)
    smooth = 1200 + 500 * (np.sin(x / 170) + np.cos(y / 230))
    files = []
    for k in range(count):
        noise = rng.normal(0, 150, (len(card.bands), side, side))
        files.append(folder / f"{k}.tif")
        with rasterio.open(
            files[-1],
            "w",
            driver="GTiff",
            width=side,
            height=side,
            count=len(card.bands),
            dtype="uint16",
            crs="EPSG:32631",
            transform=Affine(GSD, 0, 500_000, 0, -GSD, 5_000_000),
            tiled=True,
            blockxsize=512,
            blockysize=512,
            compress="deflate",
            predictor=2,
            nodata=0,
        ) as file:
            file.write((smooth + noise).clip(1, 10000).astype(np.uint16))
    return files


def tiles(files: list[Path], card: ModelCard, per_side: int) -> Iterator[TileImage]:
    """Read the files as tile images, one day each."""
    row, col = (axis.ravel() for axis in np.mgrid[:per_side, :per_side])
    patch_px = card.token_stride or card.chip_size or 0
    size = round(patch_px * GSD)
    for day, path in enumerate(files):
        with rasterio.open(path) as file:
            numbers = file.read()
        pixels = np.multiply(numbers, np.float32(1e-4), dtype=np.float32)
        pixels[:, numbers.min(axis=0) == 0] = np.nan
        yield TileImage(
            tile=f"32631_{size}m_0_0",
            scene_ids=(path.stem,),
            bands=card.bands,
            wavelengths=np.array([BANDS[name] for name in card.bands], np.float32),
            level="L2A" if card.level == "any" else card.level,
            gsd=card.gsd or GSD,
            pixels=pixels,
            patch_px=patch_px,
            halo_px=card.context_px,
            rows=row.astype(np.int32),
            cols=col.astype(np.int32),
            patch_ids=np.array(
                [
                    f"32631_{size}m_{c}_{TILE_PATCHES - 1 - r}"
                    for r, c in zip(row, col, strict=True)
                ]
            ),
            patch_scenes=np.zeros(len(row), np.int32),
            times=np.full(len(row), np.datetime64("2020-01-01", "us") + day),
            clear_percent=np.full(len(row), 100, np.float32),
            centers=np.tile([5.0, 45.0], (len(row), 1)),
        )


def about(device: str) -> dict[str, str]:
    """The machine and the versions that figures belong to."""
    found = {"python": platform.python_version()}
    for name in ("torch", "timm", "torchvision", "numpy", "pyarrow", "rasterio"):
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    cpu = Path("/proc/cpuinfo")
    lines = cpu.read_text().splitlines() if cpu.exists() else []
    models = [line.partition(":")[2].strip() for line in lines if "model name" in line]
    found["cpu"] = models[0] if models else platform.machine()
    if device != "cpu":
        found["device"] = torch.cuda.get_device_name(device)
        found["cuda"] = str(torch.version.cuda)
        try:
            query = [
                "nvidia-smi",
                "--query-gpu=driver_version",
                "--format=csv,noheader",
            ]
            asked = subprocess.run(query, capture_output=True, text=True, check=True)
            found["driver"] = asked.stdout.splitlines()[0]
        except (OSError, subprocess.CalledProcessError, IndexError):
            found["driver"] = "unknown"
    return found
