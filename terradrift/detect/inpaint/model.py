"""A trained network with all that is needed to use it again."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

import torch

from terradrift.detect.inpaint.cube import Scaling
from terradrift.detect.inpaint.network import Encoder, Inpainter
from terradrift.detect.inpaint.noise import Noise
from terradrift.detect.inpaint.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    import numpy as np
    from numpy.typing import NDArray

_NETWORK = "network."


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Fitted:
    """What training made."""

    bands: tuple[str, ...]
    settings: Settings
    scaling: Scaling
    state: Mapping[str, NDArray[np.float32]]
    """Weights by the names of the network."""
    noise: Noise
    """What residuals used to be like."""
    encoder: str = ""
    """Name of the foundation model whose maps it takes, empty for the own encoder."""
    gsd: float = 0.0
    """Metres per pixel of the history that it was trained on."""

    def network(self, encoder: Encoder | None, device: torch.device) -> Inpainter:
        """The network on `device`, ready to predict."""
        net = Inpainter(
            len(self.bands),
            widths=self.settings.widths,
            heads=self.settings.heads,
            context=self.settings.context,
            encoder=encoder,
        )
        net.load_state_dict(
            {name: torch.from_numpy(array) for name, array in self.state.items()}
        )
        return net.to(device).eval()

    def arrays(self) -> dict[str, NDArray[np.float32]]:
        """All numbers, by name; `told` has the rest."""
        return {
            **{_NETWORK + name: array for name, array in self.state.items()},
            "centre": self.scaling.centre,
            "width": self.scaling.width,
            "shape": self.noise.shape,
            "edge": self.noise.edge,
        }

    def told(self) -> dict[str, Any]:
        """What is no array, as JSON takes it."""
        return {
            "bands": list(self.bands),
            "settings": asdict(self.settings),
            "encoder": self.encoder,
            "gsd": self.gsd,
        }

    @classmethod
    def of(
        cls, arrays: Mapping[str, NDArray[np.float32]], told: Mapping[str, Any]
    ) -> Fitted:
        """From what `arrays` and `told` gave."""
        return cls(
            bands=tuple(told["bands"]),
            settings=settings_of(told["settings"]),
            scaling=Scaling(arrays["centre"], arrays["width"]),
            state={
                name.removeprefix(_NETWORK): array
                for name, array in arrays.items()
                if name.startswith(_NETWORK)
            },
            noise=Noise(arrays["shape"], arrays["edge"]),
            encoder=told["encoder"],
            gsd=told["gsd"],
        )


def settings_of(told: Mapping[str, Any]) -> Settings:
    """From JSON, which has no tuples."""
    return replace(Settings(), **{**told, "widths": tuple(told["widths"])})
