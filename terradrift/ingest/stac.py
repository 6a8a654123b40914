"""Items of STAC APIs and of static catalogues, one after the other."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any
from urllib.parse import urljoin

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
    links = {link.get("rel"): link for link in whole.get("links") or []}
    if whole.get("type") == "FeatureCollection":
        yield from _collected(whole, href, reader)
    elif _searchable(whole):
        yield from _search(href, filters)
    elif whole.get("type") == "Collection" and "items" in links:
        # A collection of an API: its items are behind a search, not behind links.
        landing = urljoin(href, str(links.get("root", {}).get("href", "../..")))
        yield from _search(landing, replace(filters, collections=(str(whole["id"]),)))
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
        # The link only says that it does not resolve; its cause says why.
        why = _line(error.__cause__ or error)
        return broken(
            PurePosixPath(href).stem,
            f"expected a STAC item with a datetime at {href}, got: {why}",
        )
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


def _collected(
    whole: dict[str, Any], href: str, reader: pystac.StacIO
) -> Iterator[pystac.Item]:
    """Items of an item collection, and of the pages that it says come next."""
    while True:
        for feature in whole.get("features", []):
            own = any(link.get("rel") == "self" for link in feature.get("links") or [])
            yield _item(feature, None if own else href)
        links = {link.get("rel"): link for link in whole.get("links") or []}
        if "next" not in links:
            return
        if str(links["next"].get("method", "GET")).upper() != "GET":
            raise SourceError(
                f"expected all items, or pages to follow, at {href}, got one page of more; "
                "pass the landing page of the API"
            )
        href = urljoin(href, str(links["next"]["href"]))
        try:
            whole = reader.read_json(href)
        except _BROKEN as error:
            raise _not_stac(href, error) from error


def _not_stac(href: str, error: Exception) -> SourceError:
    return SourceError(
        f"expected a STAC API, catalogue, collection or item at {href}, got none: {_line(error)}"
    )


def _line(error: BaseException) -> str:
    return " ".join(str(error).split()) or type(error).__name__
