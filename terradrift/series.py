"""What the store hands to detectors: whole histories of a block of patches."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True, slots=True, eq=False)
class Series:
    """`n` patches over the `t` days on which at least one of them was seen."""

    patch_ids: NDArray[np.str_]
    """(n,)"""
    cells: NDArray[np.int64]
    """(n, 3), number of the grid's CRS, row (northward) and column (eastward) of each patch."""
    days: NDArray[np.datetime64]
    """(t,), datetime64[D], UTC, ascending, each once."""
    times: NDArray[np.datetime64]
    """(n, t), datetime64[us], the instant of each observation, NaT where there is none."""
    vectors: NDArray[np.float16]
    """(n, t, d), as stored; zeros where there is no observation."""
    clear_percent: NDArray[np.float32]
    """(n, t), 0..100, NaN where there is no observation."""
    indices: NDArray[np.float32]
    """(n, t, 3), NDVI, NBR, NDWI as in `chip.INDICES`, NaN where unknown."""

    def __len__(self) -> int:
        return len(self.patch_ids)
