"""What scenes are taken in for: a model that they must fit, before they are written."""

from dataclasses import dataclass, replace

import pyarrow as pa

from terradrift.archive import choosing
from terradrift.archive.choosing import Choice
from terradrift.errors import ArchiveError, TerradriftError
from terradrift.grid import Grid
from terradrift.store.tables import Settings, Store


@dataclass(frozen=True, slots=True)
class Purpose:
    """A model, and whether it says how large the patches of a new archive are."""

    choice: Choice
    sizes: bool = False

    def sized(self, grid: Grid, native: float) -> Grid:
        """The grid with the patches that suit the model at `native` metres per pixel.

        Raises:
            ArchiveError: a vector of the model is no whole number of metres.
        """
        if not self.sizes:
            return grid
        try:
            metres = choosing.patch_size(self.choice, native)
        except TerradriftError:
            raise
        except ValueError as error:
            raise ArchiveError(str(error)) from error
        return grid if metres is None else replace(grid, patch_size=metres)

    def check(self, store: Store, held: Settings, scenes: pa.Table) -> None:
        """Refuse settings and scenes (`origins.COLUMNS`) that the model cannot take.

        Raises:
            ArchiveError: they do not fit; says what would.
        """
        try:
            choosing.fits(self.choice, held, scenes)
        except TerradriftError:
            raise
        except ValueError as error:
            raise ArchiveError(f"{store.root}: {error}") from error
