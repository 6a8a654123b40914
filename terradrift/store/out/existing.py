"""What lies where an export is to go: it is not lost by chance."""

import json
import os
from collections.abc import Callable, Iterator
from pathlib import Path

from terradrift.errors import ArchiveError
from terradrift.store.out import geoemb

MANIFEST = "_manifest.json"
"""What an exported folder says of itself; readers of data skip names with a `_` first."""
COLLECTION = "collection.json"
ITEMS = "items"
"""Folder of the STAC items of a collection."""

_ZARR = "zarr.json"


def free(target: Path, *, folder: bool, overwrite: bool) -> None:
    """See that `target` may be written.

    What is there is replaced with `overwrite` alone, and a folder only where an export
    wrote every file in it.

    Raises:
        ArchiveError: it may not; the message says what to do.
    """
    if not target.parent.is_dir():
        raise ArchiveError(
            f"cannot write {target}: No such file or directory; make the folder first"
        )
    if not os.path.lexists(target):
        return
    if folder and target.is_symlink():
        raise ArchiveError(
            f"expected a folder to write, {target} is a link; choose another name"
        )
    if target.is_dir() != folder:
        there, wanted = ("folder", "file") if target.is_dir() else ("file", "folder")
        raise ArchiveError(
            f"expected a {wanted} to write, {target} is a {there}; choose another name"
        )
    if not folder:
        if not overwrite:
            raise ArchiveError(
                f"{target} is there already; choose another name, or pass --overwrite to "
                "replace it"
            )
        return
    if not any(target.iterdir()):
        return
    stranger = next(_strangers(target), None)
    if stranger is not None:
        raise ArchiveError(
            f"{target} holds files that no export wrote, such as {stranger}; move them "
            "away, or choose another name"
        )
    if not overwrite:
        raise ArchiveError(
            f"{target} holds an export already; pass --overwrite to replace it"
        )


def _strangers(folder: Path) -> Iterator[str]:
    """Names of files that an export did not write into its folder; of others, all."""
    is_ours = _ours(folder)
    for root, folders, files in os.walk(folder):
        links = [one for one in folders if Path(root, one).is_symlink()]
        for name in sorted([*files, *links]):
            path = Path(root, name).relative_to(folder).as_posix()
            if not is_ours(path):
                yield path


def _ours(folder: Path) -> Callable[[str], bool]:
    """Whether the export that wrote `folder` wrote a path in it; never where none did."""
    try:
        if (folder / MANIFEST).is_file():
            return set(_listed(folder)).__contains__
        if (folder / _ZARR).is_file():
            root = json.loads((folder / _ZARR).read_bytes())
            if geoemb.MODEL in root["attributes"]:
                return lambda path: geoemb.FILES.fullmatch(path) is not None
    except (ValueError, LookupError, TypeError):  # another file of that name
        pass
    return lambda _path: False


def _listed(folder: Path) -> Iterator[str]:
    """Paths that a manifest names, line by line: there may be millions."""
    with (folder / MANIFEST).open(encoding="utf-8") as file:
        head = json.loads(f"{file.readline()}]}}")
        if "terradrift" not in head:
            return
        yield MANIFEST
        is_stac = head["form"] == "stac"
        if is_stac:
            yield COLLECTION
        for line in file:
            text = line.strip().removesuffix(",")
            if text == "]}":
                return
            entry = json.loads(text)
            yield entry["path"]
            if is_stac:
                yield f"{ITEMS}/{entry['item']}.json"
