"""Random fields and hashes on pixel grids (pure)."""

import numpy as np
from numpy.typing import NDArray
from scipy import fft, ndimage

Field = NDArray[np.float32]


def fractal(rng: np.random.Generator, size: int, scale: float, slope: float) -> Field:
    """(size, size) periodic noise of mean 0 and deviation 1.

    Its power falls as frequency ** -slope below wavelengths of `scale` pixels and is flat
    above, so features keep their size whatever the size of the scene.
    """
    white = rng.standard_normal((size, size), dtype=np.float32)
    fy = np.fft.fftfreq(size).astype(np.float32)[:, None]
    fx = np.fft.rfftfreq(size).astype(np.float32)[None, :]
    power = (fy * fy + fx * fx + np.float32(1 / scale) ** 2) ** np.float32(-slope / 4)
    spectrum = fft.rfft2(white)
    spectrum *= power
    spectrum[0, 0] = 0
    field: Field = fft.irfft2(spectrum, s=(size, size)).astype(np.float32)
    field /= max(float(field.std()), 1e-12)
    return field


def coarse_fractal(
    rng: np.random.Generator, size: int, scale: float, slope: float, factor: int
) -> Field:
    """As `fractal`, made at 1/factor of the resolution and interpolated: smooth fields."""
    small = -(-size // factor)
    field = fractal(rng, small, max(scale / factor, 2.0), slope)
    return enlarge(field, factor, size)


def enlarge(field: Field, factor: int, size: int) -> Field:
    """(size, size) bilinear enlargement of a periodic field."""
    out = field
    for axis in (0, 1):
        at = np.arange(size, dtype=np.float32) / np.float32(factor)
        low = at.astype(np.int32)
        weight = at - low
        high = (low + 1) % out.shape[axis]
        weight = weight[:, None] if axis == 0 else weight[None, :]
        a, b = np.take(out, low, axis), np.take(out, high, axis)
        b -= a
        b *= weight
        b += a
        out = b
    return out


def curve(rng: np.random.Generator, size: int, scale: float) -> NDArray[np.float64]:
    """(size,) smooth line of mean 0 and deviation 1, bends about `scale` pixels long."""
    padded = rng.standard_normal(size + 8 * int(scale) + 8)
    smooth = ndimage.gaussian_filter1d(padded, scale / 2)[
        4 * int(scale) : 4 * int(scale) + size
    ]
    return np.asarray(
        (smooth - smooth.mean()) / max(float(smooth.std()), 1e-12), np.float64
    )


def scatter(*keys: NDArray[np.int64] | int) -> NDArray[np.float64]:
    """Numbers in 0..1 that look random and depend on the integer keys only."""
    state = np.uint64(0x9E3779B97F4A7C15)
    mixed: NDArray[np.uint64] | np.uint64 = state
    with np.errstate(over="ignore"):
        for key in keys:
            word = np.asarray(key).astype(np.int64).astype(np.uint64)
            mixed = (mixed ^ word) * np.uint64(0xBF58476D1CE4E5B9)
            mixed ^= mixed >> np.uint64(29)
            mixed *= np.uint64(0x94D049BB133111EB)
            mixed ^= mixed >> np.uint64(32)
    return np.asarray(mixed >> np.uint64(11)).astype(np.float64) / 2.0**53


def ramp(values: Field, low: float, high: float) -> Field:
    """0 below `low`, 1 above `high`, smooth between."""
    t = (values - np.float32(low)) * np.float32(1 / (high - low))
    np.clip(t, 0, 1, out=t)
    out: Field = t * t * (3 - 2 * t)
    return out
