"""What pixels of a product stand for, and which model made them (pure).

AlphaEarth: 64 bands of int8, -128 where there is nothing; (v / 127.5)^2 with the sign of v;
every vector has length 1 (Brown and others 2025; the dataset's own page). TESSERA: 128 values
of int8 times one float32 scale per pixel, NaN or 0 where there is nothing (Feng and others
2025; geotessera). Anything else: floats as they are.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terradrift.errors import SchemaError

ALPHAEARTH, TESSERA, RASTER = "alphaearth", "tessera", "raster"
NAMES = (ALPHAEARTH, TESSERA, RASTER)
_NOTHING = -128
_TESSERA = 128
_SIGNED = np.arange(256, dtype=np.uint8).view(np.int8).astype(np.float32) / np.float32(
    127.5
)
_SQUARES = np.abs(_SIGNED) * _SIGNED
"""What a byte stands for, by its bits."""
_AXES = tuple(f"A{number:02}" for number in range(64))


@dataclass(frozen=True, slots=True, kw_only=True)
class Product:
    """How pixels are read."""

    name: str
    bands: int
    unit: bool
    """Whether a vector has length 1, and a patch's mean is brought back to it."""
    squared: bool
    """Whether bytes stand for signed squares."""
    scaled: bool
    """Whether a scale per pixel lies beside."""
    nodata: float | None
    """A pixel without a vector has it in any band; where it is 0, in all of them."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Seen:
    """What a file shows of itself."""

    bands: int
    dtype: str
    nodata: float | None
    described: Sequence[str | None]
    """Names of the bands."""
    named: bool
    """Whether tags or its name are those of TESSERA."""
    scales: bool
    """Whether a raster of scales lies beside."""


def recognised(seen: Seen) -> str:
    """Which product a raster is of; of numbers alone none is taken for one."""
    if seen.bands == len(_AXES) and (
        tuple(seen.described) == _AXES
        or (seen.dtype == "int8" and seen.nodata == _NOTHING)
    ):
        return ALPHAEARTH
    if seen.bands == _TESSERA and (seen.named or seen.scales):
        return TESSERA
    return RASTER


def product(name: str, seen: Seen, where: str) -> Product:
    """How a raster of a product is read.

    Raises:
        SchemaError: bands or numbers that the product does not have.
    """
    bands, dtype, scales = seen.bands, seen.dtype, seen.scales
    floats = dtype in ("float16", "float32", "float64")
    if name == ALPHAEARTH and bands != len(_AXES):
        raise SchemaError(f"expected 64 bands of AlphaEarth, {where} has {bands}")
    if name == TESSERA and bands != _TESSERA:
        raise SchemaError(f"expected 128 bands of TESSERA, {where} has {bands}")
    if name == TESSERA and not floats and not scales:
        raise SchemaError(
            f"{where} has bytes, and no scales beside it to make vectors of them: expected "
            "NAME_scales.npy or NAME_scales.tif"
        )
    if not floats and (name == RASTER or dtype != "int8"):
        raise SchemaError(
            f"expected floats, or the int8 of AlphaEarth or TESSERA, {where} has {dtype}; "
            "turn its numbers into floats, or say which with --form"
        )
    squared = name == ALPHAEARTH and not floats
    return Product(
        name=name,
        bands=bands,
        unit=name == ALPHAEARTH,
        squared=squared,
        scaled=scales and not floats,
        nodata=_NOTHING if squared else seen.nodata,
    )


def vectors(
    product: Product, numbers: NDArray[np.generic], scale: NDArray[np.floating] | None
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    """(d, ...) vectors of stored numbers (d, ...), and (...) which pixels have one.

    Args:
        product: of the raster.
        numbers: as stored.
        scale: (...) or (d, ...), of TESSERA's bytes; None: none.
    """
    if product.squared:
        good = (numbers != _NOTHING).all(axis=0)
        found = _SQUARES.take(numbers.view(np.uint8))
    else:
        found = numbers.astype(np.float32)
        good = np.isfinite(found).all(axis=0)
        if product.nodata is not None and not np.isnan(product.nodata):
            # Of many bands one is 0 by chance, while no other number is.
            there = numbers != product.nodata
            good &= there.any(axis=0) if product.nodata == 0 else there.all(axis=0)
        if product.scaled and scale is not None:
            found = found * scale.astype(np.float32)
            good &= np.isfinite(found).all(axis=0)
    good &= (found != 0).any(axis=0)
    found[:, ~good] = 0
    return found, good


def identity(
    product: Product, tags: Mapping[str, str], asked: str | None, where: str
) -> dict[str, str]:
    """Metadata that names the model of a raster's vectors; its weights are not known.

    Args:
        product: of the raster.
        tags: of the file.
        asked: a name to give them.
        where: the file, for messages.

    Raises:
        SchemaError: nothing tells what made them, and no name was given.
    """
    version = next(
        (
            tags[key]
            for key in (
                "MODEL_VERSION",
                "TESSERA_VERSION",
                "TESSERA_MODEL_VERSION",
                "MODEL",
            )
            if tags.get(key)
        ),
        "",
    )
    given = {ALPHAEARTH: "alphaearth", TESSERA: "tessera"}.get(product.name)
    name = asked or given or version
    if not name:
        raise SchemaError(
            f"{where} does not say which model made its {product.bands} bands; pass --model"
        )
    how = {
        ALPHAEARTH: "(v / 127.5)^2 sign(v)"
        if product.squared
        else "floats as published",
        TESSERA: "int8 times scale" if product.scaled else "floats as published",
        RASTER: "floats as they are",
    }[product.name]
    mean = "mean of pixels" + (", made of length 1" if product.unit else "")
    return {
        "model": name.lower(),
        "revision": " ".join(filter(None, (product.name, version, "as published"))),
        "weights_sha256": "unknown",
        "bands": "unknown",
        "preprocessing": f"{how}; {mean} of a patch",
        "quantization": "float16",
    }
