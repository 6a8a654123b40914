"""A small foundation model as data, to be varied by tests."""

from terradrift.embed.checkpoint import Layout
from terradrift.embed.spec import Source, Spec


def no_network(**sizes):
    raise AssertionError("a card needs no network")


def spec(**given):
    return Spec(
        **{
            "name": "model",
            "revision": "1",
            "licence": "MIT",
            "citation": "a paper",
            "bands": ("red", "nir"),
            "level": "L2A",
            "preprocessing": "none",
            "dimensions": 8,
            "tokens": {16: 4},
            "chip_size": 224,
            "chip_multiple": 16,
            "layout": Layout(),
            "source": Source(url="https://example.org/model.pth"),
            "build": no_network,
            **given,
        }
    )
