"""What the network is taught by, and measured by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import Tensor

from terradrift.detect.inpaint.scoring import levelled

if TYPE_CHECKING:
    from terradrift.detect.inpaint.network import Predicted


def loss(found: Predicted, target: Tensor, clear: Tensor) -> Tensor:
    """Laplace likelihood of the clear pixels, mean over pixels and bands.

    The mean is taught by what came, over the scale. The scale is taught by what is left
    after gain and offset of the scene, since that is what it is compared with in a score.
    """
    seen = (clear & found.known)[:, None].expand_as(found.mean)
    scale = found.log_scale.exp()
    moved, _ = levelled(
        found.mean.detach(), scale.detach(), target, clear & found.known
    )
    apart = (target - found.mean).abs() / scale.detach()
    left = (target - moved).abs() / scale + found.log_scale
    return torch.where(seen, apart + left, 0.0).sum() / seen.sum().clamp_min(1)


def likelihood(found: Predicted, target: Tensor, clear: Tensor) -> Tensor:
    """(n, band, y, x), negative logarithm of the Laplace density; NaN where not clear."""
    seen = (clear & found.known)[:, None]
    cost = (target - found.mean).abs() * torch.exp(-found.log_scale)
    return torch.where(seen, cost + found.log_scale + 0.6931472, torch.nan)
