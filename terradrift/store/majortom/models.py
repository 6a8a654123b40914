"""Which model made published Major TOM vectors, as metadata that keeps them apart (pure)."""

from terradrift.errors import SchemaError

REVISION = "Major TOM, as published"
_BY_LENGTH = {
    2048: "ssl4eo",
    768: "dinov2",
    1152: "siglip",
}
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
    dimensions: int, product: str, asked: str | None, where: str
) -> dict[str, str]:
    """Metadata that names the model of published vectors; its weights are not known.

    Args:
        dimensions: of a vector.
        product: identifier of a product, such as S2A_MSIL1C_...
        asked: a name to give them; None: by length and product.
        where: the file, for messages.

    Raises:
        SchemaError: the length is that of no published set, and no name is given.
    """
    found = asked or _told(dimensions, product)
    if found is None:
        known = ", ".join(f"{n} ({name})" for n, name in sorted(_BY_LENGTH.items()))
        raise SchemaError(
            f"{where} holds vectors of {dimensions} numbers, and published sets have "
            f"{known}; pass --model to name what made them"
        )
    key = found.removeprefix("major-tom-").lower()
    bands, preprocessing = _KNOWN.get(key, ("unknown", "unknown"))
    return {
        "model": f"major-tom-{key}",
        "revision": REVISION,
        "weights_sha256": "unknown",
        "bands": bands,
        "preprocessing": preprocessing,
        "quantization": "float16",
    }


def _told(dimensions: int, product: str) -> str | None:
    base = _BY_LENGTH.get(dimensions)
    if base is None:
        return None
    if base == "ssl4eo":
        return f"{base}-{'s1rtc' if product.upper().startswith('S1') else 's2l1c'}"
    return f"{base}-s2rgb"
