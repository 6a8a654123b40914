"""Sizes that make every network of the family small."""

_SIZES = {"width": 32, "depth": 1, "heads": 2}

SMALL = {"galileo-nano": _SIZES, "galileo-tiny": _SIZES, "galileo-base": _SIZES}
