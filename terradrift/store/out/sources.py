"""What the rows of an export came from: their scenes and the runs that embedded them."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from terradrift.store.out.links import address, of_scene
from terradrift.store.tables import Store

_REMOTE = ("http://", "https://", "s3://", "gs://")
"""Links that hold on another machine; paths of this one say nothing there."""


@dataclass(frozen=True, slots=True)
class Scene:
    """What an export tells of one scene."""

    href: str
    """Its STAC item, or a URN of its id."""
    baseline: str | None
    """Processing baseline, as the scene states it."""


@dataclass(frozen=True, slots=True)
class Embedded:
    """One run of `embed`."""

    ended: datetime | None
    parameters: Mapping[str, Any]
    versions: Mapping[str, str]
    device: str


@dataclass(frozen=True, slots=True)
class Sources:
    """All scenes and runs of an archive, and the collections of its scenes."""

    scenes: Mapping[str, Scene]
    runs: Mapping[str, Embedded]
    collections: tuple[str, ...]
    links: tuple[str, ...]
    """Links to the collections, where scenes' items have any."""


def sources(store: Store) -> Sources:
    """Read `scenes` and `runs`; a table that is not there has none."""
    scenes: dict[str, Scene] = {}
    names: set[str] = set()
    links: set[str] = set()
    columns = ["scene_id", "collection", "processing_baseline", "stac_item"]
    for batch in store.scan("scenes", columns) if store.exists("scenes") else ():
        for row in batch.to_pylist():
            item = json.loads(row["stac_item"]) if row["stac_item"] else {}
            own = _linked(item, "self")
            scenes[row["scene_id"]] = Scene(
                own[0] if own else of_scene(row["scene_id"]),
                row["processing_baseline"],
            )
            links |= set(_linked(item, "collection"))
            names |= {row["collection"]} - {None, ""}
    return Sources(scenes, _runs(store), tuple(sorted(names)), tuple(sorted(links)))


def _linked(item: Mapping[str, Any], rel: str) -> list[str]:
    return [
        address(link["href"])
        for link in item.get("links", [])
        if link.get("rel") == rel and link.get("href", "").startswith(_REMOTE)
    ]


def _runs(store: Store) -> dict[str, Embedded]:
    if not store.exists("runs"):
        return {}
    columns = ["run_id", "ended", "parameters", "versions", "device"]
    return {
        row["run_id"]: Embedded(
            row["ended"],
            json.loads(row["parameters"] or "{}"),
            json.loads(row["versions"] or "{}"),
            row["device"] or "",
        )
        for batch in store.scan("runs", columns, filter="verb = 'embed'")
        for row in batch.to_pylist()
    }
