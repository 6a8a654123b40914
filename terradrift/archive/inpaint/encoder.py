"""A foundation model's feature pyramid for inpainting: SatlasPretrain's Swin, frozen."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from terradrift import plugins
from terradrift.embed import library
from terradrift.embed.networks.satlas import Satlas, scaled
from terradrift.embed.networks.swin import STRIDES
from terradrift.embed.spec import Spec
from terradrift.errors import WeightsError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

_FAMILY = "satlas-"


class Pyramid:
    """Maps at strides 4, 8, 16, 32 of each frame by itself."""

    def __init__(self, network: Satlas, bands: Sequence[int], width: int) -> None:
        """`bands` are the places of the network's bands among those of the archive.

        `width` is the number of channels at stride 4.
        """
        self.network = network.eval().requires_grad_(requires_grad=False)
        self.bands = list(bands)
        self.strides = tuple(STRIDES)
        self.channels = tuple(width * 2**stage for stage in range(len(STRIDES)))

    def __call__(self, reflectance: Tensor, /) -> list[Tensor]:
        """(n, d, y / stride, x / stride) of (n, band, y, x), sides a multiple of 32."""
        with torch.no_grad():
            maps: list[Tensor] = self.network.backbone(
                scaled(reflectance[:, self.bands])
            )
        return maps


def opened(
    name: str, bands: Sequence[str], device: str, *, expected_sha256: str = ""
) -> Pyramid | None:
    """The encoder `name` with the weights on this machine; None for an empty name.

    Raises:
        UnknownPluginError: no such model.
        WeightsError: its weights are not here, or others than the network was trained with.
        ValueError: it is not of the SatlasPretrain family, or bands are missing.
    """
    if not name:
        return None
    spec = plugins.load(plugins.EMBEDDERS, name)
    if not isinstance(spec, Spec) or not name.startswith(_FAMILY) or "-fpn" in name:
        known = [
            each
            for each in plugins.names(plugins.EMBEDDERS)
            if each.startswith(_FAMILY) and "-fpn" not in each
        ]
        raise ValueError(
            f"inpaint takes an encoder of {', '.join(known)}, got {name!r}; leave "
            "--encoder out for its own"
        )
    lacking = [each for each in spec.bands if each not in bands]
    if lacking:
        raise ValueError(
            f"{name} needs bands {', '.join(lacking)}, which the archive lacks; leave "
            "--encoder out for inpaint's own"
        )
    held = library.load(spec)
    if expected_sha256 and held.sha256 != expected_sha256:
        raise WeightsError(
            f"inpaint was trained with other weights of {name} (digest "
            f"{expected_sha256[:12]}) than lie here ({held.sha256[:12]}); train again"
        )
    network = spec.build(output="pooled")
    network.load_state_dict(held.state, strict=True)
    if not isinstance(network, Satlas):
        raise TypeError(f"{name} is no network of SatlasPretrain")
    places = [list(bands).index(each) for each in spec.bands]
    return Pyramid(network.to(device), places, spec.tokens[STRIDES[0]])


def digest(name: str) -> str:
    """Digest of the weights on this machine, empty for an empty name."""
    spec = plugins.load(plugins.EMBEDDERS, name) if name else None
    return library.about(spec)["sha256"] if isinstance(spec, Spec) else ""
