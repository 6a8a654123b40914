"""What the ground of a simulated series is: the truth that regimes are held to."""

import json
from dataclasses import dataclass
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from terradrift.errors import SourceError
from terradrift.ingest.simulate.landscape import COVERS, CROP, landscape
from terradrift.ingest.simulate.recipe import Recipe
from terradrift.ingest.simulate.run import RECIPE_FILE
from terradrift.ingest.simulate.seasons import CROPS, sown

_DAYS = ("start", "baseline_jump")


@dataclass(frozen=True, slots=True, eq=False)
class Covers:
    """Land cover of every pixel, planted changes left out."""

    cover: NDArray[np.uint8]
    """(y, x), index into `names`."""
    crop: NDArray[np.int16]
    """(y, x), index into `crops` of what is harvested in the year, -1 where no field is."""
    names: tuple[str, ...]
    crops: tuple[str, ...]
    west: float
    """Metres of the CRS."""
    north: float
    gsd: float
    """Metres per pixel."""

    def shares(
        self, row: NDArray[np.int64], col: NDArray[np.int64], patch_size: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(n, names) and (n, crops): the share of each patch that is of each.

        Args:
            row: (n,), of the archive's grid, northward.
            col: (n,), eastward.
            patch_size: metres, a multiple of `gsd`.

        Raises:
            ValueError: patches that do not lie on pixels, or beyond them.
        """
        px = round(patch_size / self.gsd)
        left = (col * patch_size - self.west) / self.gsd
        top = (self.north - (row + 1) * patch_size) / self.gsd
        at = np.column_stack([top, left]).round().astype(np.int64)
        beyond = (at < 0).any() or (at + px > np.array(self.cover.shape)).any()
        if px * self.gsd != patch_size or not np.allclose(at[:, 0], top) or beyond:
            raise ValueError(
                f"expected patches of whole pixels of {self.gsd:g} m inside the image, got "
                f"some of {patch_size:g} m that are not"
            )
        found = []
        for image, count in (
            (self.cover, len(self.names)),
            (self.crop, len(self.crops)),
        ):
            windows = np.lib.stride_tricks.sliding_window_view(image, (px, px))
            chosen = windows[at[:, 0], at[:, 1]].reshape(len(at), -1)
            found.append(
                np.stack([(chosen == k).mean(axis=1) for k in range(count)], axis=1)
            )
        return found[0], found[1]


def covers(folder: Path | str, year: int) -> Covers:
    """The ground of a simulated series, and the crops of a year.

    Raises:
        SourceError: the folder holds no simulation.
    """
    recipe = recipe_of(Path(folder))
    ground = landscape(recipe)
    crop = np.where(
        ground.cover == CROP, sown(recipe, len(ground.cover), year), -1
    ).astype(np.int16)
    west, north = recipe.origin
    return Covers(
        ground.cover[ground.labels],
        crop[ground.labels],
        COVERS,
        CROPS,
        west,
        north,
        recipe.gsd,
    )


def recipe_of(folder: Path) -> Recipe:
    """The recipe that a series was simulated by.

    Raises:
        SourceError: the folder holds no simulation, or one of another version.
    """
    note = folder / RECIPE_FILE
    try:
        held: dict[str, Any] = json.loads(note.read_text(encoding="utf-8"))
        for name in _DAYS:
            held[name] = date.fromisoformat(held[name]) if held[name] else None
        for name in ("bands", "origin"):
            held[name] = tuple(held[name])
        return Recipe(**held)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SourceError(
            f"expected a simulated series in {folder}, got {error}; make one with "
            "terradrift simulate"
        ) from error
