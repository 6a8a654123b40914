"""Scenes of a source: find them, and make the table that everything after reads."""

from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path

import pyarrow as pa
import pystac

from terradrift import schema
from terradrift.errors import HarmonisationError, SourceError
from terradrift.ingest import folder, stac
from terradrift.ingest.filters import Filters, Options, Skipped
from terradrift.ingest.row import Row, row
from terradrift.ingest.stated import level_of

__all__ = ["Filters", "Options", "Skipped", "find_scenes", "to_table"]


def find_scenes(
    source: str, filters: Filters, options: Options
) -> Iterator[pystac.Item]:
    """Items of a STAC API, a static catalogue (path or URL) or a folder of GeoTIFFs.

    Nothing is read before the first item is asked for.

    Raises:
        SourceError: the source is none of these, cannot be read, or no scene of it matches.
    """
    seen = matched = 0
    for item in _items(source, filters, options):
        seen += 1
        if filters.matches(item):
            matched += 1
            yield item
    if not matched:
        raise SourceError(
            f"expected scenes in {source} that match the filters, got none of {seen}; "
            "widen --bbox, --region-file, --datetime, --collection or --max-cloud"
        )


def to_table(
    items: Iterable[pystac.Item], options: Options, run_id: str
) -> tuple[pa.Table, list[Skipped]]:
    """The `scenes` table, ordered by datetime and id, and the scenes that cannot be used.

    An item that comes twice, the same, counts once.

    Raises:
        HarmonisationError: a scene's digital numbers cannot be turned into reflectance
            safely, or scenes of different processing levels would be mixed.
        SourceError: two scenes have one id.
    """
    rows: dict[str, Row] = {}
    skipped: list[Skipped] = []
    for item in items:
        if options.level is not None and level_of(item) not in (None, options.level):
            continue
        try:
            made = row(item, options, run_id)
        except HarmonisationError:
            raise
        except SourceError as error:
            skipped.append(Skipped(str(item.id), str(error)))
            continue
        _add(rows, made)
    _one_level(rows.values())
    kept = sorted(rows.values(), key=lambda made: (made["datetime"], made["scene_id"]))
    kept, strange = _sharing_bands(kept)
    return pa.Table.from_pylist(kept, schema=schema.scenes()), skipped + strange


def _items(source: str, filters: Filters, options: Options) -> Iterator[pystac.Item]:
    if "://" in source:
        return stac.read_items(source, filters)
    path = Path(source).absolute()
    root = stac.root_of(path) if path.is_dir() else path
    if root is None:
        return folder.read_folder(path, options.pattern)
    if root.suffix.lower() in (".json", ".geojson") and root.is_file():
        return stac.read_items(str(root), filters)
    got = (
        f"{source}, which is no JSON file"
        if root.exists()
        else f"{source}: nothing there"
    )
    raise SourceError(
        "expected a STAC API or catalogue (URL or path), or a folder of GeoTIFFs, got "
        + got
    )


def _add(rows: dict[str, Row], made: Row) -> None:
    before = rows.get(made["scene_id"])
    if before is None:
        rows[made["scene_id"]] = made
    elif before["collection"] != made["collection"]:
        raise SourceError(
            f"scene {made['scene_id']} is in collections {before['collection']} and "
            f"{made['collection']}; pass --collection with one of them"
        )
    elif before["assets"] != made["assets"] or before["datetime"] != made["datetime"]:
        raise SourceError(
            f"expected one scene {made['scene_id']}, got two with different datetimes or "
            "assets; give each its own id"
        )


def _one_level(rows: Iterable[Row]) -> None:
    """Refuse a mix of top-of-atmosphere and surface reflectance of one constellation."""
    levels: dict[str, dict[str, str]] = {}
    for made in rows:
        if made["processing_level"]:
            known = levels.setdefault(str(made["constellation"]), {})
            known.setdefault(made["processing_level"], made["scene_id"])
    for known in levels.values():
        if len(known) > 1:
            names = ", ".join(f"{level} ({scene})" for level, scene in known.items())
            raise HarmonisationError(
                f"expected scenes of one processing level, got {names}; pass --level or --collection"
            )


def _sharing_bands(rows: list[Row]) -> tuple[list[Row], list[Skipped]]:
    """Rows that share a band with the most frequent set of bands, and the others."""
    if not rows:
        return [], []
    ((usual, _),) = Counter(tuple(made["bands"]) for made in rows).most_common(1)
    kept = [made for made in rows if set(made["bands"]) & set(usual)]
    strange = [
        Skipped(
            made["scene_id"],
            f"expected at least one band of {', '.join(usual)}, got {', '.join(made['bands'])}",
        )
        for made in rows
        if not set(made["bands"]) & set(usual)
    ]
    return kept, strange
