"""Random convolutional features of the archive's own pixels (the default embedder).

After Rolf et al. 2021, "A generalizable and accessible approach to machine learning with
global satellite imagery", Nature Communications 12:4392, and Coates & Ng 2012, "Learning
feature representations with k-means". Kernels are windows of clear pixels drawn from the
archive, whitened by ZCA; a vector holds the mean over the patch of what exceeds a bias in
each kernel's response, and in its negative, standardised over the sample and brought to
unit length.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Self

import numpy as np

from terradrift import threads
from terradrift.embed import convolution, device, weights, whitening
from terradrift.embed.protocol import ModelCard

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from terradrift.chip import Chips

KIND = "mosaiks/1"

_FIT_WINDOWS = 100_000
"""Windows that the whitening is computed from."""


@dataclass(frozen=True, eq=False, kw_only=True)
class Mosaiks:
    """Random convolutional features with the numbers of one archive."""

    needs_fit: ClassVar[Literal[True]] = True
    sample_context_px: ClassVar[int] = 1

    bands: tuple[str, ...]
    kernels: NDArray[np.float32]
    """(k, band, y, x), standardised reflectance as drawn."""
    whitening: NDArray[np.float32]
    """(m, m) ZCA matrix of windows, m = band * y * x."""
    window_mean: NDArray[np.float32]
    """(m,)"""
    band_mean: NDArray[np.float32]
    """(band,), reflectance."""
    band_scale: NDArray[np.float32]
    """(band,), reflectance."""
    feature_mean: NDArray[np.float32]
    """(2 k,)"""
    feature_scale: NDArray[np.float32]
    """(2 k,)"""
    bias: float
    """What a response must exceed to count, in standard deviations of whitened windows."""
    seed: int
    device: str = "cpu"

    @classmethod
    def fit(
        cls,
        sample: Chips,
        *,
        kernels: int = 128,
        size: int = 3,
        bias: float = 0.5,
        regularisation: float = 0.3,
        seed: int = 0,
    ) -> Self:
        """Draw and whiten kernels from chips with a margin of `size // 2` pixels.

        `regularisation` is that of `whitening.zca`. Where the sample has fewer clear
        windows than `kernels`, each becomes a kernel.

        Raises:
            ValueError: no clear window in the sample, or all its pixels are the same.
        """
        if size < 1 or size % 2 == 0 or kernels < 1:
            raise ValueError(
                "mosaiks needs kernels of an odd number of pixels per side, at least one "
                f"of them, got {kernels} of {size} pixels"
            )
        mean, scale = whitening.moments(sample.pixels)
        standard = (sample.pixels - mean[:, None, None]) / scale[:, None, None]
        windows = whitening.draw(
            standard, size, max(_FIT_WINDOWS, kernels), np.random.default_rng(seed)
        )
        window_mean, matrix = whitening.zca(
            windows.reshape(len(windows), -1), regularisation
        )
        drawn = windows[:kernels]
        model = cls(
            bands=sample.bands,
            kernels=drawn,
            whitening=matrix,
            window_mean=window_mean,
            band_mean=mean,
            band_scale=scale,
            feature_mean=np.zeros(2 * len(drawn), np.float32),
            feature_scale=np.ones(2 * len(drawn), np.float32),
            bias=bias,
            seed=seed,
        )
        return model._standardised(sample)

    def _standardised(self, sample: Chips) -> Self:
        """The same kernels, features centred and scaled over the sample."""
        with threads.single_blas():
            features = self.features(sample)
        features = features[np.isfinite(features).all(axis=1)]
        scale = features.std(axis=0, dtype=np.float64)
        # A kernel that hardly ever answers must not become the loudest of all.
        floor = 0.1 * float(np.median(scale))
        if floor == 0:
            return self
        return replace(
            self,
            feature_mean=features.mean(axis=0, dtype=np.float64).astype(np.float32),
            feature_scale=np.maximum(scale, floor).astype(np.float32),
        )

    @property
    def size(self) -> int:
        """Pixels per kernel side."""
        return int(self.kernels.shape[-1])

    @cached_property
    def card(self) -> ModelCard:
        """The card; its digest is that of all numbers of the model."""
        return ModelCard(
            name="mosaiks",
            revision="1",
            licence="Apache-2.0",
            bands=self.bands,
            dimensions=2 * len(self.kernels),
            preprocessing=(
                f"{len(self.kernels)} kernels of {self.size}x{self.size} pixels, ZCA, "
                f"relu(+-r - {self.bias:g}), mean over clear windows (where fewer than "
                "3/4 of the clear pixels have one: masked pixels filled by the mean of "
                "the clear ones), standardised, unit length"
            ),
            source="Rolf et al. 2021, doi:10.1038/s41467-021-24638-z; kernels of the archive",
            weights_sha256=weights.digest(self._arrays(), self._settings()),
            weights="mosaiks.safetensors",
            context_px=self.size // 2,
        )

    def to(self, device: str) -> Self:
        """The same model, computing on a torch device."""
        return replace(self, device=device)

    def embed(self, chips: Chips) -> NDArray[np.float32]:
        """(n, 2 k) vectors of unit length; NaN for a patch without clear pixels.

        Raises:
            ValueError: other bands than those the model was made from.
        """
        features = self.features(chips)
        features -= self.feature_mean
        features /= self.feature_scale
        length = np.linalg.norm(features, axis=1, keepdims=True)
        features /= np.maximum(length, np.float32(1e-12))
        return features

    def features(self, chips: Chips) -> NDArray[np.float32]:
        """(n, 2 k) mean rectified responses, before they are standardised.

        Raises:
            ValueError: other bands than those the model was made from.
        """
        if chips.bands != self.bands:
            raise ValueError(
                f"this mosaiks was made from bands {', '.join(self.bands)}, "
                f"got {', '.join(chips.bands)}; make another for these bands"
            )
        # Bands last: a window is then a few runs of neighbouring numbers.
        standard = np.empty(np.take(chips.pixels.shape, [0, 2, 3, 1]), np.float32)
        np.subtract(chips.pixels.transpose(0, 2, 3, 1), self.band_mean, out=standard)
        standard /= self.band_scale
        if self.device == "cpu":
            return convolution.pooled(standard, *self.filters, self.bias, self.size)
        return self._features_on_device(standard)

    def _features_on_device(self, standard: NDArray[np.float32]) -> NDArray[np.float32]:
        import torch

        from terradrift.embed import convolution_torch

        where = torch.device(self.device)
        with torch.inference_mode():
            filters, offset = (device.send(array, where) for array in self.filters)
            found = convolution_torch.pooled(
                device.send(standard, where), filters, offset, self.bias, self.size
            )
            features: NDArray[np.float32] = found.cpu().numpy()
        return features

    @cached_property
    def filters(self) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Filters (y * x * band, k) with the whitening in them, and offset (k,)."""
        flat = self.kernels.reshape(len(self.kernels), -1).astype(np.float64)
        white = (flat - self.window_mean) @ self.whitening
        white /= np.maximum(np.linalg.norm(white, axis=1, keepdims=True), 1e-12)
        filters = white @ self.whitening
        offset = -(filters @ self.window_mean)
        ordered = filters.reshape(self.kernels.shape).transpose(2, 3, 1, 0)
        return (
            np.ascontiguousarray(ordered, np.float32).reshape(-1, len(filters)),
            offset.astype(np.float32),
        )

    def save(self, path: Path) -> None:
        """Write all numbers to a safetensors file, whole or not at all."""
        settings = {**self._settings(), "versions": {"numpy": np.__version__}}
        weights.save(path, self._arrays(), settings, KIND)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            ArchiveError: not a model of this kind.
        """
        arrays, settings = weights.load(path, KIND)
        given: dict[str, Any] = {**arrays, **settings}
        del given["versions"]
        return cls(**{**given, "bands": tuple(given["bands"])})

    def _arrays(self) -> dict[str, NDArray[np.float32]]:
        return {
            "kernels": self.kernels,
            "whitening": self.whitening,
            "window_mean": self.window_mean,
            "band_mean": self.band_mean,
            "band_scale": self.band_scale,
            "feature_mean": self.feature_mean,
            "feature_scale": self.feature_scale,
        }

    def _settings(self) -> dict[str, object]:
        return {"bands": list(self.bands), "bias": self.bias, "seed": self.seed}
