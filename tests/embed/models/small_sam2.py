"""Sizes that make every network of the family small."""

_HIERA = {
    "side": 128,
    "width": 8,
    "heads": 1,
    "stages": (1, 1, 2, 1),
    "whole": (3,),
    "neck": 16,
}

SMALL = {"sam2.1-hiera-t": _HIERA, "sam2.1-hiera-b+": _HIERA}
