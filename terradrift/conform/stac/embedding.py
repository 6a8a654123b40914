"""The STAC Embedding extension v0.0.1 on one document."""

from typing import Any

from terradrift.conform import by_schema
from terradrift.conform.finding import Findings, short

IDENTIFIER = "https://stac-extensions.github.io/embeddings/v0.0.1/schema.json"
SPEC = "STAC Embedding extension v0.0.1"
_MEDIA = {
    "application/vnd.apache.parquet": (".parquet", ".gpq", ".geoparquet"),
    "application/x-parquet": (".parquet",),
    "image/tiff": (".tif", ".tiff"),
    "application/vnd.zarr": (".zarr", "zarr.json"),
    "application/vnd+zarr": (".zarr", "zarr.json"),
}


def declared(value: dict[str, Any]) -> bool:
    """Whether the document says that it follows the extension."""
    return IDENTIFIER in (value.get("stac_extensions") or [])


def check(value: dict[str, Any], found: Findings, where: str) -> bool:
    """Findings of an item or a collection; whether it follows the extension."""
    kind = value.get("type")
    fields = value.get("properties") if kind == "Feature" else value
    used = isinstance(fields, dict) and any(name.startswith("emb:") for name in fields)
    used = used or any(_rel(link).startswith("emb:") for link in _links(value))
    if not declared(value):
        if used:
            found.error(
                "emb.stac_extensions",
                f"{where}#stac_extensions",
                IDENTIFIER,
                short(value.get("stac_extensions")),
                "declare the extension whose fields are used",
                f"{SPEC}; STAC 1.1.0, stac_extensions",
            )
        return used
    if kind == "Feature":
        _item(value, found, where)
    elif kind == "Collection":
        _collection(value, found, where)
    else:
        found.error(
            "emb.scope",
            where,
            "the extension on items and collections",
            f"it on a {short(kind)}",
            "remove it from stac_extensions",
            f"{SPEC}, Scope",
        )
    return True


def _item(item: dict[str, Any], found: Findings, where: str) -> None:
    schema = by_schema.schema("stac_embedding_item")
    properties = item.get("properties")
    by_schema.against(schema, properties, found, f"{where}#properties", "emb", SPEC)
    assets = item.get("assets")
    if not isinstance(assets, dict):
        return
    if "embeddings" not in assets:
        alike = [key for key in assets if "embed" in key.lower()]
        found.error(
            "emb.embeddings",
            f"{where}#assets",
            "an asset with the key embeddings",
            ", ".join(map(short, alike or list(assets)[:5])) or "none",
            "call the asset of the vectors embeddings (plural)",
            f"{SPEC}, Asset Fields",
        )
    _assets(assets, found, f"{where}#assets")


def _collection(collection: dict[str, Any], found: Findings, where: str) -> None:
    schema = by_schema.schema("stac_embedding_collection")
    by_schema.against(schema, collection, found, where, "emb", SPEC)
    rels = [_rel(link) for link in _links(collection)]
    for rel, what in (
        ("emb:model", "the encoder model"),
        ("emb:source-data", "the source data"),
    ):
        if rel not in rels:
            found.error(
                rel.replace(":", "."),
                f"{where}#links",
                f"a link of relation {rel} to {what}",
                "none",
                "add it",
                f"{SPEC}, Relation Types",
            )
    for key in ("assets", "item_assets"):
        if isinstance(collection.get(key), dict):
            _assets(collection[key], found, f"{where}#{key}")
    if "embeddings" not in (collection.get("item_assets") or {}):
        found.warning(
            "emb.item_assets",
            f"{where}#item_assets",
            "an entry embeddings in item_assets",
            "none",
            "describe there what the asset of each item is",
            f"{SPEC}, Asset Fields",
        )
    if collection.get("emb:type") == "chip" and "emb:chip_layout" not in collection:
        found.note(
            "emb.chip_layout", where, "no emb:chip_layout: how chips lie is not known"
        )


def _assets(assets: dict[str, Any], found: Findings, where: str) -> None:
    for key, asset in assets.items():
        if not isinstance(asset, dict):
            continue
        wrong = [name for name in asset if name.startswith("emb:")]
        if wrong:
            found.error(
                "emb.asset",
                f"{where}.{key[:80]}",
                "no fields of the extension on assets",
                ", ".join(map(short, wrong)),
                "put them on the item or the collection",
                f"{SPEC}, Asset Fields",
            )
        media = str(asset.get("type", "")).partition(";")[0].strip()
        href = str(asset.get("href", ""))
        if href and media in _MEDIA and not href.rstrip("/").endswith(_MEDIA[media]):
            found.warning(
                "stac.media_type",
                f"{where}.{key[:80]}.type",
                f"the media type of {short(href)}",
                short(media),
                "mend type",
                "STAC 1.1.0, Asset Media Type",
            )


def _links(value: dict[str, Any]) -> list[dict[str, Any]]:
    links = value.get("links")
    held = links if isinstance(links, list) else []
    return [one for one in held if isinstance(one, dict)]


def _rel(link: dict[str, Any]) -> str:
    return str(link.get("rel", ""))
