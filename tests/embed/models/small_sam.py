"""Sizes that make every network of the family small."""

SMALL = {
    "sam-vitb": {
        "side": 128,
        "width": 24,
        "depth": 2,
        "heads": 2,
        "window": 5,
        "whole": (1,),
        "neck": 16,
    }
}
