"""What tests of several families share: chips as a network gets them, and weights."""

import numpy as np
import torch

from terradrift.embed.network import Input


def given(pixels, clear=None):
    """Chips of (n, t, band, y, x) reflectance, days apart, all clear unless told."""
    n, t, bands, *sides = pixels.shape
    days = np.arange(t).astype("timedelta64[D]") + np.datetime64("2021-06-01", "us")
    return Input(
        pixels=torch.as_tensor(pixels, dtype=torch.float32),
        clear=torch.ones(n, t, *sides, dtype=torch.bool) if clear is None else clear,
        times=np.tile(days, (n, 1)),
        centers=np.zeros((n, 2)),
        gsd=10.0,
        wavelengths=np.linspace(0.44, 2.2, bands, dtype=np.float32),
    )


def loaded(spec, loaded, **sizes):
    """The network of `spec` with the weights of an official checkpoint."""
    network = spec.build(**sizes)
    shapes = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    state = spec.layout.pick(spec.layout.unwrapped(loaded), shapes, model=spec.name)
    network.load_state_dict(state)
    return network.eval()


def run(network, prepared):
    with torch.inference_mode():
        return network(*prepared).numpy()


def apart(found, wanted):
    """Largest absolute difference; NaN, which no bound allows, where either has one."""
    assert found.shape == wanted.shape
    return np.abs(found - wanted).max()
