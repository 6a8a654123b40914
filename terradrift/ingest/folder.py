"""A folder of GeoTIFFs as items: dates and bands from the files' metadata, or from names.

Nothing is guessed: a file's date is in its tags, or a pattern says where in the name.
"""

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pystac
import shapely

from terradrift.errors import SourceError
from terradrift.ingest.footprint import bounds, footprint
from terradrift.ingest.header import Header, read_header
from terradrift.ingest.pattern import Pattern
from terradrift.ingest.stated import broken

DATE_TAGS = (
    "datetime",
    "acquisition_datetime",
    "acquisitiondatetime",
    "acquisition_date",
    "date_acquired",
    "sensing_time",
    "product_start_time",
    "tifftag_datetime",
)
"""Tags that date a file, in lower case; the first one present counts."""

_DATE_FORMS = ("%Y:%m:%d %H:%M:%S", "%Y:%m:%d", "%Y%m%d", "%Y%m%dT%H%M%S")
_PROPERTY_TAGS = {
    "platform": "platform",
    "spacecraft_name": "platform",
    "datatake_1_spacecraft_name": "platform",
    "constellation": "constellation",
    "processing_level": "processing:level",
    "processing:level": "processing:level",
    "processing_baseline": "s2:processing_baseline",
    "s2:processing_baseline": "s2:processing_baseline",
    "product_uri": "s2:product_uri",
}
_FIELDS = {
    "platform": "platform",
    "constellation": "constellation",
    "level": "processing:level",
    "baseline": "s2:processing_baseline",
}
"""Fields of a pattern that say something about the scene, by STAC property."""
_CLOUD_TAGS = ("eo:cloud_cover", "cloud_cover", "cloud_coverage_assessment")
_TIFF = (".tif", ".tiff")


def files_of(folder: Path) -> list[Path]:
    """All GeoTIFFs under `folder`, in order of their paths; hidden ones left out."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in _TIFF
        and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def read_folder(folder: Path, pattern: str | None) -> Iterator[pystac.Item]:
    """One item per scene of `folder`: per file, or per group of files that `pattern` makes.

    A file that cannot be opened gives an item that says so.

    Raises:
        SourceError: no files, files without a date, or files that do not fit the pattern.
        ValueError: the pattern cannot be read.
    """
    files = files_of(folder)
    if not files:
        raise SourceError(
            f"expected GeoTIFFs (.tif, .tiff) or catalog.json in {folder}, got none"
        )
    if pattern is None:
        for path in files:
            yield _from_tags(path, folder)
        return
    for scene_id, fields, members in Pattern.parse(pattern).scenes(files, folder):
        yield _from_names(scene_id, fields, members)


def _from_tags(path: Path, folder: Path) -> pystac.Item:
    scene_id = "_".join(path.relative_to(folder).with_suffix("").parts)
    try:
        header = read_header(str(path))
    except SourceError as error:
        return broken(scene_id, str(error))
    tags = {key.lower(): value for key, value in header.tags.items()}
    when, tag = _date(path, tags)
    properties: dict[str, Any] = {
        name: tags[key] for key, name in _PROPERTY_TAGS.items() if key in tags
    }
    for key in _CLOUD_TAGS:
        if key in tags and _is_number(tags[key]):
            properties["eo:cloud_cover"] = float(tags[key])
            break
    properties["terradrift:datetime"] = f"tag {tag}"
    assets = {"image": _asset(path, header, names=header.names)}
    return _item(scene_id, when, properties, assets, tags.get("collection"))


def _from_names(
    scene_id: str, fields: dict[str, Any], members: dict[str | None, Path]
) -> pystac.Item:
    assets: dict[str, dict[str, Any]] = {}
    for band, path in members.items():
        try:
            header = read_header(str(path))
        except SourceError as error:
            return broken(scene_id, str(error))
        if band is not None and len(header.names) != 1:
            return broken(
                scene_id,
                f"expected one band in {path}, as the pattern names a band, got {len(header.names)}",
            )
        names = header.names if band is None else (band,)
        assets[band or "image"] = _asset(path, header, names=names)
    properties = {
        name: fields[field] for field, name in _FIELDS.items() if field in fields
    }
    properties["terradrift:datetime"] = "file name"
    return _item(
        scene_id, fields["datetime"], properties, assets, fields.get("collection")
    )


def _item(
    scene_id: str,
    when: datetime,
    properties: dict[str, Any],
    assets: dict[str, dict[str, Any]],
    collection: str | None,
) -> pystac.Item:
    geometry, bbox = _place(next(iter(assets.values())))
    item = pystac.Item(
        id=scene_id,
        geometry=geometry,
        bbox=bbox,
        datetime=when,
        properties=properties,
        collection=collection,
    )
    for key, asset in assets.items():
        item.add_asset(key, pystac.Asset.from_dict(asset))
    return item


def _asset(path: Path, header: Header, names: tuple[str | None, ...]) -> dict[str, Any]:
    """The file as a STAC asset; scale and offset only where the file states them."""
    bands: list[dict[str, Any]] = []
    for position, name in enumerate(names):
        band: dict[str, Any] = {"data_type": header.dtypes[position]}
        if name:
            band["name"] = name
        scale, offset = header.scales[position], header.offsets[position]
        if (scale, offset) != (1.0, 0.0):
            band |= {"raster:scale": scale, "raster:offset": offset}
        if header.nodata is not None:
            band["nodata"] = header.nodata if header.nodata == header.nodata else "nan"
        bands.append(band)
    asset: dict[str, Any] = {
        "href": str(path.absolute()),
        "type": "image/tiff; application=geotiff",
        "roles": ["data"],
        "bands": bands,
        "proj:shape": list(header.shape),
        "proj:transform": list(header.transform),
    }
    return asset if header.crs is None else asset | {"proj:code": header.crs}


def _place(asset: dict[str, Any]) -> tuple[dict[str, Any] | None, list[float] | None]:
    """Footprint and bbox in degrees; None where the CRS does not tell."""
    if "proj:code" not in asset:
        return None, None
    try:
        outline = footprint(
            asset["proj:code"],
            tuple(asset["proj:transform"]),
            tuple(asset["proj:shape"]),
        )
    except SourceError:
        return None, None  # to_table reads the layout again and reports it
    return shapely.geometry.mapping(outline), list(bounds(outline).values())


def _date(path: Path, tags: dict[str, str]) -> tuple[datetime, str]:
    for tag in DATE_TAGS:
        if tags.get(tag):
            return _instant(path, tag, tags[tag]), tag
    raise SourceError(
        f"expected a date in the tags of {path} ({', '.join(DATE_TAGS).upper()}), got none; "
        "write one, or pass --pattern such as '{collection}_{datetime:%Y%m%d}.tif'"
    )


def _instant(path: Path, tag: str, text: str) -> datetime:
    for form in _DATE_FORMS:
        try:
            return datetime.strptime(text.strip(), form).replace(tzinfo=UTC)
        except ValueError:
            continue
    try:
        when = datetime.fromisoformat(text.strip())
    except ValueError as error:
        raise SourceError(
            f"expected a date such as 2018-05-16T10:53:51Z in tag {tag.upper()} of {path}, "
            f"got {text!r}; correct it, or pass --pattern"
        ) from error
    return when if when.tzinfo else when.replace(tzinfo=UTC)


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
