"""Opening what may be anything: regular files only, JSON of bounded size and depth."""

import json
import os
import stat
from pathlib import Path
from typing import Any, NoReturn

from terradrift.conform.finding import Findings, named

JSON_BYTES = 16 << 20
JSON_DEPTH = 64
ENTRIES = 100_000
"""Files and folders of one folder that are looked at."""
STORE = frozenset({"zarr.json", ".zgroup", ".zarray"})
"""Names of files that make a folder a Zarr store."""


def regular(path: Path, found: Findings, where: str) -> bool:
    """Whether `path` is a file that can be read to its end; says so where it is not."""
    try:
        mode = path.stat().st_mode
        if stat.S_ISREG(mode):
            with path.open("rb"):
                return True
        what = "a folder" if stat.S_ISDIR(mode) else "a pipe or device"
    except (OSError, ValueError, RuntimeError) as error:
        what = getattr(error, "strerror", None) or str(error)
    found.error("file", where, "a file that can be read", what.lower(), "see the path")
    return False


def document(path: Path, found: Findings, where: str) -> Any:  # noqa: ANN401 - JSON
    """The JSON in a file; None, with a finding, where there is none."""
    if not regular(path, found, where):
        return None
    with path.open("rb") as file:
        data = file.read(JSON_BYTES + 1)
    return parsed(data, found, where)


def parsed(data: bytes, found: Findings, where: str) -> Any:  # noqa: ANN401 - JSON
    """JSON of at most `JSON_BYTES` and `JSON_DEPTH`; None, with a finding, otherwise."""
    if len(data) > JSON_BYTES:
        found.error(
            "json.size",
            where,
            f"at most {JSON_BYTES >> 20} MiB of JSON",
            f"{len(data):,} bytes or more",
            "keep metadata small; put tables into files of their own",
        )
        return None
    twice: list[str] = []

    def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
        held = dict(items)
        if len(held) < len(items):
            keys = [key for key, _ in items]
            twice.extend(key for key in held if keys.count(key) > 1)
        return held

    try:
        value = json.loads(
            data.decode(), object_pairs_hook=pairs, parse_constant=_no_constant
        )
    except RecursionError:
        _deep(found, where)
        return None
    except ValueError as error:
        what = str(error) if len(str(error)) < 200 else f"{str(error)[:200]}..."
        found.error(
            "json", where, "JSON in UTF-8", what, "write it again with a JSON library"
        )
        return None
    if twice:
        found.error(
            "json.twice",
            where,
            "every key of an object once",
            f"{named(twice[0])} twice",
            "keep one of them; readers differ in which they take",
            "RFC 8259, 4",
        )
    if not _shallow(value):
        _deep(found, where)
        return None
    return value


def _deep(found: Findings, where: str) -> None:
    found.error(
        "json.depth",
        where,
        f"JSON at most {JSON_DEPTH} levels deep",
        "more",
        "flatten it; no specification nests so deep",
    )


def _no_constant(word: str) -> NoReturn:
    raise ValueError(f"{word}, which is no JSON")


def _shallow(value: object) -> bool:
    level: list[object] = [value]
    for _ in range(JSON_DEPTH):
        level = [
            below
            for one in level
            if isinstance(one, dict | list)
            for below in (one.values() if isinstance(one, dict) else one)
        ]
        if not level:
            return True
    return False


def below(folder: Path, found: Findings) -> tuple[list[Path], list[Path]]:
    """All regular files below a folder, sorted, and the Zarr stores, not looked into.

    Links to folders are not followed. Hidden files and folders, and those whose names begin
    with an underscore, are left out as engines do.
    """
    held: list[Path] = []
    stores: list[Path] = []
    seen = 0
    for root, folders, names in os.walk(folder):
        at = Path(root)
        if STORE & set(names):
            stores.append(at)
            folders.clear()
            continue
        for name in [one for one in folders if (at / one).is_symlink()]:
            found.note("folder.link", named(str(at / name)), "a link, not followed")
        folders[:] = sorted(one for one in folders if not one.startswith((".", "_")))
        seen += len(folders) + len(names)
        if seen > ENTRIES:
            found.warning(
                "folder.size",
                named(str(folder)),
                f"at most {ENTRIES:,} files and folders",
                "more",
                "check parts of it; the rest was not looked at",
            )
            break
        held += [
            at / name
            for name in sorted(names)
            if not name.startswith((".", "_")) and (at / name).is_file()
        ]
    return held, stores
