"""Small networks that do what real ones do, and chips for them."""

import numpy as np
import torch
from torch import nn

from terradrift.chip import Chips
from terradrift.embed.network import Network
from terradrift.embed.protocol import ModelCard

BANDS = ("red", "nir", "swir16")


class Dense(Network):
    """A convolution, a norm, a layer; `how` may look at the numbers in several ways."""

    def __init__(self, output="pooled", how=None, channels=16):
        super().__init__()
        self.output = output
        self.how = how
        self.conv = nn.Conv2d(3, channels, 4, stride=4)
        self.norm = nn.LayerNorm(channels)
        self.head = nn.Linear(channels, 8)
        self.counts = []

    def prepare(self, given):
        self.given = given
        return (given.pixels[:, -1] * 2 - 0.5,)

    def forward(self, pixels):
        self.counts.append(len(pixels))
        x = self.conv(pixels).permute(0, 2, 3, 1)
        x = self.head(self.norm(x).relu())
        return x.mean(dim=(1, 2)) if self.output == "pooled" else x


class Reading(Dense):
    """Branches on a number."""

    def forward(self, pixels):
        x = super().forward(pixels)
        return -x if bool(pixels.mean() > 0) else x


class Counting(Dense):
    """Takes as many as a mask says."""

    def forward(self, pixels):
        x = super().forward(pixels)
        return x + pixels[pixels > 0].sum() / 100


class Listing(Dense):
    """Reads numbers by no operator."""

    def forward(self, pixels):
        return super().forward(pixels) * (1 + abs(pixels[0, 0, 0].tolist()[0]))


class Batched(Dense):
    """Remembers how many chips there were when its graph was recorded."""

    def forward(self, pixels):
        x = super().forward(pixels)
        return x + torch.zeros(len(pixels), 1)


class Split(Dense):
    """Goes through the chips a few at a time."""

    def forward(self, pixels):
        found = [super(Split, self).forward(part) for part in torch.split(pixels, 4)]
        return torch.cat(found)


def card(**given):
    return ModelCard(
        **{
            "name": "test",
            "revision": "1",
            "licence": "MIT",
            "bands": BANDS,
            "dimensions": 8,
            "preprocessing": "2 r - 0.5",
            "source": "here",
            "weights_sha256": "0" * 64,
            "chip_size": 16,
            "bf16": True,
            **given,
        }
    )


def chips(n=5, side=16, seed=0, bands=BANDS, dates=0):
    """`n` clear chips, with `dates` dates before their own."""
    rng = np.random.default_rng(seed)
    size = (len(bands), side, side)
    day = np.datetime64("2020-06-01T10:00", "us")
    before = np.arange(-dates, 0) * np.timedelta64(5, "D")
    return Chips(
        pixels=rng.uniform(0.02, 0.5, (n, *size)).astype(np.float32),
        bands=bands,
        wavelengths=np.array([0.66, 0.84, 1.61][: len(bands)], np.float32),
        times=np.full(n, day),
        centers=np.tile([[5.0, 50.0]], (n, 1)),
        gsd=10.0,
        level="L2A",
        past=rng.uniform(0, 0.5, (n, dates, *size)).astype(np.float32)
        if dates
        else None,
        past_times=np.tile(day + before, (n, 1)) if dates else None,
    )
