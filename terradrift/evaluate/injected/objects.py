"""Objects of known place and size in an image (pure).

x' = x + amplitude * mask * u, where u points from what is there towards another material and
has a root mean square of 1 over the bands, so that the amplitude is a reflectance.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from terradrift.ingest.simulate import spectra

TARGETS = ("soil", "char", "turbid", "paved")
"""What the ground may turn to: bare soil, a burn, muddy water, a paved place."""

_FINE = 4
"""Parts of a pixel's side in which edges are drawn."""
_LEAST_CLEAR = 0.6
"""Share of an object that must be clear."""
_TRIES = 40


@dataclass(frozen=True, slots=True, eq=False)
class Planted:
    """One object."""

    mask: NDArray[np.float32]
    """(y, x), 0..1, share of each pixel that is inside."""
    amplitude: float
    """Root mean square over the bands, reflectance."""
    target: str
    shape: str
    """`disc`, `line` or `polygon`."""

    @property
    def area_px(self) -> float:
        """Pixels."""
        return float(self.mask.sum())


def place(
    free: NDArray[np.bool_],
    count: int,
    amplitudes: tuple[float, float],
    random: np.random.Generator,
    *,
    gap_px: int,
) -> list[Planted]:
    """Up to `count` objects at random places, `gap_px` pixels or more apart.

    Discs of radius 1 to 6 pixels, lines 10 to 30 long and 1 to 3 wide, polygons up to 12
    across; amplitudes log-uniform between `amplitudes`. `free` (y, x) is what is clear.
    """
    taken = np.zeros(free.shape, bool)
    placed: list[Planted] = []
    low, high = np.log(amplitudes)
    for _ in range(_TRIES * count):
        if len(placed) == count:
            break
        shape = ("disc", "line", "polygon")[random.integers(3)]
        mask = _shape(shape, free.shape, random)
        inside = mask > 0
        if not inside.any() or (taken & inside).any():
            continue
        if mask[free].sum() < _LEAST_CLEAR * mask.sum():
            continue
        amplitude = float(np.exp(random.uniform(low, high)))
        target = TARGETS[random.integers(len(TARGETS))]
        placed.append(Planted(np.where(free, mask, 0), amplitude, target, shape))
        taken |= ndimage.binary_dilation(inside, iterations=max(1, gap_px))
    return placed


def paint(
    pixels: NDArray[np.float32],
    wavelengths: NDArray[np.floating],
    objects: list[Planted],
) -> NDArray[np.float32]:
    """(band, y, x) pixels with the objects in them; NaN stays, reflectance stays above 0.

    Raises:
        ValueError: a band's wavelength is not between 0.4 and 2.4 um.
    """
    out = pixels.copy()
    for each in objects:
        inside = (each.mask > 0) & np.isfinite(pixels).all(axis=0)
        if not inside.any():
            continue
        there = np.average(
            pixels[:, inside], axis=1, weights=np.maximum(each.mask[inside], 1e-6)
        )
        step = material(each.target, wavelengths) - there
        unit = step / max(float(np.sqrt(np.mean(step**2))), 1e-6)
        out[:, inside] += np.outer(unit, each.amplitude * each.mask[inside])
    return np.maximum(out, np.float32(1e-4))


def material(name: str, wavelengths: NDArray[np.floating]) -> NDArray[np.float64]:
    """(band,) reflectance of a material, between the bands of Sentinel-2 by wavelength.

    Raises:
        ValueError: a wavelength is not between 0.4 and 2.4 um, or unknown.
    """
    if not np.all((wavelengths >= 0.4) & (wavelengths <= 2.4)):
        raise ValueError(
            "planting changes needs bands of reflected light with wavelengths between "
            f"0.4 and 2.4 um, got {', '.join(f'{w:g}' for w in wavelengths)}"
        )
    known = np.array([um for _, um in spectra.BANDS.values()])
    found: NDArray[np.float64] = np.interp(wavelengths, known, spectra.spectrum(name))
    return found


def _shape(
    shape: str, size: tuple[int, ...], random: np.random.Generator
) -> NDArray[np.float32]:
    """(y, x) mask of a random object; its middle is inside the image."""
    y, x = (
        (np.arange(side * _FINE) + 0.5) / _FINE - random.uniform(0, side)
        for side in size
    )
    y, x = y[:, None], x[None, :]
    if shape == "disc":
        fine = y**2 + x**2 <= random.uniform(1, 6) ** 2
    elif shape == "line":
        fine = _beam(y, x, random.uniform(10, 30), random.uniform(1, 3), random)
    else:
        fine = np.ones((y.size, x.size), bool)
        for angle in np.sort(random.uniform(0, 2 * np.pi, 6)):
            fine &= x * np.cos(angle) + y * np.sin(angle) <= random.uniform(2, 6)
        fine &= y**2 + x**2 <= 36
    rows, cols = size
    parts = fine.reshape(rows, _FINE, cols, _FINE)
    mask: NDArray[np.float32] = parts.mean(axis=(1, 3), dtype=np.float32)
    return mask


def _beam(
    y: NDArray[np.float64],
    x: NDArray[np.float64],
    length: float,
    width: float,
    random: np.random.Generator,
) -> NDArray[np.bool_]:
    angle = random.uniform(0, np.pi)
    along = x * np.cos(angle) + y * np.sin(angle)
    across = y * np.cos(angle) - x * np.sin(angle)
    inside: NDArray[np.bool_] = (np.abs(along) <= length / 2) & (
        np.abs(across) <= width / 2
    )
    return inside
