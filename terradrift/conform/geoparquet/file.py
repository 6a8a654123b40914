"""Opening a Parquet file that may be truncated, huge or hostile."""

import struct
from pathlib import Path

import pyarrow as pa
from pyarrow import parquet

from terradrift.conform.finding import Findings, line
from terradrift.conform.plain import regular

FOOTER_BYTES = 64 << 20
_THINGS = 2_000_000
"""Elements of one list in the footer: row groups times columns."""


def opened(path: Path, found: Findings, where: str) -> parquet.ParquetFile | None:
    """The file, footer read; None, with a finding, where it cannot be."""
    if not regular(path, found, where):
        return None
    if (wrong := _ends(path)) is not None:
        expected, came, fix = wrong
        found.error(
            "parquet", where, expected, came, fix, "Apache Parquet, File Format"
        )
        return None
    try:
        return parquet.ParquetFile(
            path,
            thrift_string_size_limit=FOOTER_BYTES,
            thrift_container_size_limit=_THINGS,
        )
    except (pa.ArrowException, OSError, ValueError, MemoryError) as error:
        found.error(
            "parquet",
            where,
            "a Parquet footer",
            line(error),
            "write the file again; it is damaged",
            "Apache Parquet, File Format",
        )
        return None


def _ends(path: Path) -> tuple[str, str, str] | None:
    """What is wrong with the file's two ends: expected, found, fix."""
    size = path.stat().st_size
    again = "copy or write it again; it is truncated or no Parquet"
    with path.open("rb") as file:
        first = file.read(4)
        if size < 12:
            return "a Parquet file", f"{size} bytes", again
        file.seek(size - 8)
        length, last = struct.unpack("<I4s", file.read(8))
    if first == b"PARE" or last == b"PARE":
        return "a file that is not encrypted", "PARE", "write it without encryption"
    if first != b"PAR1" or last != b"PAR1":
        return "PAR1 at both ends", f"{first!r} and {last!r}", again
    if length > size - 12:
        return "a footer within the file", f"one of {length:,} bytes", again
    if length > FOOTER_BYTES:
        return (
            f"a footer of at most {FOOTER_BYTES >> 20} MiB",
            f"{length:,} bytes",
            "write fewer, larger row groups, or several files",
        )
    return None
