"""What a network is given, from arrays of reflectance."""

import numpy as np
import torch

from terradrift.embed.network import Input


def given(reflectance, gsd=10.0):
    """One date of clear chips (n, band, y, x)."""
    pixels = torch.as_tensor(np.asarray(reflectance, dtype=np.float32))[:, None]
    count, _, bands, *sides = pixels.shape
    return Input(
        pixels=pixels,
        clear=torch.ones(count, 1, *sides, dtype=torch.bool),
        times=np.full((count, 1), "2021-06-01T10:30", dtype="datetime64[us]"),
        centers=np.tile([4.5, 51.0], (count, 1)),
        gsd=gsd,
        wavelengths=np.full(bands, np.nan, dtype=np.float32),
    )


def vectors(network, reflectance):
    """What the network gives for these chips, as an array."""
    with torch.inference_mode():
        return network(*network.prepare(given(reflectance))).numpy()


def loaded(network, spec, checkpoint):
    """The network with the weights of an official checkpoint, through the spec's layout."""
    shapes = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    state = spec.layout.unwrapped(checkpoint)
    network.load_state_dict(spec.layout.pick(state, shapes, model=spec.name))
    return network.eval()
