"""What stands in a parsed statement, as DuckDB's JSON tree (pure)."""

from collections.abc import Iterator
from typing import Any

_METADATA = ("duckdb_", "pragma_")


def nodes(tree: Any) -> Iterator[Any]:  # noqa: ANN401 - a JSON tree
    """All parts, in no order; no recursion: statements may be nested as deep as they like."""
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if isinstance(node, list):
            waiting += node
        elif isinstance(node, dict):
            waiting += node.values()
        yield node


def names(tree: Any, name: str) -> bool:  # noqa: ANN401 - a JSON tree
    """Whether the text `name` (upper case) stands in it, in any case."""
    return any(isinstance(node, str) and node.upper() == name for node in nodes(tree))


def describes(tree: Any) -> bool:  # noqa: ANN401 - a JSON tree
    """Whether a statement asks DuckDB what tables and columns there are."""
    return any(
        str(node.get("schema_name")).lower() == "information_schema"
        or str(node.get("function_name")).lower().startswith(_METADATA)
        for node in nodes(tree)
        if isinstance(node, dict)
    )


def unpacks(tree: Any) -> bool:  # noqa: ANN401 - a JSON tree
    """Whether a call takes columns by a star, and is then named by where they come from."""
    return any(
        node.get("type") == "OPERATOR_UNPACK"
        for node in nodes(tree)
        if isinstance(node, dict)
    )
