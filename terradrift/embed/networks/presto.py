"""Presto over the pixels of optical images."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from terradrift.embed.network import Network
from terradrift.embed.networks import galileo_codes as codes
from terradrift.embed.networks.galileo import whole_groups
from terradrift.embed.networks.presto_encoder import Encoder

if TYPE_CHECKING:
    from terradrift.embed.network import Input, Output

GROUPS: dict[str, slice] = {
    "S2_RGB": slice(0, 3),
    "S2_Red_Edge": slice(3, 6),
    "S2_NIR_10m": slice(6, 7),
    "S2_NIR_20m": slice(7, 8),
    "S2_SWIR": slice(8, 10),
    "NDVI": slice(10, 11),
}
"""Groups of bands that make a token each: columns of the prepared values."""
RED, NIR = 2, 6


_POOLED = 2
"""Pixels per square whose vectors a pooled chip is the mean of: most bands have 20 m."""
_TOKENS = 1024
"""Tokens at a time on a CPU, whose cache then holds them: up to 1.5 times as quick."""


class Presto(Network):
    """The encoder of Presto for Sentinel-2: a vector for the mean spectrum of each square.

    A square is `token_size` pixels wide; pooled without it, 2 where the chip is even, else
    1. Its dates are one series; one on which none of its pixels was clear is hidden, and so
    is a group of bands that lacks one: nothing attends to it and no mean counts it, which
    is the same as leaving it out. Radar, weather, terrain and land cover are never given.
    """

    def __init__(
        self,
        *,
        output: Output,
        token_size: int | None,
        width: int,
        depth: int,
        heads: int,
        mlp_ratio: int,
        dates: int,
    ) -> None:
        super().__init__()
        self.output = output
        self.square = token_size
        self.encoder = Encoder(
            width=width, depth=depth, heads=heads, mlp_ratio=mlp_ratio, dates=dates
        )

    def prepare(self, given: Input) -> tuple[Tensor, ...]:
        """Values (n, row, column, t, 11), which are seen, months, steps, place.

        Values are reflectance and NDVI, seen (n, row, column, group, t), months
        (January 0) and steps (n, t), place (n, 3) the chip's middle on the unit sphere:
        across a chip it moves by less than 0.001.

        Raises:
            ValueError: a chip that is not a whole number of squares; too many dates.
        """
        n, t, bands, y, x = given.pixels.shape
        side = self.square or (1 if y % _POOLED or x % _POOLED else _POOLED)
        if y % side or x % side:
            raise ValueError(
                f"Presto takes chips of a multiple of its token size, {side} pixels, "
                f"got {y} x {x}; choose another chip or token size"
            )
        most = self.encoder.pos_embed.shape[1]
        if t > most:
            raise ValueError(f"Presto takes at most {most} dates, got {t}")
        device = given.pixels.device
        there = torch.as_tensor(whole_groups(given.wavelengths, GROUPS), device=device)
        grid = (y // side, side, x // side, side)
        clear = given.clear.reshape(n, t, *grid)
        count = clear.sum(dim=(3, 5))
        # As in the training data, there is no reflectance below 0.
        pixels = given.pixels.clamp(min=0).reshape(n, t, bands, *grid)
        total = torch.where(clear[:, :, None], pixels, 0.0).sum(dim=(4, 6))
        spectra = (total / count.clamp(min=1)[:, :, None]).permute(0, 3, 4, 1, 2)
        return (
            torch.cat([spectra, _ndvi(spectra)], dim=-1),
            (count > 0).permute(0, 2, 3, 1)[:, :, :, None] & there[:, None],
            codes.months(given.times, device),
            codes.steps(given.times, device),
            codes.on_sphere(given.centers, device),
        )

    def forward(self, *prepared: Tensor) -> Tensor:
        """(n, row, column, d) of the squares, or (n, d): the mean over those ever seen.

        NaN for a square that is never seen, and for a chip of such squares.
        """
        values, seen, *of_chip = prepared
        n, rows, columns = seen.shape[:3]
        of_series = (x.repeat_interleave(rows * columns, 0) for x in of_chip)
        series = (values.flatten(0, 2), seen.flatten(0, 2), *of_series)
        whole = max(1, len(series[0]))
        few = max(1, _TOKENS // (len(GROUPS) * values.shape[3] + 1))
        at_once = few if values.device.type == "cpu" else whole
        parts = zip(*(torch.split(each, at_once) for each in series), strict=True)
        found = torch.cat([self._vectors(*part) for part in parts])
        found = found.view(n, rows, columns, -1)
        # The token of the place is always there, but alone it says nothing of the ground.
        ever = seen.flatten(3).any(dim=-1)[..., None]
        if self.output == "tokens":
            return torch.where(ever, found, torch.nan)
        return torch.where(ever, found, 0.0).sum(dim=(1, 2)) / ever.sum(dim=(1, 2))

    def _vectors(
        self, values: Tensor, seen: Tensor, months: Tensor, steps: Tensor, place: Tensor
    ) -> Tensor:
        """(s, d) of (s, t, 11) values, seen (s, group, t)."""
        groups = {name: values[..., part] for name, part in GROUPS.items()}
        tokens = seen.flatten(1)
        encoded = self.encoder(groups, months, steps, place, tokens)
        return self.encoder.pooled(encoded, tokens)


def _ndvi(spectra: Tensor) -> Tensor:
    """(..., 1) of (..., 10); 0 where near infrared and red are."""
    red, nir = spectra[..., RED, None], spectra[..., NIR, None]
    total = nir + red
    return torch.where(total > 0, (nir - red) / total, 0.0)
