"""Which model made published Major TOM vectors, as metadata that keeps them apart (pure)."""

import re
from collections.abc import Iterable

from terradrift.errors import SchemaError

REVISION = "Major TOM, as published"
_BY_LENGTH = {
    2048: "ssl4eo",
    768: "dinov2",
    1152: "siglip",
}
LEVEL_1C, OTHER = "Sentinel-2 Level-1C", "other products"
_PRODUCT = re.compile(r"S([12])[A-Z]_(?:MSI(L1C|L2A))?")
_LEVELS = {"L1C": " Level-1C", "L2A": " Level-2A"}
_BATCH = "batch statistics were fixed"
_UNKNOWN = f"of baseline 04.00 was taken off, and whether {_BATCH}"
_KNOWN = {
    "ssl4eo-s2l1c": (
        "B01 B02 B03 B04 B05 B06 B07 B08 B8A B09 B10 B11 B12",
        "Level-1C digital numbers / 10000, not clipped, 224 px; not known whether the offset "
        + _UNKNOWN,
    ),
    "ssl4eo-s1rtc": (
        "VV VH",
        "decibels, mean - 2 sd to mean + 2 sd onto 0 to 1, 224 px; not known whether "
        + _BATCH,
    ),
    "dinov2-s2rgb": (
        "B04 B03 B02",
        "2.5 x digital numbers / 10000, clipped to 0 to 1; 224 px; mean of all tokens",
    ),
    "siglip-s2rgb": (
        "B04 B03 B02",
        "2.5 x digital numbers / 10000, clipped to 0 to 1; 384 px",
    ),
}
"""Published set to its bands and what is known of its preprocessing."""


def identity(
    dimensions: int, products: Iterable[str], asked: str | None, where: str
) -> dict[str, str]:
    """Metadata that names the model of published vectors; its weights are not known.

    Args:
        dimensions: of a vector.
        products: identifiers of all products that they are of, such as S2A_MSIL1C_...
        asked: a name to give them; None: by length and product.
        where: the file, for messages.

    Raises:
        SchemaError: products of several sensors or levels, which no one model has read, or
            vectors of no published set without a name for them.
    """
    kinds = sorted({kind(product) for product in products})
    if len(kinds) != 1:
        raise SchemaError(
            f"{where} holds vectors of {' and of '.join(kinds)}, which are of different "
            "models; split the file by product_id"
        )
    found = asked or _told(dimensions, kinds[0])
    if found is None:
        known = ", ".join(f"{n} ({name})" for n, name in sorted(_BY_LENGTH.items()))
        of = f", none of {kinds[0]} with" if dimensions in _BY_LENGTH else ", not"
        raise SchemaError(
            f"{where} holds vectors of {dimensions} numbers, and published sets have "
            f"{known}{of} {dimensions}; pass --model to name what made them"
        )
    key = found.removeprefix("major-tom-").lower()
    # Of a model that is not known the products at least keep two of one name apart.
    bands, preprocessing = _KNOWN.get(key, ("unknown", f"unknown, of {kinds[0]}"))
    return {
        "model": f"major-tom-{key}",
        "revision": REVISION,
        "weights_sha256": "unknown",
        "bands": bands,
        "preprocessing": preprocessing,
        "quantization": "float16",
    }


def kind(product: str) -> str:
    """Sensor and level of a product, by its identifier."""
    found = _PRODUCT.match(product.upper())
    if found is None:
        return OTHER
    level = _LEVELS.get(found[2] or "", "")
    return f"Sentinel-{found[1]}{level if found[1] == '2' else ''}"


def _told(dimensions: int, of: str) -> str | None:
    base = _BY_LENGTH.get(dimensions)
    if base is None:
        return None
    if base == "ssl4eo":
        return {"Sentinel-1": f"{base}-s1rtc", LEVEL_1C: f"{base}-s2l1c"}.get(of)
    return f"{base}-s2rgb" if of.startswith("Sentinel-2") else None
