"""Patches that an archive has, as a bitmap for each tile: some 150 bytes a thousand patches."""

import numpy as np
from numpy.typing import NDArray

from terradrift.store.published.cells import coded, decoded, numbered
from terradrift.store.tables import Store


class Known:
    """Which patches of the archive's grid are in its table of patches."""

    def __init__(self, store: Store, tile_patches: int) -> None:
        self._side, self.added = tile_patches, 0
        """`added`: patches that were new since."""
        self._maps: dict[tuple[int, int, int], NDArray[np.bool_]] = {}
        if store.exists("patches"):
            columns = ["crs", "row", "col"]
            for rows in store.scan("patches", columns, batch_size=1 << 16):
                self.fresh(decoded(numbered(rows)))
        self.added = 0

    def fresh(self, cells: NDArray[np.int64]) -> NDArray[np.bool_]:
        """(n,), which of cells (n, 3) were not known; all are from now on."""
        new = np.zeros(len(cells), bool)
        tiles = cells // np.array([1, self._side, self._side])
        at = cells[:, 1:] % self._side
        _, group = np.unique(coded(tiles), return_inverse=True)
        for number in range(int(group.max(initial=-1)) + 1):
            here = np.flatnonzero(group == number)
            epsg, row, col = tiles[here[0]].tolist()
            known = self._maps.setdefault(
                (epsg, row, col), np.zeros((self._side, self._side), bool)
            )
            new[here] = ~known[at[here, 0], at[here, 1]]
            known[at[here, 0], at[here, 1]] = True
        self.added += int(new.sum())
        return new
