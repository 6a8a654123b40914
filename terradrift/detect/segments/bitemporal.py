"""Change of regions between two dates (pure): stage 1 of Li et al. 2026.

Li, Zhu, Wang, Zhao & Zhong, "AnomalyCD", ISPRS J. 2026, arXiv 2409.05679.
"""

import numpy as np
from numpy.typing import NDArray

_LEAST = 1e-12


def cosine_change(
    before: NDArray[np.float32], after: NDArray[np.float32]
) -> NDArray[np.float32]:
    """(n,) 1 - cosine of features (n, d) of two dates, 0..2; NaN where one is not known."""
    between = np.sum(unit(before) * unit(after), axis=1, dtype=np.float64)
    return (1 - np.clip(between, -1, 1)).astype(np.float32)


def unit(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """(..., d) of length 1; a vector of zeros stays, and is unlike everything."""
    length = np.linalg.norm(features, axis=-1, keepdims=True)
    found: NDArray[np.float32] = features / np.maximum(length, _LEAST)
    return found
