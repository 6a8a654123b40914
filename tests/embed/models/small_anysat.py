"""A small network of AnySat, by spec name.

Not narrower: with groups of two channels, which the full size does not have, the
normalisation magnifies the rounding of bfloat16.
"""

SMALL = {"anysat": {"dim": 192, "depth": 1, "heads": 4}}
