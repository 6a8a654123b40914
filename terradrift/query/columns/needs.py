"""What a parsed statement needs of which view (pure)."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from typing import Any, cast

_EQUAL = ("COMPARE_EQUAL", "COMPARE_IN")
_CHOSEN = (
    "expr",
    "relation_name",
    "exclude_list",
    "replace_list",
    "qualified_exclude_list",
    "rename_list",
)
"""What makes a star more than ALL."""

_WHOLE = ("STAR", "PIVOT", "SHOW_REF")
"""Parts of a statement that take every column of the tables beside them."""


@dataclass(frozen=True, slots=True)
class Needs:
    """Names in lower case."""

    names: frozenset[str]
    """Every name that may be a column's."""
    views: frozenset[str]
    """Views that are read."""
    whole: frozenset[str]
    """Those of them of which every column may be meant."""
    sought: frozenset[str]
    """Names that are set equal to something that is no column, by = or IN."""

    def of(self, view: str, columns: Collection[str]) -> list[str]:
        """The columns of `view` that are needed, in their order."""
        if view in self.whole:
            return list(columns)
        return [name for name in columns if name.lower() in self.names]


def read(tree: Any, views: Collection[str]) -> Needs:  # noqa: ANN401 - a JSON tree
    """What a statement, as DuckDB's JSON tree, needs of `views`.

    A name counts for every view that has such a column, and a view counts as read whole
    where it may be: by a star, a natural join, a pivot, new names for its columns or its own
    name in the place of a column. So at worst too much is read.
    """
    names: set[str] = set()
    read_: set[str] = set()
    called: set[str] = set()
    sought: set[str] = set()
    for node in _nodes(tree):
        names.update(_columns(node))
        sought.update(_sought(node))
        if (view := _view(node, views)) is not None:
            read_.add(view)
            called |= {view, str(node.get("alias") or view).lower()}
    whole: set[str] = set()
    for node in _nodes(tree):
        view = _view(node, views)
        if view is not None and node.get("column_name_alias"):
            whole.add(view)
        if "from_table" in node and _takes_all(node):
            whole |= _beside(node["from_table"], views)
        last = [str(name).lower() for name in node.get("column_names") or []][-1:]
        if node.get("type") == "COLUMN_REF" and called & set(last):
            whole |= read_
    return Needs(
        frozenset(names), frozenset(read_), frozenset(whole), frozenset(sought)
    )


def _nodes(tree: Any) -> Iterator[dict[str, Any]]:  # noqa: ANN401 - a JSON tree
    """Every object in the tree."""
    waiting = [tree]  # no recursion: statements may be nested as deep as they like
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict):
            yield node
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node


def _columns(node: dict[str, Any]) -> set[str]:
    found = node.get("using_columns") or []
    if node.get("type") == "COLUMN_REF":
        found = [*found, *(node.get("column_names") or [])]
    return {str(name).lower() for name in found}


def _sought(node: dict[str, Any]) -> set[str]:
    """Columns on one side of =, or of IN, that are not on its other side too."""
    if node.get("type") in _EQUAL:
        sides = [node.get("left"), node.get("right"), *(node.get("children") or [])]
    elif node.get("comparison_type") == "COMPARE_EQUAL":
        sides = [node.get("child")]
    else:
        return set()
    named = [_columns(side) for side in sides if isinstance(side, dict)]
    found = [names for names in named if names]
    return found[0] if len(found) == 1 else set()


def _view(node: dict[str, Any], views: Collection[str]) -> str | None:
    name = str(node.get("table_name") or "").lower()
    named = node.get("type") in ("BASE_TABLE", "SHOW_REF")
    return name if named and name in views else None


def _takes_all(select: dict[str, Any]) -> bool:
    """Whether a SELECT, its inner ones aside, takes every column of its tables."""
    return any(
        node.get("type") in _WHOLE or node.get("ref_type") == "NATURAL"
        for node in _own(select)
        if node is not _order_by_all(select)
    )


def _order_by_all(select: dict[str, Any]) -> dict[str, Any] | None:
    """The star of ORDER BY ALL, which means the columns of the answer."""
    for modifier in select.get("modifiers") or []:
        orders = modifier.get("orders") or []
        star = orders[0].get("expression") if len(orders) == 1 else None
        if star and star.get("type") == "STAR" and not any(map(star.get, _CHOSEN)):
            return cast("dict[str, Any]", star)
    return None


def _own(tree: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """The objects of a SELECT, or of a part of it, without those of SELECTs inside."""
    yield tree
    waiting: list[Any] = list(tree.values())
    while waiting:
        node = waiting.pop()
        if isinstance(node, dict) and "select_list" not in node:
            yield node
            waiting += node.values()
        elif isinstance(node, list):
            waiting += node


def _beside(source: dict[str, Any], views: Collection[str]) -> set[str]:
    """Views that the FROM of one SELECT names itself, not in a SELECT inside."""
    found = (_view(node, views) for node in _own(source))
    return {view for view in found if view is not None}
