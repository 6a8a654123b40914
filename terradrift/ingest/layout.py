"""Where a scene's pixels lie: by the file's header, or by the item's projection fields."""

from dataclasses import dataclass

import pystac
from shapely.geometry.base import BaseGeometry

from terradrift.errors import SourceError
from terradrift.ingest.assets import Json, proj_code
from terradrift.ingest.filters import stated_ground
from terradrift.ingest.header import Transform, is_remote, read_header

_FAR_DEGREES = 1.0


@dataclass(frozen=True, slots=True)
class Layout:
    """Where the finest band's pixels lie."""

    crs: str
    transform: Transform
    shape: tuple[int, int]


def layout_of(asset: Json, item: pystac.Item) -> Layout:
    """The layout of an asset: its file's where that is local, else as the item states it.

    Raises:
        SourceError: no CRS with an EPSG code, or not the one that the item states.
    """
    said = item.properties
    crs = proj_code(asset) or proj_code(said)
    holder = asset if "proj:transform" in asset and "proj:shape" in asset else said
    transform, shape = holder.get("proj:transform"), holder.get("proj:shape")
    if is_remote(asset["href"]) and crs and transform and shape:
        return Layout(crs, tuple(transform[:6]), (int(shape[0]), int(shape[1])))
    header = read_header(asset["href"])
    if header.crs is None:
        raise SourceError(
            f"expected a CRS with an EPSG code in {asset['href']}, got none; "
            "assign one with gdal_edit.py -a_srs EPSG:n"
        )
    if crs is not None and crs != header.crs:
        raise SourceError(
            f"item states {crs}, but {asset['href']} is in {header.crs}; correct one of them"
        )
    return Layout(header.crs, header.transform, header.shape)


def check_place(outline: BaseGeometry, item: pystac.Item) -> None:
    """Raise `SourceError` for a raster that lies far from where its item says."""
    stated = stated_ground(item)
    if stated is None or stated.is_empty or outline.distance(stated) <= _FAR_DEGREES:
        return
    here, there = outline.centroid, stated.centroid
    raise SourceError(
        f"raster lies at {here.x:.2f},{here.y:.2f} degrees, but the item's geometry at "
        f"{there.x:.2f},{there.y:.2f}; the CRS of the file or the geometry is wrong"
    )
