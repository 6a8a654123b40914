"""Items of STAC APIs and of static catalogues, one after the other."""

from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any

import pystac

from terradrift.errors import SourceError
from terradrift.ingest.filters import Box, Filters
from terradrift.ingest.stated import broken

_PAGE = 100
_ROOTS = ("catalog.json", "collection.json")
_BROKEN = (
    pystac.STACError,
    pystac.STACTypeError,
    OSError,
    ValueError,
    KeyError,
    TypeError,
    AttributeError,
)


def root_of(folder: Path) -> Path | None:
    """The catalogue or collection file that lies in `folder`, or None."""
    return next((folder / name for name in _ROOTS if (folder / name).is_file()), None)


def read_items(href: str, filters: Filters) -> Iterator[pystac.Item]:
    """Items of the API, catalogue, collection, item or item collection at `href`.

    An API is asked for what `filters` want; whatever comes is still to be filtered.

    Raises:
        SourceError: what is there is no STAC, or a part of it cannot be read.
    """
    from terradrift.ingest.json_io import JsonIO

    reader = JsonIO()
    try:
        whole = reader.read_json(href)
    except _BROKEN as error:
        raise _not_stac(href, error) from error
    if not isinstance(whole, dict):
        raise _not_stac(href, TypeError("the JSON there is no object"))
    kind = whole.get("type")
    if kind == "FeatureCollection":
        yield from _collected(whole, href)
    elif _searchable(whole):
        yield from _search(href, filters)
    else:
        yield from _static(href, filters, reader)


def _searchable(landing: dict[str, Any]) -> bool:
    classes = landing.get("conformsTo") or []
    return any("item-search" in str(name) for name in classes)


def _search(url: str, filters: Filters) -> Iterator[pystac.Item]:
    from pystac_client import Client
    from pystac_client.exceptions import APIError

    seen: set[tuple[str | None, str]] = set()
    try:
        client = Client.open(url)
        for box in _boxes(filters):
            search = client.search(
                bbox=box,
                datetime=None if filters.period is None else filters.period.stac(),
                collections=list(filters.collections) or None,
                limit=_PAGE,
            )
            for found in search.items_as_dicts():
                key = (found.get("collection"), str(found.get("id")))
                if key not in seen:
                    seen.add(key)
                    yield _item(found)
    except (APIError, *_BROKEN) as error:
        raise SourceError(
            f"STAC API at {url} does not answer: {_line(error)}"
        ) from error


def _static(
    href: str, filters: Filters, reader: pystac.StacIO
) -> Iterator[pystac.Item]:
    try:
        root = pystac.read_file(href, stac_io=reader)
    except _BROKEN as error:
        raise _not_stac(href, error) from error
    if isinstance(root, pystac.Item):
        yield root
    elif isinstance(root, pystac.Catalog):
        yield from _walk(root, filters)


def _walk(
    catalog: pystac.Catalog, filters: Filters, above: tuple[str | None, ...] = ()
) -> Iterator[pystac.Item]:
    """Items of a catalogue and of those below it; links back to `above` are not followed."""
    above = (*above, catalog.get_self_href())
    collection = catalog.id if isinstance(catalog, pystac.Collection) else None
    wanted = not filters.collections or collection in (None, *filters.collections)
    for link in catalog.get_item_links() if wanted else ():
        item = _linked(link, catalog)
        item.collection_id = item.collection_id or collection
        yield item
    for link in catalog.get_child_links():
        href = link.get_absolute_href() or link.href
        if href in above:
            continue
        try:
            child = link.resolve_stac_object(root=catalog.get_root()).target
        except _BROKEN as error:
            raise _not_stac(href, error) from error
        if isinstance(child, pystac.Catalog):
            yield from _walk(child, filters, above)


def _linked(link: pystac.Link, catalog: pystac.Catalog) -> pystac.Item:
    """The item behind a link; one that says so where it cannot be read."""
    href = link.get_absolute_href() or link.href
    try:
        item = link.resolve_stac_object(root=catalog.get_root()).target
    except _BROKEN as error:
        return broken(PurePosixPath(href).stem, str(_not_stac(href, error)))
    if not isinstance(item, pystac.Item):
        return broken(PurePosixPath(href).stem, f"expected an item at {href}")
    return item


def _boxes(filters: Filters) -> list[Box | None]:
    return [*filters.boxes()] or [None]


def _item(found: dict[str, Any], href: str | None = None) -> pystac.Item:
    try:
        return pystac.Item.from_dict(found, href=href)
    except _BROKEN as error:
        name = str(found.get("id", "without id"))
        return broken(
            name, f"expected a STAC item, got one that is not: {_line(error)}"
        )


def _collected(whole: dict[str, Any], href: str) -> Iterator[pystac.Item]:
    for feature in whole.get("features", []):
        yield _item(feature, href)


def _not_stac(href: str, error: Exception) -> SourceError:
    return SourceError(
        f"expected a STAC API, catalogue, collection or item at {href}, got none: {_line(error)}"
    )


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
