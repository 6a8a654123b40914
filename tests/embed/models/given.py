"""What tests of several families share: chips as a network gets them, and weights."""

import re

import numpy as np
import torch

from terradrift.embed.network import Input


def given(pixels, clear=None):
    """Chips of reflectance, all clear unless told: (n, band, y, x), or (n, t, band, y, x) of
    dates that are days apart."""
    pixels = torch.as_tensor(np.asarray(pixels, dtype=np.float32))
    if pixels.ndim == 4:
        pixels = pixels[:, None]
    n, t, bands, *sides = pixels.shape
    days = np.arange(t).astype("timedelta64[D]") + np.datetime64("2021-06-01", "us")
    return Input(
        pixels=pixels,
        clear=torch.ones(n, t, *sides, dtype=torch.bool) if clear is None else clear,
        times=np.tile(days, (n, 1)),
        centers=np.zeros((n, 2)),
        gsd=10.0,
        wavelengths=np.linspace(0.44, 2.2, bands, dtype=np.float32),
    )


def loaded(spec, checkpoint, **sizes):
    """The network of `spec` with the weights of an official checkpoint."""
    return restored(spec.build(**sizes), spec, checkpoint)


def restored(network, spec, checkpoint):
    """The same with a network that is there, through the spec's layout."""
    shapes = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    state = spec.layout.unwrapped(checkpoint)
    network.load_state_dict(spec.layout.pick(state, shapes, model=spec.name))
    return network.eval()


def run(network, prepared):
    with torch.inference_mode():
        return network(*prepared).numpy()


def vectors(network, reflectance):
    """What the network gives for these chips."""
    return run(network, network.prepare(given(reflectance)))


def apart(found, wanted):
    """Largest absolute difference; NaN, which no bound allows, where either has one."""
    assert found.shape == wanted.shape
    return np.abs(found - wanted).max()


def count(state, pattern):
    """Numbers that the pattern's group takes in the keys, from 0."""
    found = {int(m[1]) for key in state if (m := re.search(pattern, key))}
    return max(found) + 1
