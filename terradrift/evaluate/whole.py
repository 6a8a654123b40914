"""Files that appear whole or not at all."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def write(parts: Mapping[Path, bytes]) -> list[Path]:
    """Write contents by path, each whole or not at all; makes folders, gives the paths."""
    for path, content in parts.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f".{path.name}.partial")
        partial.write_bytes(content)
        partial.replace(path)
    return list(parts)


def write_page(
    path: Path, name: str, page: str, record: Mapping[str, Any]
) -> list[Path]:
    """Write a page, or into a folder the page and its figures as JSON; gives the paths.

    Raises:
        ValueError: as `page_files`.
    """
    text = (json.dumps(record, indent=1) + "\n").encode()
    return write(dict(zip(page_files(path, name), (page.encode(), text), strict=False)))


def page_files(path: Path, name: str) -> list[Path]:
    """What `write_page` writes: the page itself, or `name`.md and `name`.json in a folder.

    Raises:
        ValueError: a file that does not end in .md.
    """
    if path.suffix not in ("", ".md"):
        raise ValueError(f"expected a page (.md) or a folder, got {path}")
    return [path] if path.suffix else [path / f"{name}.md", path / f"{name}.json"]
