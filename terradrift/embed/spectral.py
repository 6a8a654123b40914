"""Statistics of bands and spectral indices over the patch: an embedder without weights."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Literal, Self

import numpy as np

from terradrift.chip import INDICES
from terradrift.embed import indices
from terradrift.embed.protocol import ModelCard

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from terradrift.chip import Chips

_QUANTILES = (0.1, 0.5, 0.9)
_BAND_SCALE = 0.1
"""Reflectance that counts as one unit: about the spread of land surfaces in one band."""
_INDEX_SCALE = 0.3
"""Index difference that counts as one unit: about meadow against stubble."""


@dataclass(frozen=True, eq=False)
class Spectral:
    """Mean, standard deviation and quantiles of every band and index, in fixed units."""

    needs_fit: ClassVar[Literal[False]] = False

    bands: tuple[str, ...]

    def __post_init__(self) -> None:
        if not self.bands:
            raise ValueError("spectral needs at least one band, got none")

    @classmethod
    def for_bands(cls, bands: tuple[str, ...]) -> Self:
        """The model for images of these bands."""
        return cls(bands)

    @cached_property
    def _added(self) -> tuple[str, ...]:
        """Indices that are not bands already."""
        names = indices.available(self.bands)
        return tuple(name for name in names if name not in self.bands)

    @cached_property
    def card(self) -> ModelCard:
        """The card; the length of a vector follows from the bands."""
        features = len(self.bands) + len(self._added)
        return ModelCard(
            name="spectral",
            revision="1",
            licence="Apache-2.0",
            bands=self.bands,
            dimensions=features * (2 + len(_QUANTILES)),
            preprocessing=(
                "mean, standard deviation and quantiles "
                f"{', '.join(f'{q:g}' for q in _QUANTILES)} over clear pixels of bands / "
                f"{_BAND_SCALE:g} and of {', '.join(self._added) or 'no index'} / "
                f"{_INDEX_SCALE:g}"
            ),
            source="terradrift",
            weights_sha256="",
        )

    def embed(self, chips: Chips) -> NDArray[np.float32]:
        """(n, d) vectors: all means, then deviations, then each quantile.

        Raises:
            ValueError: other bands than the model's.
        """
        if chips.bands != self.bands:
            raise ValueError(
                f"this spectral is for bands {', '.join(self.bands)}, "
                f"got {', '.join(chips.bands)}; make another for these bands"
            )
        n, band = chips.pixels.shape[:2]
        pixels = chips.pixels.reshape(n, band, -1)
        clear = np.isfinite(pixels).all(axis=1, keepdims=True)
        features = self._features(np.where(clear, pixels, np.float32(np.nan)))
        # An index of no light at all is 0: the patch keeps its vector.
        features = np.where(clear & np.isnan(features), np.float32(0), features)
        return _statistics(features)

    def _features(self, pixels: NDArray[np.float32]) -> NDArray[np.float32]:
        """(n, feature, pixel) bands and indices in units of their scale."""
        scales = np.array(
            [_INDEX_SCALE if name in INDICES else _BAND_SCALE for name in self.bands],
            np.float32,
        )
        of_indices = [
            indices.index(name, pixels, self.bands, axis=1) / _INDEX_SCALE
            for name in self._added
        ]
        of_bands = pixels / scales[:, None]
        return np.concatenate(
            [of_bands, *(index[:, None] for index in of_indices)],
            axis=1,
            dtype=np.float32,
        )


def _statistics(features: NDArray[np.float32]) -> NDArray[np.float32]:
    """(n, feature * 5) of (n, feature, pixel) with NaN where masked."""
    # Sorted once, NaN last: quantiles are then plain look-ups.
    ordered = np.sort(features, axis=2)
    count = np.isfinite(features).sum(axis=2)
    kept = np.nan_to_num(ordered, nan=0.0)
    safe = np.maximum(count, 1)
    mean = kept.sum(axis=2, dtype=np.float64) / safe
    square = np.square(kept, dtype=np.float64).sum(axis=2) / safe
    deviation = np.sqrt(np.maximum(square - mean**2, 0))
    parts = [mean, deviation, *(_quantile(kept, count, q) for q in _QUANTILES)]
    stacked: NDArray[np.float32] = np.concatenate(parts, axis=1).astype(np.float32)
    stacked[(count == 0).any(axis=1)] = np.nan
    return stacked


def _quantile(
    ordered: NDArray[np.float32], count: NDArray[np.intp], q: float
) -> NDArray[np.float32]:
    """(n, feature) linear quantile of the first `count` of (n, feature, pixel) values."""
    place = q * np.maximum(count - 1, 0)
    low = np.floor(place).astype(np.intp)
    high = np.minimum(low + 1, np.maximum(count - 1, 0))
    at_low, at_high = (
        np.take_along_axis(ordered, where[:, :, None], axis=2)[:, :, 0]
        for where in (low, high)
    )
    found: NDArray[np.float32] = at_low + (place - low).astype(np.float32) * (
        at_high - at_low
    )
    return found
