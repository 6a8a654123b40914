"""Weights and inputs that need no file: the rule that the parity files describe.

Both come from one hash (splitmix64 of a name and a seed), so that a network of the full
size can be compared with the official one without storing it.
"""

from __future__ import annotations

import zlib

import numpy as np
import torch
from torch import nn

_WORD = (1 << 64) - 1
_SEED_STEP = 0x9E3779B1


def noise(name: str, count: int, seed: int) -> np.ndarray:
    """(count,) float64 in [-1, 1), exact in float32."""
    base = ((zlib.crc32(name.encode()) << 32) ^ (seed * _SEED_STEP)) & _WORD
    z = np.uint64(base) + np.arange(
        count, dtype=np.uint64
    )  # wraps at 2^64, as it should
    z += np.uint64(0x9E3779B97F4A7C15)
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    z ^= z >> np.uint64(31)
    return (z >> np.uint64(40)) / 2.0**23 - 1.0


def tensor(name: str, shape: tuple[int, ...], seed: int) -> np.ndarray:
    """float32 values of the parameter or running statistic `name`, of rank >= 1."""
    u = noise(name, int(np.prod(shape)), seed).reshape(shape)
    if name.endswith("running_var"):
        u = 1.0 + 0.5 * np.abs(u)
    elif len(shape) == 1:
        u = 1.0 + 0.1 * u if name.endswith("weight") else 0.1 * u
    else:
        u = u * np.sqrt(3.0 / np.prod(shape[1:]))
    return u.astype(np.float32)


@torch.no_grad()
def fill(module: nn.Module, seed: int, prefix: str = "") -> None:
    """Give every parameter of rank >= 1 and every running statistic its value, in place.

    `prefix` stands before the module's own keys where it is part of the module that the
    names count from, such as `features.`.
    """
    tensors = dict(module.named_parameters())
    tensors |= {
        name: value
        for name, value in module.named_buffers()
        if name.endswith(("running_mean", "running_var"))
    }
    for name, value in tensors.items():
        if value.ndim:
            made = tensor(prefix + name, tuple(value.shape), seed)
            value.copy_(torch.from_numpy(made))


def dn(
    shape: tuple[int, ...], seed: int, lo: float = 50, hi: float = 6000
) -> np.ndarray:
    """Digital numbers of `shape` (..., channel, y, x), float64 whole numbers.

    `seed` is that of the folder; the rule itself counts from the one after it.
    """
    seed += 1
    *batch, channels, height, width = shape
    images = int(np.prod(batch))
    u = noise("input", images * channels * height * width, seed)
    u = u.reshape(images, channels, height, width)
    y = np.linspace(0, 3.1, height)[:, None]
    x = np.linspace(0, 2.3, width)
    channel = np.arange(channels)[:, None, None]
    k = channel + 0.9 * np.arange(images)[:, None, None, None] + 0.01 * seed
    gain = 0.35 + 0.65 * ((7 * channel) % 11) / 10.0
    wave = 0.25 * np.sin(2 * y + x + 0.7 * k) + 0.15 * np.cos(3 * x - y + 1.3 * k)
    f = (0.5 + wave + 0.1 * u) * gain
    return np.floor(lo + (hi - lo) * np.clip(f, 0, 1)).reshape(shape)
