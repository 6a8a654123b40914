"""From one document to all that it links to on this disk; remote links are not followed."""

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import unquote, urlsplit

from terradrift.conform.finding import Findings, line, named, short
from terradrift.conform.plain import document
from terradrift.conform.stac import core, embedding

DOCUMENTS = 20_000
_FOLLOWED = ("item", "child", "collection", "root", "parent")

Asset = Callable[[Path, Findings, str], None]
"""What checks the file of an asset."""


@dataclass(slots=True)
class Walk:
    """What was met so far."""

    found: Findings
    asset: Asset | None
    seen: dict[Path, dict[str, Any] | None] = field(default_factory=dict)
    remote: int = 0
    older: int = 0
    """Documents of an earlier version of STAC, which are checked as the newest."""
    plain: int = 0
    """Documents that do not declare the Embedding extension."""
    files: set[Path] = field(default_factory=set)
    """Files of assets that were met."""

    def where(self, path: Path) -> str:
        """How a path is named in findings."""
        return named(os.path.normpath(path))


def check(path: Path, found: Findings, asset: Asset | None = None) -> Walk:
    """The document at `path` and those below it; `asset` checks the files of assets."""
    walk = Walk(found, asset)
    waiting = [path]
    while waiting:
        at = waiting.pop()
        real = at.resolve() if at.exists() else at
        if real in walk.seen:
            continue
        if len(walk.seen) >= DOCUMENTS:
            found.warning(
                "stac.size",
                walk.where(path),
                f"at most {DOCUMENTS:,} documents",
                "more",
                "check its parts; the rest was not looked at",
            )
            break
        waiting += _one(at, real, walk)
    if walk.remote:
        found.note(
            "stac.remote",
            walk.where(path),
            f"{walk.remote:,} links and assets elsewhere were not followed",
        )
    if walk.older:
        found.note(
            "stac.version",
            walk.where(path),
            f"{walk.older:,} documents are of STAC {' or '.join(core.OLDER)}; they were "
            f"checked by the schemas of {core.VERSION}",
        )
    if walk.plain:
        found.note(
            "emb.none",
            walk.where(path),
            f"{walk.plain:,} documents do not declare the Embedding extension; they were "
            "checked as STAC",
        )
    return walk


def _one(at: Path, real: Path, walk: Walk) -> list[Path]:
    """Check one document; those it links to."""
    where = walk.where(at)
    value = document(at, walk.found, where)
    walk.seen[real] = value if isinstance(value, dict) else None
    if value is None:
        return []
    if not isinstance(value, dict):
        walk.found.error("stac.type", where, "a JSON object", short(value), "write one")
        return []
    if value.get("type") == "FeatureCollection":
        features = value.get("features")
        for i, one in enumerate(features if isinstance(features, list) else []):
            if isinstance(one, dict):
                _document(one, walk, f"{where}#features[{i}]", at)
        return []
    return _document(value, walk, where, at)


def _document(value: dict[str, Any], walk: Walk, where: str, at: Path) -> list[Path]:
    walk.older += value.get("stac_version") in core.OLDER
    good = core.check(value, walk.found, where)
    used = embedding.check(value, walk.found, where)
    if good and not used and value.get("type") != "Catalog":
        walk.plain += 1
    links = value.get("links")
    onward = []
    for i, link in enumerate(links if isinstance(links, list) else []):
        if not isinstance(link, dict) or link.get("rel") not in _FOLLOWED:
            continue
        target = local(link.get("href"), at, walk, f"{where}#links[{i}]")
        if target is None:
            continue
        if not target.is_file():
            rel = short(link.get("rel"))
            walk.found.error(
                "stac.link",
                f"{where}#links[{i}]",
                f"a document behind the link {rel}",
                f"none at {short(link.get('href'))}",
                "write it, or mend href",
                "STAC 1.1.0, Link Object",
            )
        else:
            onward.append(target)
    if value.get("type") == "Feature":
        _assets(value, walk, where, at)
    return onward


def _assets(item: dict[str, Any], walk: Walk, where: str, at: Path) -> None:
    assets = item.get("assets")
    for key, asset in assets.items() if isinstance(assets, dict) else ():
        if not isinstance(asset, dict):
            continue
        target = local(asset.get("href"), at, walk, f"{where}#assets.{key[:80]}")
        if target is None:
            continue
        if not target.exists():
            walk.found.error(
                "stac.asset",
                f"{where}#assets.{key[:80]}",
                "a file behind the asset",
                f"none at {short(asset.get('href'))}",
                "write it, or mend href",
                "STAC 1.1.0, Asset Object",
            )
            continue
        real = target.resolve()
        if walk.asset is not None and real not in walk.files:
            walk.files.add(real)
            walk.asset(target, walk.found, walk.where(target))


def local(href: object, at: Path, walk: Walk, where: str) -> Path | None:
    """The path that a link means; None, and told, where it is none or leads elsewhere."""
    try:
        path = meant(href, at)
    except (ValueError, OSError) as error:
        walk.found.error(
            "stac.href",
            where,
            "a path or an address",
            f"{short(href)} ({line(error)})",
            "mend href",
            "STAC 1.1.0, href; RFC 3986",
        )
        return None
    walk.remote += path is None and isinstance(href, str) and bool(href)
    return path


def meant(href: object, at: Path) -> Path | None:
    """The path that a link in the document `at` means; None: it is none, or elsewhere.

    A name as it stands and a percent-encoded one are both found in catalogues.

    Raises:
        OSError, ValueError: a link that can be neither a path nor an address.
    """
    if not isinstance(href, str) or not href:
        return None
    if "\0" in href:
        raise ValueError("a null byte")
    parts = urlsplit(href)
    if parts.scheme not in ("", "file"):
        return None
    stands, other = Path(at.parent, href), Path(at.parent, unquote(parts.path))
    return stands if stands.exists() and not other.exists() else other
