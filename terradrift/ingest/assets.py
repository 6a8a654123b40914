"""Which assets of an item hold bands, and which its mask (pure: metadata in, rows out)."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from terradrift.chip import BANDS
from terradrift.errors import SourceError
from terradrift.ingest.bands import canonical, micrometres, number
from terradrift.ingest.footprint import pixel_metres

Json = Mapping[str, Any]

_NO_BAND_ROLES = {
    "thumbnail",
    "overview",
    "visual",
    "metadata",
    "preview",
    "data-mask",
    "cloud",
    "cloud-shadow",
    "snow-ice",
    "water-mask",
    "saturation",
}
_PICTURE = re.compile(
    r"(visual|tci|true[-_]?colou?r|preview|thumbnail|overview|rendered_preview|browse|"
    r"quicklook|product|safe)([-_]|$)",
    re.IGNORECASE,
)
_ANCILLARY = re.compile(
    r"(scl|aot|wvp|cld|snw|cloud|snow|clp|clm|fmask|classification|datamask|"
    r"data_?mask|mask|qa|pixel_qa|bqa|qa_\w+|sr_qa\w*|st_\w+|atran|cdist|drad|emis|emsd|trad|urad|"
    r"sza|saa|vza|vaa|solar_\w+|view_\w+|angles?)([-_]\d+m)?(-jp2)?$",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Band:
    """One band of one asset, as the metadata describe it; None where they are silent."""

    name: str
    """Canonical, or `mask:scl` and the like."""
    label: str
    asset: str
    index: int
    """From 1."""
    wavelength: float | None = None
    """um."""
    scale: float | None = None
    offset: float | None = None
    nodata: float | None = None
    data_type: str | None = None
    unit: str | None = None
    pixel: float = float("inf")
    """Metres."""


def is_raster(asset: Json) -> bool:
    """Whether the asset is a raster file that can hold bands (by type, else by name)."""
    kind = str(asset.get("type") or "").lower()
    if kind:
        return any(word in kind for word in ("tiff", "jp2", "vrt", "raster"))
    path = str(asset.get("href", "")).split("?")[0].lower()
    return path.endswith((".tif", ".tiff", ".jp2", ".vrt"))


def is_image(key: str, asset: Json) -> bool:
    """Whether the asset may hold measured bands: no picture, mask or ancillary layer."""
    roles = {str(role).lower() for role in asset.get("roles") or ()}
    if roles & _NO_BAND_ROLES and "reflectance" not in roles:
        return False
    return is_raster(asset) and not _PICTURE.match(key) and not _ANCILLARY.match(key)


def described(key: str, asset: Json, properties: Json, sensor: str) -> list[Band]:
    """The bands that the asset's metadata name, in file order; empty where they name none.

    Reads `bands` (STAC 1.1), `eo:bands` and `raster:bands`; a single band without a name
    has the asset's key where that is a band's name.

    Raises:
        SourceError: the lists are not of one length.
    """
    lists = [asset.get(name) or [] for name in ("bands", "eo:bands", "raster:bands")]
    sizes = {len(entries) for entries in lists if entries}
    if len(sizes) > 1:
        raise SourceError(
            f"asset {key}: expected one entry per band in bands, eo:bands and raster:bands, "
            f"got {', '.join(str(len(entries)) for entries in lists)}"
        )
    count = sizes.pop() if sizes else 1
    pixel = pixel_size(asset, properties)
    found = []
    for position in range(count):
        said = {
            field.removeprefix("eo:").removeprefix("raster:"): value
            for entries in (asset, *(e[position] for e in lists if e))
            for field, value in entries.items()
            if value is not None
        }
        label = _label(key, [e[position] for e in lists if e], one=count == 1)
        if label is None:
            return []
        found.append(_band(key, label, position + 1, said, sensor=sensor, pixel=pixel))
    return found


def _label(key: str, stated: Sequence[Json], *, one: bool) -> str | None:
    names = [entry.get("name") or entry.get("description") for entry in stated]
    label = next((str(name) for name in names if name), None)
    if label is None and one and (number(key) or canonical(key) in BANDS):
        return key
    return label


def _band(
    asset: str, label: str, index: int, said: Json, *, sensor: str, pixel: float
) -> Band:
    wavelength = micrometres(said.get("center_wavelength"))
    return Band(
        name=canonical(label, said.get("common_name"), wavelength, sensor),
        label=label,
        asset=asset,
        index=index,
        wavelength=wavelength,
        scale=number_of(said.get("scale")),
        offset=number_of(said.get("offset")),
        nodata=number_of(said.get("nodata")),
        data_type=said.get("data_type"),
        unit=said.get("unit"),
        pixel=pixel,
    )


def from_names(
    key: str, asset: Json, names: Sequence[str | None], properties: Json, sensor: str
) -> list[Band]:
    """The bands of a file that names them in its band descriptions, all or none."""
    if not all(names):
        return []
    pixel = pixel_size(asset, properties)
    return [
        _band(key, str(name), index, asset, sensor=sensor, pixel=pixel)
        for index, name in enumerate(names, 1)
    ]


def pixel_size(asset: Json, properties: Json) -> float:
    """Metres per pixel of an asset; infinite where nothing is stated.

    The asset's transform counts more than its `gsd`: catalogues give the 20 m copy of a
    10 m band the `gsd` of the band.
    """
    crs = proj_code(asset) or proj_code(properties)
    entries = [*(asset.get("raster:bands") or []), *(asset.get("bands") or [])]
    gsd = next(
        (e["gsd"] for e in (asset, *entries) if number_of(e.get("gsd")) is not None),
        None,
    )
    if asset.get("proj:transform") and crs:
        return pixel_metres(crs, tuple(asset["proj:transform"][:6]), number_of(gsd))
    for entry in (asset, *entries):
        for field in ("raster:spatial_resolution", "spatial_resolution"):
            if number_of(entry.get(field)):
                return float(entry[field])
    if gsd is not None:
        return float(gsd)
    stated = number_of(properties.get("gsd"))
    if properties.get("proj:transform") and crs:
        return pixel_metres(crs, tuple(properties["proj:transform"][:6]), stated)
    return stated or float("inf")


def proj_code(said: Json) -> str | None:
    """`EPSG:n` of `proj:code` or `proj:epsg`, or None."""
    code = said.get("proj:code")
    if code:
        return str(code)
    epsg = said.get("proj:epsg")
    return f"EPSG:{epsg}" if epsg else None


def choose(bands: Sequence[Band], assets: Mapping[str, Json]) -> list[Band]:
    """One band per name: the finest, then GeoTIFF before JPEG 2000, then by asset key.

    Raises:
        SourceError: one asset holds two bands of one name, so neither can be meant.
    """
    best: dict[str, Band] = {}
    for band in bands:
        other = best.get(band.name)
        if other is not None and other.asset == band.asset:
            raise SourceError(
                f"asset {band.asset}: bands {other.index} ({other.label}) and {band.index} "
                f"({band.label}) are both {band.name}; state common_name or "
                "center_wavelength to tell them apart"
            )
        if other is None or rank(band, assets) < rank(other, assets):
            best[band.name] = band
    return list(best.values())


def rank(band: Band, assets: Mapping[str, Json]) -> tuple[float, bool, str]:
    """Which of several copies of a band is the better one: the lower."""
    asset = assets[band.asset]
    text = f"{asset.get('type') or ''} {asset.get('href')}".lower()
    return band.pixel, "jp2" in text, band.asset


def number_of(value: object) -> float | None:
    """A stated number; `"nan"` is how JSON says it."""
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, int | float):
        return float(value)
    text = str(value).lower()
    return float(text) if text in ("nan", "inf", "-inf") else None
