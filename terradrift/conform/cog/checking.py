"""One COG: the layout rules that GDAL's own check holds files to, and how it is placed."""

from pathlib import Path

import numpy as np

from terradrift.conform.cog import placed, tiff
from terradrift.conform.cog.tiff import Directory, Tiff
from terradrift.conform.finding import Findings
from terradrift.conform.plain import regular

SPEC = "GDAL, Cloud Optimized GeoTIFF"
_SMALL_PX = 512
_HEAD_BYTES = 300
"""Within which the first directory lies, after what GDAL says of the layout."""


def check(path: Path, found: Findings, where: str) -> None:
    """Every finding of one file."""
    if not regular(path, found, where):
        return
    try:
        held = tiff.read(path)
    except (ValueError, OSError, MemoryError) as error:
        found.error(
            "cog.tiff",
            where,
            "a TIFF",
            str(error),
            "copy or write it again; it is damaged or no TIFF",
            "TIFF 6.0",
        )
        return
    if _within(held, found, where):
        _layout(path, held, found, where)
        placed.check(path, found, where)


def _within(held: Tiff, found: Findings, where: str) -> bool:
    """Whether all blocks lie within the file, as they do not in a truncated one."""
    for number, one in enumerate(held.directories):
        width, height = one.size
        if not (width and height):
            found.error(
                "cog.tiff",
                where,
                "a width and a height",
                f"none in IFD {number}",
                "write it again",
            )
            return False
        offsets, lengths = one.blocks
        most = np.uint64(held.bytes)
        # Neither may pass the end, or their sum would overflow.
        beyond = (offsets > most) | (lengths > most) | (offsets + lengths > most)
        if not len(offsets) or beyond.any():
            found.error(
                "cog.truncated",
                f"{where}#IFD {number}",
                f"all blocks within the file's {held.bytes:,} bytes",
                f"{int(beyond.sum()):,} of {len(offsets):,} beyond"
                if len(offsets)
                else "no blocks",
                "copy or write it again; it is truncated",
                "TIFF 6.0",
            )
            return False
    return True


def _layout(path: Path, held: Tiff, found: Findings, where: str) -> None:
    main = held.directories[0]
    overviews = [one for one in held.directories[1:] if one.reduced and not one.mask]
    width, height = main.size
    large = max(width, height) > _SMALL_PX
    if main.reduced or main.mask:
        found.error(
            "cog.ifd",
            where,
            "the image itself in the first IFD",
            "an overview or a mask",
            "write it with GDAL's driver COG",
            f"{SPEC}, layout",
        )
    if main.offset > held.first + (len(held.ghost) and _HEAD_BYTES):
        found.error(
            "cog.ifd",
            f"{where}#IFD 0",
            f"the first IFD at byte {held.first}, or after the head GDAL writes",
            f"byte {main.offset:,}",
            "write it with GDAL's driver COG; a file changed in place loses this",
            f"{SPEC}, layout",
        )
    if large and not main.tiled:
        found.error(
            "cog.tiled",
            where,
            f"tiles, as the image is larger than {_SMALL_PX} px",
            f"strips over {width} px",
            "write it with GDAL's driver COG",
            f"{SPEC}, layout",
        )
    beside = path.with_name(f"{path.name}.ovr")
    if beside.exists():
        found.error(
            "cog.overviews",
            where,
            "overviews within the file",
            f"them in {beside.name}",
            "write it with GDAL's driver COG",
            f"{SPEC}, layout",
        )
    elif large and not overviews:
        found.warning(
            "cog.overviews",
            where,
            "overviews, as the image is larger than 512 px",
            "none",
            "write it with GDAL's driver COG",
            f"{SPEC}, layout",
        )
    _order([main, *overviews], found, where)


def _order(levels: list[Directory], found: Findings, where: str) -> None:
    """Directories from large to small, then pixels from small to large."""
    for i in range(1, len(levels)):
        before, one = levels[i - 1], levels[i]
        at = f"{where}#overview {i}"
        if one.size[0] > before.size[0] or one.size[1] > before.size[1]:
            found.error(
                "cog.overviews",
                at,
                f"an overview no larger than {before.size[0]} x {before.size[1]} px",
                f"{one.size[0]} x {one.size[1]} px",
                "write overviews from large to small",
                f"{SPEC}, layout",
            )
        if one.offset < before.offset:
            found.error(
                "cog.ifd",
                at,
                "IFDs in the order of overviews",
                "this one before that of the larger image",
                "write it with GDAL's driver COG",
                f"{SPEC}, layout",
            )
        if max(one.size) > _SMALL_PX and not one.tiled:
            found.error(
                "cog.tiled", at, "tiles", "strips", "write it with driver COG", SPEC
            )
        first, small = _first(before), _first(one)
        if first and small and small > first:
            found.error(
                "cog.order",
                at,
                "pixels of overviews before those of the larger image",
                f"byte {small:,} after {first:,}",
                "write it with GDAL's driver COG, not gdaladdo",
                f"{SPEC}, layout",
            )
    last = max((one.offset for one in levels), default=0)
    data = min((one for one in map(_first, levels) if one), default=0)
    if data and last > data:
        found.error(
            "cog.ifd",
            where,
            "all IFDs before the first pixel",
            f"one at byte {last:,}, pixels from {data:,}",
            "write it with GDAL's driver COG",
            f"{SPEC}, layout",
        )


def _first(one: Directory) -> int:
    """Where the first block lies; 0 where all are sparse."""
    offsets, lengths = one.blocks
    real = offsets[(offsets > 0) & (lengths > 0)]
    return int(real.min()) if len(real) else 0
