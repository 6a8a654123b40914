"""A raster and its overviews as one virtual raster of GDAL, with what its bands mean."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree as ET

import rasterio

from terradrift.store.out.colours import OKABE_ITO

_TYPES = {"float32": "Float32", "uint8": "Byte", "uint16": "UInt16"}


@dataclass(frozen=True, slots=True)
class Band:
    """What one band holds."""

    name: str
    unit: str
    meaning: str


def virtual(
    levels: Sequence[Path],
    bands: Sequence[Band],
    names: Sequence[tuple[int, str]] | None,
) -> str:
    """A virtual raster of the first level, with the others as its overviews."""
    with rasterio.open(levels[0]) as file:
        width, height, dtype = file.width, file.height, file.dtypes[0]
        nodata, crs = file.nodata, file.crs.to_wkt()
        transform = file.transform.to_gdal()
    root = ET.Element("VRTDataset", rasterXSize=str(width), rasterYSize=str(height))
    ET.SubElement(root, "SRS").text = crs
    ET.SubElement(root, "GeoTransform").text = ", ".join(map(repr, transform))
    tags = ET.SubElement(root, "Metadata")
    ET.SubElement(tags, "MDI", key="AREA_OR_POINT").text = "Area"
    for number, band in enumerate(bands, start=1):
        one = ET.SubElement(
            root, "VRTRasterBand", dataType=_TYPES[dtype], band=str(number)
        )
        ET.SubElement(one, "Description").text = band.name
        about = ET.SubElement(one, "Metadata")
        ET.SubElement(about, "MDI", key="MEANING").text = band.meaning
        ET.SubElement(one, "UnitType").text = band.unit
        ET.SubElement(one, "NoDataValue").text = repr(nodata)
        if names is not None:
            _classes(one, about, names, int(nodata))
        source = ET.SubElement(one, "SimpleSource")
        _source(source, levels[0], number)
        for level in levels[1:]:
            _source(ET.SubElement(one, "Overview"), level, number)
    return ET.tostring(root, encoding="unicode")


def _source(parent: ET.Element, path: Path, band: int) -> None:
    ET.SubElement(parent, "SourceFilename", relativeToVRT="0").text = str(
        path.resolve()
    )
    ET.SubElement(parent, "SourceBand").text = str(band)


def _classes(
    band: ET.Element, about: ET.Element, names: Sequence[tuple[int, str]], nodata: int
) -> None:
    """The colour table, and the classes' names."""
    ET.SubElement(band, "ColorInterp").text = "Palette"
    colours = {
        number: OKABE_ITO[at % len(OKABE_ITO)] for at, (number, _) in enumerate(names)
    }
    table = ET.SubElement(band, "ColorTable")
    for value in range(nodata + 1):
        text = colours.get(value, "#000000")
        red, green, blue = (str(int(text[at : at + 2], 16)) for at in (1, 3, 5))
        shown = "255" if value in colours else "0"
        ET.SubElement(table, "Entry", c1=red, c2=green, c3=blue, c4=shown)
    for number, name in names:
        ET.SubElement(about, "MDI", key=f"CLASS_{number}").text = name
