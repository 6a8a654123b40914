"""Random convolutional features of the archive's own pixels (the default embedder).

After Rolf et al. 2021, "A generalizable and accessible approach to machine learning with
global satellite imagery", Nature Communications 12:4392, and Coates & Ng 2012, "Learning
feature representations with k-means". Kernels are windows of clear pixels drawn from the
archive, whitened by ZCA; a vector is the mean over the patch of what exceeds a bias in
each kernel's response, and in its negative, standardised over the sample.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING, ClassVar, Literal, Self

import numpy as np
import torch

from terradrift.embed import convolution, device
from terradrift.embed.protocol import ModelCard
from terradrift.errors import ArchiveError

if TYPE_CHECKING:
    from pathlib import Path

    from numpy.typing import NDArray

    from terradrift.chip import Chips

FORMAT = "mosaiks/1"
_TENSORS = (
    "kernels",
    "whitening",
    "window_mean",
    "band_mean",
    "band_scale",
    "feature_mean",
    "feature_scale",
)


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
    seed: int
    device: str = "cpu"

    @classmethod
    def fit(
        cls,
        sample: Chips,
        *,
        kernels: int = 256,
        size: int = 3,
        bias: float = 1.0,
        regularisation: float = 0.1,
        seed: int = 0,
    ) -> Self:
        """Draw and whiten kernels from chips with a margin of `size // 2` pixels.

        `bias` is in standard deviations of a response; `regularisation`, a share of the
        mean variance, is added to every variance before whitening. Fewer kernels are drawn
        where there are fewer clear windows.

        Raises:
            ValueError: no clear window in the sample, or all its pixels are the same.
        """
        rng = np.random.default_rng(seed)
        pixels = np.where(np.isfinite(sample.pixels), sample.pixels, np.nan)
        if not np.isfinite(pixels).any():
            raise ValueError(
                "mosaiks needs clear pixels to draw kernels from, got none"
            )
        mean = np.nanmean(pixels, axis=(0, 2, 3), dtype=np.float64).astype(np.float32)
        scale = np.nanstd(pixels, axis=(0, 2, 3), dtype=np.float64).astype(np.float32)
        if not (scale > 0).any():
            raise ValueError(
                "mosaiks needs pixels that differ to draw kernels from; all clear pixels "
                f"of the sample are {mean[0]:g}"
            )
        scale = np.where(scale > 0, scale, 1).astype(np.float32)
        standard = (pixels - mean[:, None, None]) / scale[:, None, None]
        flat = _clear_windows(standard, size)
        if len(flat) == 0:
            raise ValueError(
                f"mosaiks needs clear windows of {size} x {size} pixels to draw kernels "
                "from, got none; ingest clearer scenes"
            )
        drawn = flat[rng.choice(len(flat), min(kernels, len(flat)), replace=False)]
        window_mean, whitening = zca(flat, regularisation)
        model = cls(
            bands=sample.bands,
            kernels=drawn.reshape(len(drawn), len(sample.bands), size, size),
            whitening=whitening,
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
        found = self.embed(sample)
        found = found[np.isfinite(found).all(axis=1)]
        scale = found.std(axis=0, dtype=np.float64)
        # A kernel that hardly ever answers must not become the loudest of all.
        floor = 0.1 * float(np.median(scale)) or 1.0
        return replace(
            self,
            feature_mean=found.mean(axis=0, dtype=np.float64).astype(np.float32),
            feature_scale=np.maximum(scale, floor).astype(np.float32),
        )

    @property
    def size(self) -> int:
        """Pixels per kernel side."""
        return self.kernels.shape[-1]

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
                f"relu(+-r - {self.bias:g}), mean over clear windows, standardised"
            ),
            source="Rolf et al. 2021, doi:10.1038/s41467-021-24638-z; kernels of the archive",
            weights_sha256=self._digest(),
            weights="mosaiks.safetensors",
            context_px=self.size // 2,
        )

    def to(self, device: str) -> Self:
        """The same model, computing on a torch device."""
        return replace(self, device=device)

    def embed(self, chips: Chips) -> NDArray[np.float32]:
        """(n, 2 k) vectors; NaN for a patch without clear pixels.

        Raises:
            ValueError: other bands than those the model was made from.
        """
        if chips.bands != self.bands:
            raise ValueError(
                f"this mosaiks was made from bands {', '.join(self.bands)}, "
                f"got {', '.join(chips.bands)}; make another for these bands"
            )
        with torch.inference_mode():
            pixels = device.send(chips.pixels, torch.device(self.device))
            band_mean, band_scale, filters, offset, mean, scale = self._on_device
            standard = (pixels - band_mean) / band_scale
            found = convolution.pooled(standard, filters, offset, self.bias, self.size)
            found = (found - mean) / scale
            vectors: NDArray[np.float32] = found.cpu().numpy()
        return vectors

    @cached_property
    def _on_device(self) -> tuple[torch.Tensor, ...]:
        flat = self.kernels.reshape(len(self.kernels), -1).astype(np.float64)
        white = (flat - self.window_mean) @ self.whitening
        white /= np.maximum(np.linalg.norm(white, axis=1, keepdims=True), 1e-12)
        filters = white @ self.whitening
        arrays = (
            self.band_mean[:, None, None],
            self.band_scale[:, None, None],
            filters.T,
            -(filters @ self.window_mean),
            self.feature_mean,
            self.feature_scale,
        )
        return tuple(
            torch.from_numpy(np.ascontiguousarray(array, np.float32)).to(self.device)
            for array in arrays
        )

    def _digest(self) -> str:
        digest = hashlib.sha256(json.dumps([FORMAT, self.bands, self.bias]).encode())
        for name in _TENSORS:
            digest.update(np.ascontiguousarray(getattr(self, name), "<f4").tobytes())
        return digest.hexdigest()

    def save(self, path: Path) -> None:
        """Write all numbers to a safetensors file, whole or not at all."""
        from safetensors.numpy import save

        written = save(
            {name: np.ascontiguousarray(getattr(self, name)) for name in _TENSORS},
            metadata={
                "format": FORMAT,
                "bands": json.dumps(self.bands),
                "bias": repr(self.bias),
                "seed": str(self.seed),
                "versions": json.dumps(
                    {"numpy": np.__version__, "torch": str(torch.__version__)}
                ),
            },
        )
        unfinished = path.with_name(path.name + ".part")
        unfinished.write_bytes(written)
        unfinished.replace(path)

    @classmethod
    def load(cls, path: Path) -> Self:
        """Read what `save` wrote.

        Raises:
            ArchiveError: not a model of this kind.
        """
        from safetensors import SafetensorError, safe_open

        try:
            with safe_open(path, framework="numpy") as file:
                metadata = file.metadata() or {}
                if metadata.get("format") != FORMAT:
                    raise ArchiveError(
                        f"{path} is no {FORMAT} model, it says {metadata.get('format')!r}"
                    )
                tensors = {name: file.get_tensor(name) for name in _TENSORS}
        except SafetensorError as error:
            raise ArchiveError(f"{path} is no {FORMAT} model: {error}") from error
        return cls(
            **tensors,
            bands=tuple(json.loads(metadata["bands"])),
            bias=float(metadata["bias"]),
            seed=int(metadata["seed"]),
        )


def zca(
    windows: NDArray[np.float32], regularisation: float
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Mean (m,) and symmetric whitening matrix (m, m) of (n, m) windows.

    `regularisation` times the mean variance is added to every variance.
    """
    mean = windows.mean(axis=0, dtype=np.float64)
    centred = windows - mean
    covariance = centred.T @ centred / len(windows)
    values, vectors = np.linalg.eigh(covariance)
    values = np.maximum(values, 0)
    floor = regularisation * values.mean() or 1.0
    whitening = (vectors / np.sqrt(values + floor)) @ vectors.T
    return mean.astype(np.float32), whitening.astype(np.float32)


def _clear_windows(pixels: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """(n, m) windows without a masked pixel, of all chips."""
    if min(pixels.shape[2:]) < size:
        return np.empty((0, pixels.shape[1] * size**2), np.float32)
    flat: NDArray[np.float32] = (
        convolution.windows(torch.from_numpy(pixels.astype(np.float32)), size)
        .flatten(0, 1)
        .numpy()
    )
    return flat[np.isfinite(flat).all(axis=1)]
