"""What a parsed statement needs of which view (pure)."""

from collections.abc import Collection, Iterable, Iterator, Mapping
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

_SCOPES_MAX = 50
"""SELECTs up to which each is looked through by itself: they may be nested."""

_NO_CALLS: Mapping[str, Mapping[str, Iterable[str]]] = {}

_WHOLE = ("STAR", "PIVOT", "SHOW_REF")
"""Parts of a statement that take every column of the tables beside them."""


@dataclass(frozen=True, slots=True)
class Needs:
    """Names in lower case."""

    names: Mapping[str, frozenset[str]]
    """Every name that may be a column's, of each view that is read."""
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
        return [name for name in columns if name.lower() in self.names[view]]


def read(
    tree: Any,  # noqa: ANN401 - a JSON tree
    views: Collection[str],
    called: Mapping[str, Mapping[str, Iterable[str]]] = _NO_CALLS,
) -> Needs:
    """What a statement, as DuckDB's JSON tree, needs of `views`.

    A name counts for every view that has such a column in the FROM of a SELECT around it
    (of all views, where those are very many), and a view counts as read whole
    where it may be: by a star, a natural join, a pivot, new names for its columns or its own
    name in the place of a column. So at worst too much is read.
    """
    named: set[str] = set()
    functions: set[str] = set()
    read_: set[str] = set()
    known: set[str] = set()
    sought: set[str] = set()
    for node in _nodes(tree):
        named.update(_columns(node))
        sought.update(_sought(node))
        functions.add(str(node.get("function_name") or "").lower())
        if (view := _view(node, views)) is not None:
            read_.add(view)
            known |= {view, str(node.get("alias") or view).lower()}
    names = _by_view(tree, views, named)
    for function in functions & called.keys():
        for view, columns in called[function].items():
            names.setdefault(view, set()).update(columns)
            # Of the patch that it is called with, alone in its own condition.
            sought |= {"patch_id"} & set(columns)
    whole: set[str] = read_ - names.keys()
    for node in _nodes(tree):
        view = _view(node, views)
        if view is not None and node.get("column_name_alias"):
            whole.add(view)
        if "from_table" in node and _takes_all(node):
            whole |= _beside(node["from_table"], views)
        last = [str(name).lower() for name in node.get("column_names") or []][-1:]
        if node.get("type") == "COLUMN_REF" and known & set(last):
            whole |= read_
    held = {view: frozenset(found) for view, found in names.items()}
    read_ |= held.keys() & set(views)
    return Needs(held, frozenset(read_), frozenset(whole), frozenset(sought))


def views(tree: Any, known: Collection[str]) -> set[str]:  # noqa: ANN401 - a JSON tree
    """Which of the `known` views are named."""
    found = (_view(node, known) for node in _nodes(tree))
    return {view for view in found if view is not None}


def same_for_all_rows(
    tree: Any,  # noqa: ANN401 - a JSON tree
    function: str,
    argument: int,
) -> bool:
    """Whether `function` is called, and each time with an argument that names no column."""
    calls = [
        node.get("children") or []
        for node in _nodes(tree)
        if str(node.get("function_name") or "").lower() == function
    ]
    return bool(calls) and all(
        len(given) > argument
        and not any(
            node.get("type") == "COLUMN_REF" or "select_list" in node
            for node in _nodes(given[argument])
        )
        for given in calls
    )


def _by_view(
    tree: Any,  # noqa: ANN401 - a JSON tree
    views: Collection[str],
    named: set[str],
) -> dict[str, set[str]]:
    """Names of columns within the SELECTs that have each view in their own FROM."""
    selects = [
        (node, beside)
        for node in _nodes(tree)
        if "from_table" in node and (beside := _beside(node["from_table"], views))
    ]
    found: dict[str, set[str]] = {}
    for node, beside in selects:
        inside = named
        if len(selects) <= _SCOPES_MAX:
            inside = {name for part in _nodes(node) for name in _columns(part)}
        for view in beside:
            found.setdefault(view, set()).update(inside)
    return found


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
