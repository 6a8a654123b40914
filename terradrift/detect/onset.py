"""When: CUSUM of z and its persistence (pure). Method: METHODS 4.4, step 5."""

import numpy as np
from numpy.typing import NDArray


def cusum(z: NDArray[np.floating], slack: float) -> NDArray[np.float32]:
    """(n, t) running sum max(0, previous + z - slack); NaN where z is, and passed over."""
    out = np.full(z.shape, np.nan, np.float32)
    level = np.zeros(len(z))
    for at in range(z.shape[1]):
        seen = np.isfinite(z[:, at])
        level[seen] = np.maximum(0.0, level[seen] + z[seen, at] - slack)
        out[seen, at] = level[seen]
    return out
