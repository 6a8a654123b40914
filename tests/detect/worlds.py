"""Series with known truth: land covers with seasons, scenes with haze, planted changes."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.block import Block
from terradrift.detect.run import detect
from terradrift.detect.settings import Settings
from terradrift.series import Series

KINDS = 4


def series(
    n: int = 60,
    t: int = 30,
    d: int = 12,
    *,
    seed: int = 0,
    clear: float = 0.8,
    every: int = 12,
    noise: float = 0.15,
    season: float = 0.3,
) -> Series:
    """`n` patches of four covers, each with its season, seen every `every` days.

    `season` is how strong a cover's own season is beside the covers' differences.
    """
    random = np.random.default_rng(seed)
    days = np.datetime64("2018-01-03", "D") + np.arange(t) * every
    phase = 2 * np.pi * np.arange(t) * every / 365.25
    base, swing = (
        random.normal(size=(2, KINDS, d)) * np.array([1.0, season])[:, None, None]
    )
    cover = np.arange(n) % KINDS
    scene = 0.5 * random.normal(size=(t, d))
    vectors = (
        3.0
        + base[cover][:, None]
        + np.sin(phase)[None, :, None] * swing[cover][:, None]
        + scene[None]
        + noise * random.normal(size=(n, t, d))
    )
    seen = random.random((n, t)) < clear
    return Series(
        patch_ids=np.array([f"32631_40m_{k % 10}_{k // 10}" for k in range(n)]),
        cells=np.stack([np.full(n, 32631), np.arange(n) // 10, np.arange(n) % 10], 1),
        days=days,
        times=np.where(
            seen,
            days.astype("datetime64[us]") + np.timedelta64(11, "h"),
            np.datetime64("NaT"),
        ),
        vectors=np.where(seen[..., None], vectors, 0).astype(np.float16),
        clear_percent=np.where(seen, 100.0, np.nan).astype(np.float32),
        indices=np.where(seen[..., None], 0.5, np.nan).astype(np.float32)
        * np.ones(3, np.float32),
    )


def planted(found: Series, row: int, first: int, end: int | None = None) -> Series:
    """The series with patch `row` in a state of its own from date `first` until `end`."""
    vectors = found.vectors.copy()
    odd = np.random.default_rng(99).normal(size=vectors.shape[2]) * 2.0
    there = np.isfinite(found.clear_percent[row])
    there &= (np.arange(len(found.days)) >= first) & (
        np.arange(len(found.days)) < (len(found.days) if end is None else end)
    )
    vectors[row, there] = (vectors[row, there] + odd).astype(np.float16)
    indices = found.indices.copy()
    indices[row, there] = 0.1
    return replace(found, vectors=vectors, indices=indices)


def part(found: Series, rows: NDArray[np.int64]) -> Series:
    """Some patches of a series, over the same days."""
    return replace(
        found,
        patch_ids=found.patch_ids[rows],
        cells=found.cells[rows],
        times=found.times[rows],
        vectors=found.vectors[rows],
        clear_percent=found.clear_percent[rows],
        indices=found.indices[rows],
    )


def run(
    *blocks: Series, settings: Settings | None = None, threads: int = 1
) -> list[Block]:
    """All blocks of a detection."""
    return list(
        detect(
            lambda: iter(blocks),
            settings or Settings(),
            threads=threads,
            advance=lambda _done: None,
        )
    )
