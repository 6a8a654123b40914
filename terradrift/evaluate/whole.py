"""Files that appear whole or not at all."""

from collections.abc import Mapping
from pathlib import Path


def write(parts: Mapping[Path, bytes]) -> list[Path]:
    """Write contents by path, each whole or not at all; makes folders, gives the paths."""
    for path, content in parts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.partial")
        partial.write_bytes(content)
        partial.replace(path)
    return list(parts)
