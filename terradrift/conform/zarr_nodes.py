"""The groups and arrays of a Zarr store in a folder, formats 2 and 3, by its metadata alone."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from terradrift.conform.finding import Findings, named, short
from terradrift.conform.plain import STORE, document

_NODES = 2_000
_V2_TYPES = {"f2": "float16", "f4": "float32", "f8": "float64"}


@dataclass(frozen=True, slots=True)
class Node:
    """A group or an array of a store."""

    name: str
    """Path below the root; empty for the root."""
    attributes: dict[str, Any]
    shape: tuple[int, ...] | None
    """None for a group."""
    dtype: str


def is_store(path: Path) -> bool:
    """Whether a folder is a Zarr store."""
    return any((path / name).is_file() for name in STORE)


def nodes(root: Path, found: Findings, where: str) -> list[Node]:
    """The root first, then all below it, depth first; links are not followed."""
    held: list[Node] = []
    waiting = [(root, "")]
    while waiting:
        path, name = waiting.pop()
        if len(held) >= _NODES:
            found.warning(
                "geoemb.size",
                where,
                f"at most {_NODES:,} nodes",
                "more",
                "check its groups",
            )
            break
        node = _node(path, name, found, f"{where}/{named(name)}" if name else where)
        if node is None:
            continue
        held.append(node)
        if node.shape is not None:
            continue
        below = sorted(
            one for one in path.iterdir() if one.is_dir() and not one.is_symlink()
        )
        waiting += [(one, f"{name}/{one.name}".lstrip("/")) for one in reversed(below)]
    return held


def _node(path: Path, name: str, found: Findings, where: str) -> Node | None:
    if (path / "zarr.json").exists():
        value = document(path / "zarr.json", found, f"{where}/zarr.json")
        return _v3(value, name, found, where) if value is not None else None
    for kind in (".zgroup", ".zarray"):
        if (path / kind).exists():
            value = document(path / kind, found, f"{where}/{kind}")
            beside = path / ".zattrs"
            attributes = (
                document(beside, found, f"{where}/.zattrs") if beside.exists() else {}
            )
            return _v2(value, attributes, name, found, where)
    return None


def _v3(value: object, name: str, found: Findings, where: str) -> Node | None:
    kind = value.get("node_type") if isinstance(value, dict) else None
    if not isinstance(value, dict) or kind not in ("group", "array"):
        found.error(
            "zarr",
            f"{where}#node_type",
            "group or array",
            short(kind),
            "name it",
            "Zarr 3",
        )
        return None
    attributes = value.get("attributes") or {}
    if not isinstance(attributes, dict):
        found.error(
            "zarr", f"{where}#attributes", "an object", short(attributes), "write one"
        )
        return None
    if kind == "group":
        return Node(name, attributes, None, "")
    return _array(
        name, attributes, value.get("shape"), value.get("data_type"), found, where
    )


def _v2(
    value: object, attributes: object, name: str, found: Findings, where: str
) -> Node | None:
    if not isinstance(value, dict) or not isinstance(attributes, dict):
        found.error(
            "zarr", where, "metadata as an object", "none", "write it", "Zarr 2"
        )
        return None
    if "shape" not in value:
        return Node(name, attributes, None, "")
    kind = str(value.get("dtype", ""))[1:]
    if kind[:1] in ("i", "u") and kind[1:].isdigit():
        kind = f"{'u' if kind[0] == 'u' else ''}int{8 * int(kind[1:])}"
    kind = _V2_TYPES.get(kind, kind)
    return _array(name, attributes, value["shape"], kind, found, where)


def _array(  # noqa: PLR0917 - a node is these things
    name: str,
    attributes: dict[str, Any],
    shape: object,
    dtype: object,
    found: Findings,
    where: str,
) -> Node | None:
    whole = isinstance(shape, list) and all(
        isinstance(one, int) and not isinstance(one, bool) and one >= 0 for one in shape
    )
    if not whole or not isinstance(shape, list):
        found.error(
            "zarr", f"{where}#shape", "whole numbers", short(shape), "write sizes"
        )
        return None
    return Node(name, attributes, tuple(shape), str(dtype))
