"""Sizes that make every network of the family small."""

_RESNET = {"blocks": (1, 1, 1, 1), "planes": (4, 8, 16, 32), "stem": 8}
_VIT = {"width": 24, "depth": 1, "heads": 2}

SMALL = {
    "ssl4eo-resnet50-moco": _RESNET,
    "ssl4eo-resnet50-dino": _RESNET,
    "ssl4eo-vits16-moco": _VIT,
    "ssl4eo-vits16-dino": _VIT,
    "ssl4eo-vits16-mae": _VIT,
}
