"""Items of STAC APIs and of static catalogues, one after the other."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pystac
from pystac.stac_io import StacIO

from terradrift.errors import SourceError
from terradrift.ingest.filters import Filters

_PAGE = 100
_ROOTS = ("catalog.json", "collection.json")
_BROKEN = (pystac.STACError, OSError, ValueError, KeyError, TypeError)


def root_of(folder: Path) -> Path | None:
    """The catalogue or collection file that lies in `folder`, or None."""
    return next((folder / name for name in _ROOTS if (folder / name).is_file()), None)


def read_items(href: str, filters: Filters) -> Iterator[pystac.Item]:
    """Items of the API, catalogue, collection, item or item collection at `href`.

    An API is asked for what `filters` want; whatever comes is still to be filtered.

    Raises:
        SourceError: what is there is no STAC, or a part of it cannot be read.
    """
    try:
        whole = StacIO.default().read_json(href)
    except _BROKEN as error:
        raise _not_stac(href, error) from error
    kind = whole.get("type")
    if kind == "FeatureCollection":
        yield from _collected(whole, href)
    elif _searchable(whole):
        yield from _search(href, filters)
    else:
        yield from _static(href, filters)


def _searchable(landing: dict[str, Any]) -> bool:
    classes = landing.get("conformsTo") or []
    return any("item-search" in str(name) for name in classes)


def _search(url: str, filters: Filters) -> Iterator[pystac.Item]:
    import requests
    from pystac_client import Client
    from pystac_client.exceptions import APIError

    seen: set[tuple[str | None, str]] = set()
    try:
        client = Client.open(url)
        for box in filters.boxes() or [None]:
            search = client.search(
                bbox=box,
                datetime=None if filters.period is None else filters.period.stac(),
                collections=list(filters.collections) or None,
                limit=_PAGE,
            )
            for item in search.items():
                key = (item.collection_id, item.id)
                if key not in seen:
                    seen.add(key)
                    yield item
    except (APIError, requests.RequestException, *_BROKEN) as error:
        raise SourceError(
            f"STAC API at {url} does not answer: {_line(error)}"
        ) from error


def _static(href: str, filters: Filters) -> Iterator[pystac.Item]:
    try:
        root = pystac.read_file(href)
    except _BROKEN as error:
        raise _not_stac(href, error) from error
    if isinstance(root, pystac.Item):
        yield root
    elif isinstance(root, pystac.Catalog):
        yield from _walk(root, filters)


def _walk(catalog: pystac.Catalog, filters: Filters) -> Iterator[pystac.Item]:
    collection = catalog.id if isinstance(catalog, pystac.Collection) else None
    wanted = not filters.collections or collection in (None, *filters.collections)
    try:
        if wanted:
            for item in catalog.get_items():
                item.collection_id = item.collection_id or collection
                yield item
        for child in catalog.get_children():
            yield from _walk(child, filters)
    except SourceError:
        raise
    except _BROKEN as error:
        raise SourceError(
            f"catalogue {catalog.get_self_href()}: an item or child cannot be read: {_line(error)}"
        ) from error


def _collected(whole: dict[str, Any], href: str) -> Iterator[pystac.Item]:
    for feature in whole.get("features", []):
        try:
            yield pystac.Item.from_dict(feature, href=href)
        except _BROKEN as error:
            raise _not_stac(href, error) from error


def _not_stac(href: str, error: Exception) -> SourceError:
    return SourceError(
        f"expected a STAC API, catalogue, collection or item at {href}, got none: {_line(error)}"
    )


def _line(error: Exception) -> str:
    return " ".join(str(error).split()) or type(error).__name__
