"""The way through tiles that decodes each block of a file about once (pure).

Tiles are read in strips: as high as the usual block of a file, as wide as memory allows.
Strips of a few days follow each other down a swath (a panel), so that each file has a row
of its blocks decoded when the next strip asks for it.
"""

from dataclasses import dataclass

from terradrift.grid import Grid, parse_id

_BLOCK_PX = 512
_PANEL_PX = 3072
"""Two rows of a panel's blocks, of ten bands on four days, stay in the cache of `files`."""
_STRIP_BYTES = 32 << 20
"""Reflectance of one scene in a strip: what the allocator still keeps and reuses."""


@dataclass(frozen=True, slots=True)
class Walk:
    """Sizes in tiles."""

    rows: int
    """Of a strip."""
    cols: int
    """Of a strip."""
    panel: int
    """Columns of a panel: whole strips."""

    @classmethod
    def of(cls, grid: Grid, bands: int) -> "Walk":
        """The walk for images of so many bands."""
        side = grid.patch_px * grid.tile_patches
        rows = max(1, _BLOCK_PX // side)
        most = _STRIP_BYTES // (4 * max(1, bands) * rows * side * side)
        cols = max(1, min(most, _PANEL_PX // side))
        return cls(rows, cols, cols * max(1, _PANEL_PX // (cols * side)))

    def strip(self, tile: str) -> tuple[int, int, int, int]:
        """The strip that a tile lies in; strips sort in the order they are read."""
        epsg, row, col = parse_id(tile)
        return epsg, col // self.panel, -(row // self.rows), col // self.cols

    def within(self, tile: str) -> tuple[int, int]:
        """A tile's place in its strip, from north to south, then from west to east."""
        _, row, col = parse_id(tile)
        return -row, col
