"""The Zarr convention `geoemb:` on a store in a folder."""

from pathlib import Path
from typing import Any

from terradrift.conform import by_schema, geoemb_arrays
from terradrift.conform.finding import Findings, line, named
from terradrift.conform.geoemb_arrays import SPEC
from terradrift.conform.zarr_nodes import Node, nodes

UUID = "61c12cc5-0e28-4056-999a-480cf3fb7e4c"
_CHUNK_BYTES = 256 << 20


def check(path: Path, found: Findings, where: str) -> None:
    """Every finding of one store."""
    held = nodes(path, found, where)
    if not held:
        return
    root = held[0]
    if root.shape is not None:
        found.error(
            "geoemb.scope",
            where,
            "a group",
            "an array",
            "put the array into a group; geoemb: is of groups",
            f"{SPEC}, Applicable To",
        )
        return
    marked = [
        one
        for one in held
        if any(key.startswith("geoemb:") for key in one.attributes)
        or any(_is_ours(entry) for entry in _entries(one))
    ]
    if not marked:
        found.error(
            "geoemb.none",
            where,
            "attributes geoemb: on the root group",
            "none",
            "write them, and the entry in zarr_conventions",
            f"{SPEC}, Required Fields",
        )
    for one in marked:
        at = f"{where}#{named(one.name)}" if one.name else where
        if one.shape is not None:
            found.error(
                "geoemb.scope",
                at,
                "geoemb: on groups",
                "it on an array",
                "move the attributes to the group",
                f"{SPEC}, Applicable To",
            )
            continue
        _group(one, held, found, at)
    _opens(path, held, found, where)


def _entries(node: Node) -> list[dict[str, Any]]:
    entries = node.attributes.get("zarr_conventions")
    held = entries if isinstance(entries, list) else []
    return [one for one in held if isinstance(one, dict)]


def _is_ours(entry: dict[str, Any]) -> bool:
    urls = (str(entry.get("schema_url", "")), str(entry.get("spec_url", "")))
    return (
        entry.get("uuid") == UUID
        or str(entry.get("name", "")).rstrip(":") == "geoemb"
        or any("embeddings-zarr-convention" in url for url in urls)
    )


def _group(group: Node, every: list[Node], found: Findings, where: str) -> None:
    held = group.attributes
    schema = by_schema.schema("geoemb")
    good = by_schema.against(schema, held, found, where, "geoemb", SPEC)
    ours = [one for one in _entries(group) if _is_ours(one)]
    if not ours:
        found.error(
            "geoemb.zarr_conventions",
            f"{where}#zarr_conventions",
            f"an entry with uuid {UUID} and name geoemb:",
            "none",
            "register the convention",
            f"{SPEC}, Convention Registration",
        )
    convention = by_schema.schema("geoemb_convention")
    for one in ours:
        at = f"{where}#zarr_conventions"
        by_schema.against(convention, one, found, at, "geoemb", SPEC)
    for prefix in ("proj:", "spatial:"):
        used = any(key.startswith(prefix) for key in held)
        registered = any(
            str(one.get("name", "")).startswith(prefix.rstrip(":"))
            for one in _entries(group)
        )
        if used and not registered:
            found.warning(
                "geoemb.zarr_conventions",
                f"{where}#zarr_conventions",
                f"an entry of {prefix} whose attributes are used",
                "none",
                "register it",
                "Zarr Conventions Specification",
            )
    if good:
        geoemb_arrays.check(group, every, found, where)


def _opens(path: Path, every: list[Node], found: Findings, where: str) -> None:
    """Whether Zarr itself opens the store and reads one value of each array."""
    import zarr

    try:
        group = zarr.open_group(str(path.resolve()), mode="r")
        for node in every:
            if node.shape is None or 0 in node.shape:
                continue
            array = group[node.name]
            size = array.dtype.itemsize  # type: ignore[union-attr]
            for one in array.chunks:  # type: ignore[union-attr]
                size *= one
            if size > _CHUNK_BYTES:
                found.warning(
                    "zarr.chunks",
                    f"{where}/{named(node.name)}",
                    f"chunks of at most {_CHUNK_BYTES >> 20} MiB",
                    f"{size >> 20:,} MiB",
                    "use smaller chunks; this one was not read",
                )
            else:
                array[(0,) * len(node.shape)]  # type: ignore[index]
    except Exception as error:  # noqa: BLE001 - codecs raise whatever they like
        found.error(
            "zarr", where, "a store that Zarr reads", line(error), "write it again"
        )
