"""Sizes that make every network of the family small."""

_VIT = {"width": 24, "depth": 1, "heads": 2}

SMALL = {
    "dinov2-s": _VIT,
    "dinov2-b": _VIT,
    "dinov2-s-reg": _VIT,
    "dinov2-b-reg": _VIT,
}
