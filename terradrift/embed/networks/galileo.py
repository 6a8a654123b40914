"""Galileo over optical images: one token per patch, date and group of bands.

Source: Tseng et al. 2025, arXiv 2502.09356; github.com/nasaharvest/galileo. Written from
the published description; the tensors have the names of the official checkpoints.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from terradrift.embed.network import Network
from terradrift.embed.networks import galileo_codes as codes
from terradrift.embed.networks.galileo_block import Block, SplitAttention

if TYPE_CHECKING:
    from collections.abc import Iterable

    from numpy.typing import NDArray

    from terradrift.embed.network import Input, Output

GROUPS: dict[str, tuple[int, ...]] = {
    "S2_RGB": (0, 1, 2),
    "S2_Red_Edge": (3, 4, 5),
    "S2_NIR_10m": (6,),
    "S2_NIR_20m": (7,),
    "S2_SWIR": (8, 9),
    "NDVI": (10,),
}
"""Groups of bands that make a token each: columns of the prepared bands."""
CHANNELS = ("S1", *GROUPS)
"""Groups by the rows of the table of channel embeddings."""
STATIC = ("LS", "location", "DW_static", "WC_static")
"""Likewise of what a place has once."""

RED, NIR = 2, 6
DN = 10000.0
"""Digital number of a reflectance of 1."""
MEAN = (
    1395.3408730676722,
    1338.4026921784578,
    1343.09883810357,
    1543.8607982512297,
    2186.2022069512263,
    2525.0932853316694,
    2410.3377187373408,
    2750.2854646886753,
    2234.911100061487,
    1474.5311266077113,
)
STD = (
    917.7041440370853,
    913.2988423581528,
    1092.678723527555,
    1047.2206083460424,
    1048.0101611156767,
    1143.6903026819996,
    1098.979177731649,
    1204.472755085893,
    1145.9774063078878,
    980.2429840007796,
)
"""Of the digital numbers of its training set: config/normalization.json upstream."""
BASE_PATCH = 8
"""Pixels per side of the kernels of the checkpoints."""


class Embed(nn.Module):
    """The kernel of one group, under the name that checkpoints give it."""

    def __init__(self, bands: int, width: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(bands, width, BASE_PATCH, stride=BASE_PATCH)


class Galileo(Network):
    """The encoder of Galileo for Sentinel-2 and, if wanted, the place on Earth.

    A token whose ground is not clear at all on its date, or whose group lacks a band, is
    hidden: nothing attends to it and no mean counts it, which is the same as leaving it out.
    """

    def __init__(
        self,
        *,
        output: Output,
        token_size: int,
        ndvi: bool,
        location: bool,
        width: int,
        depth: int,
        heads: int,
        mlp_ratio: int,
        dates: int,
    ) -> None:
        super().__init__()
        if not 1 <= token_size <= BASE_PATCH:
            raise ValueError(
                f"Galileo takes patches of 1 to {BASE_PATCH} pixels, got {token_size}"
            )
        self.output = output
        self.patch = token_size
        self.location = location
        self.groups = [name for name in GROUPS if ndvi or name != "NDVI"]
        quarter = width // 4
        table = codes.line_code(torch.arange(dates), quarter)
        self.pos_embed = nn.Parameter(table, requires_grad=False)
        self.month_embed = nn.Embedding(12, quarter, _weight=codes.month_table(quarter))
        self.s_t_channel_embed = nn.Parameter(torch.zeros(len(CHANNELS), quarter))
        self.st_channel_embed = nn.Parameter(torch.zeros(len(STATIC), quarter))
        self.space_time_embed = nn.ModuleDict(
            {name: Embed(len(bands), width) for name, bands in GROUPS.items()}
        )
        self.static_embed = nn.ModuleDict({"location": nn.Linear(3, width)})
        self.blocks = nn.ModuleList(
            Block(width, SplitAttention(width, heads), mlp_ratio=mlp_ratio)
            for _ in range(depth)
        )
        self.norm = nn.LayerNorm(width)
        resize = codes.kernel_resize(BASE_PATCH, token_size)
        self.register_buffer("resize", resize, persistent=False)
        self.resize: Tensor

    def prepare(self, given: Input) -> tuple[Tensor, ...]:
        """Bands (n, t, 11, y, x), visible, months and steps (n, t), and codes.

        Visible is (n, group, t, row, column). The codes of the patches' places are
        (n, row, column, width / 4); with the place on Earth its point on the unit
        sphere (n, 3) comes last.

        Raises:
            ValueError: a chip that is not square, or not a whole number of patches; too
                many dates.
        """
        n, t, _, y, x = given.pixels.shape
        if y != x or y % self.patch:
            raise ValueError(
                f"Galileo takes square chips of a multiple of {self.patch} pixels, "
                f"got {y} x {x}; choose another chip or token size"
            )
        if t > len(self.pos_embed):
            raise ValueError(
                f"Galileo takes at most {len(self.pos_embed)} dates, got {t}"
            )
        device = given.pixels.device
        side = y // self.patch
        clear = given.clear.reshape(n, t, side, self.patch, side, self.patch)
        step = given.gsd * self.patch / 10
        there = torch.as_tensor(
            whole_groups(given.wavelengths, self.groups), device=device
        )
        place = codes.place_code(side, step, self.pos_embed.shape[1]).to(device)
        prepared = (
            normalised(given.pixels),
            clear.any(dim=5).any(dim=3)[:, None] & there[:, None, None, None],
            codes.months(given.times, device),
            codes.steps(given.times, device),
            place.expand(n, -1, -1, -1),
        )
        if self.location:
            return *prepared, codes.on_sphere(given.centers, device)
        return prepared

    def forward(self, *prepared: Tensor) -> Tensor:
        """(n, d), or (n, row, column, d): the mean over the visible tokens.

        NaN for a patch, or a chip, without any.
        """
        bands, visible, months, steps, place, *location = prepared
        patches = self._patches(bands)
        code = self._code(months, steps, place)
        tokens = torch.stack(
            [self._tokens(name, patches) + code for name in self.groups], dim=1
        )
        n, groups, t, rows, columns, width = tokens.shape
        tokens = tokens.reshape(n, -1, width)
        seen = visible.reshape(n, -1)
        for point in location:
            tokens = torch.cat([tokens, self._static("location", point)], dim=1)
            seen = functional.pad(seen, (0, 1), value=True)
        mask = seen[:, None, None, :]
        for block in self.blocks:
            tokens = block(tokens, mask)
        tokens = self.norm(tokens).float()
        own = groups * t * rows * columns
        ground, sight, everywhere = tokens[:, :own], seen[:, :own], tokens[:, own:]
        if self.output == "tokens":
            ground = ground.view(n, groups * t, rows, columns, width)
            sight = sight.view(n, groups * t, rows, columns)
        return _mean(ground, sight, everywhere)

    def _patches(self, bands: Tensor) -> Tensor:
        """(n, t, row, column, band, pixel) of each patch."""
        n, t, count, y, _ = bands.shape
        side, patch = y // self.patch, self.patch
        split = bands.reshape(n, t, count, side, patch, side, patch)
        return split.permute(0, 1, 3, 5, 2, 4, 6).flatten(5)

    def _tokens(self, group: str, patches: Tensor) -> Tensor:
        """(n, t, row, column, width) of one group, the code of its channels added."""
        columns = GROUPS[group]
        proj = self.space_time_embed[group].get_submodule("proj")
        kernel = proj.get_parameter("weight").flatten(2)
        if self.patch != BASE_PATCH:
            kernel = kernel @ self.resize
        channel = self.s_t_channel_embed[CHANNELS.index(group)]
        bias = _widened(channel) + proj.get_parameter("bias")
        part = patches[..., columns[0] : columns[-1] + 1, :].flatten(4)
        return functional.linear(part, kernel.flatten(1), bias)

    def _code(self, months: Tensor, steps: Tensor, place: Tensor) -> Tensor:
        """(n, t, row, column, width): nothing, then step in the series, month, place."""
        time = torch.cat([self.pos_embed[steps], self.month_embed(months)], dim=-1)
        quarter = place.shape[-1]
        time = functional.pad(time, (quarter, quarter))[:, :, None, None]
        return time + functional.pad(place, (3 * quarter, 0))[:, None]

    def _static(self, group: str, value: Tensor) -> Tensor:
        """(n, 1, width) token of what a place has once."""
        channel = self.st_channel_embed[STATIC.index(group)]
        token: Tensor = self.static_embed[group](value)
        return (token + _widened(channel))[:, None]


def whole_groups(
    wavelengths: NDArray[np.float32], groups: Iterable[str]
) -> NDArray[np.bool_]:
    """Which groups (group,) have all their bands; a band that is not there is NaN.

    NDVI is made from red and near infrared.
    """
    there = np.isfinite(wavelengths)
    columns = {**GROUPS, "NDVI": (RED, NIR)}
    return np.array([there[list(columns[name])].all() for name in groups])


def _widened(channel: Tensor) -> Tensor:
    """A code of a quarter of the width, and nothing in the three after it."""
    return functional.pad(channel, (0, 3 * len(channel)))


def normalised(pixels: Tensor) -> Tensor:
    """(..., 11, y, x): bands in units of four standard deviations, then NDVI as it is.

    From (..., 10, y, x) reflectance, what is below 0 as 0, which it was in the training
    data; NDVI is 0 where near infrared and red are.
    """
    pixels = pixels.clamp(min=0)
    mean = torch.tensor(MEAN, dtype=torch.float64)
    std = torch.tensor(STD, dtype=torch.float64)
    scale = (DN / (4 * std)).float().to(pixels.device)[:, None, None]
    shift = ((mean - 2 * std) / (4 * std)).float().to(pixels.device)[:, None, None]
    red, nir = pixels[..., RED, :, :], pixels[..., NIR, :, :]
    total = nir + red
    ndvi = torch.where(total > 0, (nir - red) / total, 0.0)
    return torch.cat([pixels * scale - shift, ndvi.unsqueeze(-3)], dim=-3)


def _mean(tokens: Tensor, seen: Tensor, everywhere: Tensor) -> Tensor:
    """Mean over the second axis of tokens that are seen, and of those of everywhere.

    `tokens` (n, token, ..., width), `seen` without the width, `everywhere` (n, any, width).
    NaN where none is seen: a place alone has no vector.
    """
    count = seen.sum(dim=1)[..., None]
    total = torch.where(seen[..., None], tokens, 0.0).sum(dim=1)
    extra = everywhere.sum(dim=1)
    total = total + extra.view(extra.shape[0], *[1] * (total.ndim - 2), -1)
    mean = total / (count + everywhere.shape[1])
    return torch.where(count > 0, mean, torch.nan)
