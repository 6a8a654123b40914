"""Clay's hyper-network: from wavelengths to the kernels that cut a chip into tokens.

After DOFA (Xiong et al. 2024, arXiv 2403.15356). Attribute names are the official keys.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812 - the usual name
from torch import Tensor, nn

_WAVE = 128
"""Numbers a wavelength is written in."""
_LATENT = 128
"""Learnt tokens beside those of the wavelengths."""
_SCALE = 0.02
"""By which the kernels, but not the bias, are shrunk."""


def sines(positions: Tensor, dim: int) -> Tensor:
    """(..., dim) sine, then cosine of positions at dim / 2 frequencies from 1 to 1e-4."""
    half = dim // 2
    step = torch.arange(half, device=positions.device) / (half - 1)
    angle = positions[..., None] * (1.0 / 10000**step)
    return torch.cat([angle.sin(), angle.cos()], dim=-1)


class Residual(nn.Module):
    """Two layers, each with GELU, beside the identity."""

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.l1 = nn.Linear(dim, dim)
        self.l2 = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """(..., dim) to the same."""
        return x + F.gelu(self.l2(F.gelu(self.l1(x))))


class Generator(nn.Module):
    """One transformer layer over learnt tokens, the wavelengths and a bias token."""

    def __init__(self, dim: int, patch: int) -> None:
        super().__init__()
        layer = nn.TransformerEncoderLayer(
            _WAVE, nhead=4, dropout=0.0, activation="gelu", batch_first=True
        )
        self.encoder = nn.TransformerEncoder(
            layer, num_layers=1, enable_nested_tensor=False
        )
        self.fc_weight = nn.Linear(_WAVE, dim * patch * patch)
        self.fc_bias = nn.Linear(_WAVE, dim)
        self.weight_tokens = nn.Parameter(_SCALE * torch.randn(_LATENT, _WAVE))
        self.bias_token = nn.Parameter(_SCALE * torch.randn(1, _WAVE))

    def forward(self, waves: Tensor) -> tuple[Tensor, Tensor]:
        """(band, dim * patch ** 2) and (dim,) from (band, 128)."""
        given = torch.cat([self.weight_tokens, waves, self.bias_token])
        made = self.encoder(given[None])[0]
        bands = slice(_LATENT, _LATENT + len(waves))
        return self.fc_weight(made[bands] + given[bands]), self.fc_bias(made[-1])


class Kernels(nn.Module):
    """Kernels of a convolution for any bands."""

    def __init__(self, dim: int, patch: int) -> None:
        super().__init__()
        self.patch = patch
        self.weight_generator = Generator(dim, patch)
        self.fclayer = Residual(_WAVE)

    def forward(self, wavelengths: Tensor) -> tuple[Tensor, Tensor]:
        """(dim, band, patch, patch) and (dim,), from (band,) centre wavelengths in um."""
        waves = self.fclayer(sines(wavelengths, _WAVE))
        kernels, bias = self.weight_generator(waves)
        shape = (len(wavelengths), -1, self.patch, self.patch)
        return _SCALE * kernels.view(shape).transpose(0, 1), bias
