"""Stacks of pixels with noise and clouds for tests of detectors on pixels."""

import numpy as np

from terradrift.stack import Stack


def noisy(  # noqa: PLR0917 - a builder of test data
    frames: int,
    bands: int,
    side_px: int,
    seed: int = 0,
    cloud: float = 0.3,
    noise: float = 0.02,
    patch_px: int = 8,
    halo_px: int = 0,
) -> Stack:
    """Ground that does not change but for noise; `cloud` of all pixels are not clear."""
    random = np.random.default_rng(seed)
    ground = random.uniform(0.05, 0.35, (bands, side_px, side_px))
    shape = (frames, bands, side_px, side_px)
    pixels = (ground + noise * random.standard_normal(shape)).astype(np.float32)
    hidden = random.random((frames, 1, side_px, side_px)) < cloud
    pixels[np.broadcast_to(hidden, shape)] = np.nan
    across = (side_px - 2 * halo_px) // patch_px
    rows, cols = (axis.ravel() for axis in np.mgrid[:across, :across])
    n = len(rows)
    days = np.datetime64("2019-03-01") + 10 * np.arange(frames)
    return Stack(
        tile="32631_80m_0_0",
        epsg=32631,
        corner=(500_000.0, 5_000_000.0),
        gsd=10.0,
        bands=tuple(f"b{number}" for number in range(bands)),
        wavelengths=np.full(bands, np.nan, np.float32),
        level="L2A",
        days=days,
        pixels=pixels,
        halo_px=halo_px,
        patch_px=patch_px,
        patch_ids=np.array(
            [f"32631_80m_{c}_{100 - r}" for r, c in zip(rows, cols, strict=True)]
        ),
        rows=rows.astype(np.int32),
        cols=cols.astype(np.int32),
        times=np.repeat(days.astype("datetime64[us]")[:, None], n, axis=1),
        scenes=np.full((frames, n), "scene"),
        clear_percent=np.full((frames, n), 100 * (1 - cloud), np.float32),
    )
