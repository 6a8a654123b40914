"""Objects of known place and size in an image (pure).

Either a share of the ground turns into another material s, which stays in the range of real
reflectance: x' = (1 - amplitude * mask) * x + amplitude * mask * s. Or a spectral direction u
is added, of root mean square 1 over the bands, that no material has: x' = x + amplitude * mask * u.
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
_DIRECTION = "direction"
_SMOOTH = 0.2
"""Of the logarithm of wavelength, over which a random direction hardly turns."""


@dataclass(frozen=True, slots=True, eq=False)
class Planted:
    """One object."""

    mask: NDArray[np.float32]
    """(y, x), 0..1, share of each pixel that is inside."""
    amplitude: float
    """Of a material: 0..1, share of the ground that turned. Of a direction: reflectance."""
    target: str
    """A material, or `direction N`: the N-th random one."""
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
    materials: bool,
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
        target = (
            TARGETS[random.integers(len(TARGETS))]
            if materials
            else f"{_DIRECTION} {random.integers(2**31)}"
        )
        placed.append(Planted(np.where(free, mask, 0), amplitude, target, shape))
        taken |= ndimage.binary_dilation(inside, iterations=max(1, gap_px))
    return placed


def paint(
    pixels: NDArray[np.float32],
    wavelengths: NDArray[np.floating],
    objects: list[Planted],
) -> NDArray[np.float32]:
    """(band, y, x) pixels with the objects in them; NaN stays.

    Raises:
        ValueError: a band's wavelength is not between 0.4 and 2.4 um.
    """
    out = pixels
    for each in objects:
        share = np.float32(each.amplitude) * each.mask
        if each.target.startswith(_DIRECTION):
            step = direction(each.target, wavelengths)
            out = np.maximum(out + step[:, None, None] * share, np.float32(1e-4))
        else:
            other = material(each.target, wavelengths).astype(np.float32)
            out = out * (1 - share) + other[:, None, None] * share
    return out


def direction(name: str, wavelengths: NDArray[np.floating]) -> NDArray[np.float32]:
    """(band,) a random direction of root mean square 1 that varies slowly with wavelength."""
    random = np.random.default_rng(int(name.removeprefix(_DIRECTION)))
    # Bands beside each other go together, as they do in anything real.
    apart = np.abs(np.subtract.outer(np.log(wavelengths), np.log(wavelengths)))
    drawn = np.linalg.cholesky(
        np.exp(-((apart / _SMOOTH) ** 2)) + 1e-6 * np.eye(len(wavelengths))
    ) @ random.standard_normal(len(wavelengths))
    unit: NDArray[np.float32] = (drawn / np.sqrt(np.mean(drawn**2))).astype(np.float32)
    return unit


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
