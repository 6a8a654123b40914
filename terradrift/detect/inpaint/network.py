"""The network: frames to what the next one should look like, and how sure that is."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from typing import NamedTuple, Protocol

import torch
from torch import Tensor, nn
from torch.nn import functional

from terradrift.detect.inpaint.context import Context, summary
from terradrift.detect.inpaint.fusion import Fusion, times

_LEAST_SCALE = 0.05
"""Floor of the scale before learning, in units of the normalisation."""
_WIDEST = 3.0
"""The learnt factor of the scale lies between exp(-3) and exp(3)."""
_OTHER = 8
"""Maps beside those of bands that the decoder reads."""


class Encoder(Protocol):
    """A foundation model's feature pyramid, frozen."""

    strides: tuple[int, ...]
    """Pixels per side of a cell of each map, ascending, powers of 2 from 4."""
    channels: tuple[int, ...]

    def __call__(self, reflectance: Tensor, /) -> list[Tensor]:
        """Maps (n, d, ceil(y / stride), ceil(x / stride)) of (n, band, y, x)."""
        ...


class Predicted(NamedTuple):
    """Of the target frame, over the normalisation."""

    mean: Tensor
    """(n, band, y, x)."""
    log_scale: Tensor
    """(n, band, y, x), logarithm of the scale of a Laplace distribution."""
    known: Tensor
    """(n, y, x), bool: whether any earlier frame was clear there."""


