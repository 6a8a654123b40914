"""Whether a scene's reflectance can be true, judged by its first clear pixels (pure)."""

import numpy as np

from terradrift.ingest.compose import Layer
from terradrift.ingest.reflectance import check_plausible

_VISIBLE = ("blue", "green", "red")
_STEP = 4
_ENOUGH = 1000


def implausible(layer: Layer) -> str | None:
    """What is wrong with how the scene was harmonised, an empty string where nothing is.

    None: too few clear pixels to tell. An offset that the user gave is not questioned.
    """
    scene = layer.scene
    if not scene.boa_offset or scene.boa_offset_source == "user":
        return ""
    clear = layer.clear[::_STEP, ::_STEP]
    if np.count_nonzero(clear) < _ENOUGH:
        return None
    numbers = [
        (layer.pixels[slot, ::_STEP, ::_STEP][clear] - asset.offset) / asset.scale
        for slot, asset in enumerate(scene.bands)
        if asset.band in _VISIBLE
    ]
    if not numbers:
        return ""
    said = check_plausible(np.concatenate(numbers), scene.boa_offset)
    if said is None:
        return ""
    return f"{said}, or --boa-offset {scene.boa_offset:g} if that is right"
