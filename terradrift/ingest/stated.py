"""What an item states about its sensor, level and baseline, by the many fields in use (pure)."""

import re

import pystac

from terradrift.ingest.bands import sensor

PROBLEM = "terradrift:problem"
"""Property of an item that stands for a scene which cannot be read: why."""

_BASELINE_FIELDS = (
    "s2:processing_baseline",
    "sentinel:processing_baseline",
    "sentinel2:processing_baseline",
)
_LEVEL_FIELDS = ("processing:level", "s2:product_type", "landsat:correction")
_FLAGS = ("earthsearch:boa_offset_applied", "sentinel:boa_offset_applied")


def sensor_of(item: pystac.Item) -> str:
    """Sensor family as in `bands.sensor`; the platform counts most."""
    said = item.properties
    instruments = " ".join(map(str, said.get("instruments") or []))
    return sensor(
        said.get("platform"),
        said.get("constellation"),
        instruments,
        item.collection_id,
        item.id,
    )


def level_of(item: pystac.Item) -> str | None:
    """Processing level such as L1C, L2A or L2SP; None where neither fields nor names tell.

    `L2` counts only where nothing is more exact.
    """
    said = item.properties
    found = []
    for field in _LEVEL_FIELDS:
        match = re.search(r"([12])([A-C]|S[PR]|T[PG])?$", str(said.get(field) or ""))
        if match:
            found.append(f"L{match[0]}")
    for text in (item.collection_id, said.get("s2:product_uri"), item.id):
        match = re.search(
            r"(?:^|[^a-z]|msi)l-?([12][a-c])(?![a-z0-9])", str(text or "").lower()
        )
        if match:
            found.append(f"L{match[1].upper()}")
    exact = [level for level in found if len(level) > 2]
    return next(iter(exact or found), None)


def baseline_of(item: pystac.Item) -> str | None:
    """Sentinel-2 processing baseline as stated, such as `05.09`; else from product names."""
    said = item.properties
    for field in _BASELINE_FIELDS:
        if said.get(field) is not None:
            return str(said[field])
    version = str(said.get("processing:version") or "")
    if re.fullmatch(r"\d{2}\.\d{2}", version):
        return version
    for text in (
        said.get("s2:product_uri"),
        said.get("sentinel:product_id"),
        said.get("s2:product_id"),
        item.id,
    ):
        match = re.search(r"_N(\d{2})(\d{2})_", str(text or ""))
        if match:
            return f"{match[1]}.{match[2]}"
    return None


def offset_applied(item: pystac.Item) -> bool | None:
    """The `boa_offset_applied` flag; None where there is none."""
    said = item.properties
    return next(
        (bool(said[flag]) for flag in _FLAGS if said.get(flag) is not None), None
    )


def broken(scene_id: str, reason: str) -> pystac.Item:
    """An item that stands for a scene which cannot be read, so that it can be reported."""
    return pystac.Item(
        id=scene_id,
        geometry=None,
        bbox=None,
        datetime=None,
        properties={"start_datetime": None, "end_datetime": None, PROBLEM: reason},
    )
