"""Maps of one event as Cloud-Optimised GeoTIFF, on the pixels of its monitored image."""

import warnings
from collections.abc import Mapping
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from rasterio.errors import NotGeoreferencedWarning
from rasterio.io import MemoryFile
from rasterio.transform import Affine

from terradrift.evaluate import whole
from terradrift.ingest.events.event import Event

_BLOCK_PX = 512


def write(
    folder: Path, event: Event, maps: Mapping[str, Mapping[str, NDArray[np.generic]]]
) -> list[Path]:
    """Write `folder/EVENT/NAME.tif` for each name, its bands by name; gives the paths.

    Each appears whole or not at all. A map lies where the image does, in any CRS; of an
    image that does not say where it lies the map does not either.
    """
    return whole.write(
        {
            folder / event.name / f"{name}.tif": _cog(event, bands)
            for name, bands in maps.items()
        }
    )


def _cog(event: Event, bands: Mapping[str, NDArray[np.generic]]) -> bytes:
    pixels = np.stack([each.astype(np.float32) for each in bands.values()])
    _, height, width = pixels.shape
    placed = (
        {}
        if event.frame is None
        else {"crs": event.frame.crs, "transform": Affine(*event.frame.transform)}
    )
    with MemoryFile() as memory, warnings.catch_warnings():
        warnings.simplefilter("ignore", NotGeoreferencedWarning)
        with memory.open(
            driver="COG",
            count=len(pixels),
            height=height,
            width=width,
            dtype="float32",
            nodata=np.nan,
            compress="DEFLATE",
            predictor="YES",
            blocksize=_BLOCK_PX,
            overview_resampling="AVERAGE",
            **placed,
        ) as file:
            file.write(pixels)
            for number, name in enumerate(bands, start=1):
                file.set_band_description(number, name)
        content: bytes = memory.read()
    return content
