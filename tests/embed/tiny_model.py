"""A foundation model of a few numbers, with a checkpoint as publishers lay them out."""

from terradrift.embed.checkpoint import Layout
from terradrift.embed.spec import Source, Spec


def build(output, token_size=None, width=5):
    from tests.embed.tiny_network import Tiny

    return Tiny(output, width)


def tiny(**changed):
    given = {
        "name": "tiny",
        "revision": "1",
        "licence": "MIT",
        "citation": "none",
        "bands": ("red", "green", "blue"),
        "preprocessing": "none",
        "dimensions": 5,
        "tokens": {2: 5},
        "chip_size": 8,
        "layout": Layout(
            wrappers=("teacher", "state_dict"),
            prefixes=("module.", ""),
            ignored=(r"module\.head\.",),
        ),
        "source": Source(url="https://example.com/tiny.pth"),
        "build": build,
        "parameters": 75,
    }
    return Spec(**(given | changed))
