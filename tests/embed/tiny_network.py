"""The network of `tiny_model`; apart from it, as in the package, for it brings torch."""

import torch
from torch import nn

from terradrift.embed.network import Network


class Tiny(Network):
    def __init__(self, output, width):
        super().__init__()
        self.output = output
        self.conv = nn.Conv2d(3, width, 2, 2)
        self.norm = nn.BatchNorm2d(width)
        self.register_buffer("order", torch.arange(4))


def state(seed=0, width=5):
    """Numbers for every key of the network."""
    torch.manual_seed(seed)
    found = Tiny("pooled", width).state_dict()
    found["norm.running_mean"] = torch.randn(width)
    return found


def checkpoint(numbers):
    """The checkpoint of these numbers: wrapped, prefixed, among things of training."""
    inner = {f"module.{key}": value for key, value in numbers.items()}
    return {
        "epoch": 99,
        "arch": "tiny",
        "state_dict": inner | {"module.head.weight": torch.ones(2, 2)},
        "optimizer": {"state": {0: {"step": torch.tensor(3)}}, "groups": [1, 2]},
    }
