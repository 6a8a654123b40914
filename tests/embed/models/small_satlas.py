"""Sizes that make every network of the family small."""

_SWIN = {"width": 16, "depths": (2, 1, 1, 1), "heads": (1, 2, 4, 8)}

SMALL = {
    f"satlas-{size}-{dates}-{colours}{pyramid}": _SWIN
    for size in ("swinb", "swint")
    for dates in ("si", "mi")
    for colours in ("ms", "rgb")
    for pyramid in ("", "-fpn")
}
