"""What makes a correct file slow to read: row groups, compression, indexes, order, vectors."""

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray
from pyarrow import parquet

from terradrift.conform.finding import Findings, named

GOOD = "geoembeddings.org, best practices; GeoParquet, distributing guide"
_GROUP_BYTES = (1 << 20, 300 << 20)
_LARGE_FILE = 128 << 20
_MANY_ROWS = 10_000
_SCATTERED = 0.5
"""Mean step from row to row over that between random rows; Hilbert order has a few hundredths."""


def layout(file: parquet.ParquetFile, found: Findings, where: str) -> None:
    """Row groups, compression and page indexes, by the footer alone."""
    held = file.metadata
    if held.num_rows == 0:
        found.note("parquet.empty", where, "the file has no rows")
        return
    groups = [held.row_group(i) for i in range(held.num_row_groups)]
    sizes = [
        sum(one.column(c).total_compressed_size for c in range(one.num_columns))
        for one in groups
    ]
    small, large = _GROUP_BYTES
    if max(sizes) > large:
        found.warning(
            "parquet.row_groups",
            where,
            f"row groups of at most {large >> 20} MB",
            f"one of {max(sizes) >> 20:,} MB",
            "write 16 to 128 MB each: one row costs the whole group's column",
            GOOD,
        )
    elif sum(sizes) > _LARGE_FILE and np.mean(sizes) < small:
        found.warning(
            "parquet.row_groups",
            where,
            f"row groups of at least {small >> 20} MB in a large file",
            f"{len(sizes):,} of {np.mean(sizes) / 1024:.0f} kB on average",
            "write 16 to 128 MB each: every group costs a request",
            GOOD,
        )
    columns = [one.column(c) for one in groups for c in range(one.num_columns)]
    codecs = {one.compression for one in columns}
    if codecs == {"UNCOMPRESSED"}:
        found.warning(
            "parquet.compression",
            where,
            "compressed columns (ZSTD)",
            "none",
            "write with compression='zstd'",
            GOOD,
        )
    elif "ZSTD" not in codecs:
        found.note(
            "parquet.compression",
            where,
            f"compressed by {', '.join(sorted(codecs))}; ZSTD is smaller",
        )
    if held.num_rows > _MANY_ROWS and not any(one.has_offset_index for one in columns):
        found.warning(
            "parquet.page_index",
            where,
            "a page index, by which readers fetch single pages",
            "none",
            "write with write_page_index=True (pyarrow)",
            GOOD,
        )


def vectors(held: pa.Schema, found: Findings, where: str) -> None:
    """Columns of embeddings: fixed in size, and not wider than they need be."""
    for one in held:
        kind, at = one.type, f"{where}#{named(one.name)}"
        listed = pa.types.is_list(kind) or pa.types.is_large_list(kind)
        fixed = pa.types.is_fixed_size_list(kind)
        if not (listed or fixed):
            continue
        value = kind.value_type
        numeric = pa.types.is_floating(value) or pa.types.is_integer(value)
        if not numeric or (listed and not one.name.startswith("embedding")):
            continue
        if listed:
            found.warning(
                "vectors.size",
                at,
                "a list of fixed size, as all vectors have one length",
                f"{kind}",
                "write pa.list_(type, dimensions); readers then map it to an array",
                GOOD,
            )
        if value == pa.float64():
            found.warning(
                "vectors.width",
                at,
                "float16, float32 or int8",
                "double",
                "cast to float32: models give no more digits",
                GOOD,
            )
        if one.name == "embeddings":
            found.warning(
                "vectors.name",
                at,
                "embedding (singular), as published tables name it",
                "embeddings",
                "rename the column; only the STAC asset is called embeddings",
                GOOD,
            )


def order(centres: list[NDArray[np.float64]], found: Findings, where: str) -> None:
    """Whether rows that follow one another lie near one another."""
    if sum(map(len, centres)) < _MANY_ROWS:
        return
    steps = np.concatenate(
        [np.abs(np.diff(one, axis=0)).sum(axis=1) for one in centres]
    )
    points = np.concatenate(centres)
    other = np.random.default_rng(0).permutation(len(points))
    apart = np.abs(points - points[other]).sum(axis=1).mean()
    if apart > 0 and steps.mean() > _SCATTERED * apart:
        found.warning(
            "parquet.order",
            where,
            "rows that follow one another to lie near one another",
            f"steps of {steps.mean() / apart:.0%} of the way between random rows",
            "sort along a Hilbert curve (gpio sort hilbert)",
            GOOD,
        )
