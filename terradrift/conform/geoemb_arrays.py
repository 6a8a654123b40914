"""Arrays and groups of a Zarr store against what its `geoemb:` attributes say of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from terradrift.conform.finding import named, short

if TYPE_CHECKING:
    from terradrift.conform.finding import Findings
    from terradrift.conform.zarr_nodes import Node

SPEC = "Zarr convention geoemb v1"
_ZONES = {f"utm{zone:02d}" for zone in range(1, 61)}
_NAMES = ("embeddings", "embedding")


def check(group: Node, nodes: list[Node], found: Findings, where: str) -> None:
    """Shapes, types, scales and zones of one group whose attributes are well formed."""
    held = group.attributes
    below = [one for one in nodes if _within(one, group)]
    arrays = [one for one in below if one.shape is not None]
    vectors = [one for one in arrays if one.name.rpartition("/")[2] in _NAMES]
    dimensions, dtype = held["geoemb:dimensions"], held["geoemb:data_type"]
    if not vectors:
        vectors = [one for one in arrays if one.shape and dimensions in one.shape]
        if not vectors:
            found.error(
                "geoemb.dimensions",
                where,
                f"an array with an axis of {dimensions}",
                ", ".join(
                    f"{named(one.name)} {list(one.shape or ())}" for one in arrays[:5]
                )
                or "no array",
                "mend geoemb:dimensions, or write the embeddings",
                f"{SPEC}, Required Fields",
            )
    for one in vectors:
        at = f"{where}/{named(one.name)}"
        if dimensions not in (one.shape or ()):
            found.error(
                "geoemb.dimensions",
                at,
                f"an axis of {dimensions}, as geoemb:dimensions says",
                short(list(one.shape or ())),
                "mend one of the two",
                f"{SPEC}, Required Fields",
            )
    if vectors and not any(one.dtype == dtype for one in vectors):
        found.error(
            "geoemb.data_type",
            f"{where}/{named(vectors[0].name)}",
            f"{short(dtype)}, as geoemb:data_type says",
            short(vectors[0].dtype),
            "name the type that is stored",
            f"{SPEC}, Required Fields",
        )
    _quantized(held, vectors, nodes, found, where)
    _zones(held, group, below, found, where)


def _within(node: Node, group: Node) -> bool:
    return node is not group and (
        not group.name or node.name.startswith(f"{group.name}/")
    )


def _quantized(
    held: dict[str, Any],
    vectors: list[Node],
    nodes: list[Node],
    found: Findings,
    where: str,
) -> None:
    quantization = held.get("geoemb:quantization")
    if quantization is None:
        return
    clause = f"{SPEC}, Quantization Object"
    stored = quantization.get("quantized_dtype")
    if stored is not None and stored != held["geoemb:data_type"]:
        found.error(
            "geoemb.quantized_dtype",
            f"{where}#geoemb:quantization.quantized_dtype",
            f"{short(held['geoemb:data_type'])}, as geoemb:data_type says",
            short(stored),
            "name the type that is stored in both",
            clause,
        )
    scale = quantization.get("scale") or {}
    if scale.get("type") != "array":
        return
    names = {one.name for one in nodes if one.shape is not None}
    for one in vectors:
        beside = f"{one.name.rpartition('/')[0]}/{scale['array_name']}".lstrip("/")
        if beside not in names and scale["array_name"] not in names:
            found.error(
                "geoemb.array_name",
                f"{where}#geoemb:quantization.scale.array_name",
                "the name of an array of the store",
                short(scale["array_name"]),
                "write the array of scales, or mend its name",
                f"{SPEC}, Array Scale",
            )


def _zones(
    held: dict[str, Any],
    group: Node,
    below: list[Node],
    found: Findings,
    where: str,
) -> None:
    if held.get("geoemb:spatial_layout") != "utm_zones":
        return
    start = f"{group.name}/" if group.name else ""
    groups = {
        one.name.removeprefix(start): one
        for one in below
        if one.shape is None and "/" not in one.name.removeprefix(start)
    }
    wrong = [name for name in groups if name not in _ZONES]
    if wrong or not groups:
        found.error(
            "geoemb.spatial_layout",
            where,
            "groups utm01 to utm60",
            ", ".join(map(named, wrong[:5])) or "none",
            "name each zone's group utmNN, or leave spatial_layout out",
            f"{SPEC}, Spatial Layout",
        )
    for name, zone in groups.items():
        for prefix in ("proj:", "spatial:"):
            if name in _ZONES and not any(
                key.startswith(prefix) for key in zone.attributes
            ):
                found.warning(
                    "geoemb.spatial_layout",
                    f"{where}/{name}",
                    f"attributes {prefix} on the zone's group",
                    "none",
                    "declare the CRS and the transform of the zone",
                    f"{SPEC}, Spatial Layout",
                )