class _Norm(nn.Module):
    """Layer norm over channels at each pixel, so that no pixel sees the whole image."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(channels)

    def forward(self, x: Tensor) -> Tensor:
        normed: Tensor = self.norm(x.movedim(1, -1)).movedim(-1, 1)
        return normed


def _block(inside: int, outside: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inside, outside, 3, stride=stride, padding=1),
        _Norm(outside),
        nn.GELU(),
    )


class Inpainter(nn.Module):
    """Shared encoder per frame, fusion over time at every scale, decoder to full resolution.

    What is learnt is added to the weighted median of the past: with the last layer at zero,
    as it starts, the median is the prediction and its spread the scale.
    """

    def __init__(
        self,
        bands: int,
        *,
        widths: tuple[int, ...],
        heads: int,
        context: int,
        encoder: Encoder | None = None,
    ) -> None:
        """`widths` are channels at strides 1, 2, 4, ...; `context` frames are encoded.

        An `encoder` takes over from stride 4 on; it is not trained.
        """
        super().__init__()
        self.bands = bands
        self.context = context
        own = widths if encoder is None else widths[:2]
        self.stem = nn.Sequential(
            nn.Conv2d(2 * bands + 1, own[0], 1), nn.GELU(), _block(own[0], own[0])
        )
        self.stages = nn.ModuleList(
            nn.Sequential(_block(a, b, 2), _block(b, b)) for a, b in pairwise(own)
        )
        # Out of reach of `parameters` and `state_dict`: it is frozen and kept elsewhere.
        self._foreign = (encoder,)
        strides = [2**level for level in range(len(own))]
        channels = list(own)
        if encoder is not None:
            strides += list(encoder.strides)
            channels += list(encoder.channels)
        self.strides = tuple(strides)
        wide = [*own, *[own[-1]] * (len(strides) - len(own))]
        self.narrow = nn.ModuleList(
            nn.Identity() if a == b else nn.Conv2d(a, b, 1)
            for a, b in zip(channels, wide, strict=True)
        )
        self.fusions = nn.ModuleList(Fusion(each, heads) for each in wide)
        self.rise = nn.ModuleList(nn.Conv2d(b, a, 1) for a, b in pairwise(wide))
        self.smooth = nn.ModuleList(_block(each, each) for each in wide[:-1])
        self.told = nn.Conv2d(3 * bands + _OTHER, own[0], 1)
        self.decode = nn.Sequential(
            _block(2 * own[0], 2 * own[0]), _block(2 * own[0], 2 * own[0])
        )
        self.head = nn.Conv2d(2 * own[0], 3 * bands, 1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)  # type: ignore[arg-type] # made with bias

    def forward(
        self, given: Context, centre: Tensor | None = None, width: Tensor | None = None
    ) -> Predicted:
        """The target as expected from what came before it.

        The first `context` frames of `given` are encoded, all are in its summary. `centre`
        and `width` (band,) undo the normalisation for a foundation model.
        """
        rows, cols = given.frames.shape[-2:]
        given = _padded(given, self.strides[-1])
        plain = summary(given)
        near = slice(self.context)
        frames, valid = given.frames[:, near], given.valid[:, near]
        maps = self._encoded(frames, valid, plain.usual, centre, width)
        told = times(given.gap[:, near], given.season[:, near], given.clear[:, near])
        fused = [
            fusion(each, _coarse(valid, stride), told)
            for fusion, each, stride in zip(
                self.fusions, maps, self.strides, strict=True
            )
        ]
        x = fused[-1]
        for level in range(len(fused) - 2, -1, -1):
            ratio = self.strides[level + 1] // self.strides[level]
            up = functional.interpolate(
                self.rise[level](x),
                scale_factor=ratio,
                mode="bilinear",
                align_corners=False,
            )
            x = self.smooth[level](fused[level] + up)
        step = plain.last - plain.usual
        season = given.when[:, :, None, None].expand(-1, -1, *x.shape[-2:])
        count = given.valid.sum(dim=1)
        other = torch.stack(
            [
                plain.known.to(step.dtype),
                torch.log1p(plain.gap) / 4,
                torch.log1p(count) / 3,
                step.abs().mean(dim=1),
                plain.spread.mean(dim=1),
                step.mean(dim=1),
            ],
            dim=1,
        )
        beside = self.told(
            torch.cat([plain.usual, step, plain.spread, other, season], 1)
        )
        out = self.head(self.decode(torch.cat([x, beside.to(x.dtype)], dim=1))).float()
        lean, shift, wider = out.split(self.bands, dim=1)
        mean = plain.usual + torch.tanh(lean) * step + shift
        start = torch.log(plain.spread + _LEAST_SCALE)
        log_scale = start + _WIDEST * torch.tanh(wider / _WIDEST)
        inside = (..., slice(rows), slice(cols))
        return Predicted(mean[inside], log_scale[inside], plain.known[inside])

    def _encoded(
        self,
        frames: Tensor,
        valid: Tensor,
        usual: Tensor,
        centre: Tensor | None,
        width: Tensor | None,
    ) -> list[Tensor]:
        """Maps (n, t, d, y, x) of each frame at each stride."""
        n, t = valid.shape[:2]
        seen = valid[:, :, None]
        away = (frames - usual[:, None]) * seen
        x = torch.cat([frames * seen, away, seen], dim=2).flatten(0, 1)
        found = [self.stem(x)]
        for stage in self.stages:
            found.append(stage(found[-1]))
        foreign = self._foreign[0]
        if foreign is not None:
            if centre is None or width is None:
                raise ValueError("a foundation model needs the normalisation undone")
            # What was not clear looks like the median, as a model knows no mask.
            whole = torch.where(seen > 0, frames, usual[:, None]).flatten(0, 1)
            with torch.no_grad():
                found += foreign(whole * width[:, None, None] + centre[:, None, None])
        return [
            narrow(each).unflatten(0, (n, t))
            for narrow, each in zip(self.narrow, found, strict=True)
        ]


def _coarse(valid: Tensor, stride: int) -> Tensor:
    return valid if stride == 1 else functional.avg_pool2d(valid, stride)


def _padded(given: Context, multiple: int) -> Context:
    """Sides up to a multiple, with pixels that are not clear, south and east."""
    rows, cols = given.frames.shape[-2:]
    grow = (0, -cols % multiple, 0, -rows % multiple)
    if not any(grow):
        return given
    return replace(
        given,
        frames=functional.pad(given.frames, grow),
        valid=functional.pad(given.valid, grow),
    )
