"""Views of one statement: no more columns, joins and files than it names."""

# ruff: noqa: S608 - names of our own schema

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from terradrift.query.columns import needs
from terradrift.query.columns.attached import FRESH, Attached
from terradrift.query.columns.form import PLACE

if TYPE_CHECKING:
    import duckdb

_IDLE = 2
"""Cursors that are kept for the next question."""

_CHEAP = "run_id"
"""What is read where a statement only counts rows: the same text in most of them."""


_NONE: Mapping[str, Mapping[str, Iterable[str]]] = {}


@dataclass(frozen=True, slots=True)
class View:
    """A view of the archive, and what it is made of."""

    columns: tuple[str, ...]
    """In their order."""
    tables: tuple[str, ...]
    """Whose rows it shows, one after the other."""
    vectors: frozenset[str] = frozenset()
    placed: bool = False
    """Whether rows have the columns of `PLACE` of their patch beside."""
    scene: tuple[str, ...] = ()
    """Columns of the row's scene that stand beside."""


class Cursors:
    """A connection's cursors, each of which sees the views of one statement."""

    def __init__(
        self, connection: "duckdb.DuckDBPyConnection", statements: Iterable[str] = ()
    ) -> None:
        self._connection = connection
        self._statements = tuple(statements)
        self._idle: list[duckdb.DuckDBPyConnection] = []

    def cursor(self) -> "duckdb.DuckDBPyConnection":
        """A cursor that nobody else has, with the views."""
        try:
            return self._idle.pop()
        except IndexError:
            cursor = self._connection.cursor()
        for statement in self._statements:
            cursor.execute(statement)
        return cursor

    def release(self, cursor: "duckdb.DuckDBPyConnection") -> None:
        """Hand back a cursor whose run has ended well, for the next one."""
        if len(self._idle) < _IDLE:
            self._idle.append(cursor)


@dataclass(frozen=True)
class Shown:
    """What a connection shows, and which files of columns it has attached."""

    views: Mapping[str, View]
    attached: Mapping[str, Attached] = field(default_factory=dict)
    reasons: Mapping[str, str] = field(default_factory=dict)
    """Why the file of a table that has one is not used, in one line."""
    spatial: bool = False

    def narrowed(
        self,
        tree: Any,  # noqa: ANN401 - a JSON tree
        called: Mapping[str, Mapping[str, Iterable[str]]] = _NONE,
    ) -> tuple[str, ...]:
        """Statements that make views for the parsed statement `tree` alone, if that gains.

        They give the same rows as those of the connection, from files of columns where no
        vector is named, and without joins whose columns are not named. `called` says what
        the functions that `tree` calls read: columns by view.
        """
        needed = needs.read(tree, self.views, called)
        statements = []
        for name in sorted(needed.views):
            view = self.views[name]
            columns = needed.of(name, view.columns) or [_cheapest(view)]
            if self._gains(view, columns):
                sought = "patch_id" in needed.sought
                text = self.select(view, columns, sought=sought)
                statements.append(f'CREATE TEMP VIEW "{name}" AS {text}')
        return tuple(statements)

    def unused(self, tree: Any) -> tuple[str, ...]:  # noqa: ANN401 - a JSON tree
        """Why files of the tables that `tree` names are not used."""
        if not self.reasons:
            return ()
        named = (self.views[name].tables for name in needs.views(tree, self.views))
        tables = dict.fromkeys(table for made_of in named for table in made_of)
        return tuple(self.reasons[table] for table in tables if table in self.reasons)

    def _gains(self, view: View, columns: list[str]) -> bool:
        """Whether less is read than by the view itself."""
        if len(columns) < len(view.columns) and (view.placed or view.scene):
            return True
        return not view.vectors.intersection(columns) and any(
            table in self.attached for table in view.tables
        )

    def select(self, view: View, columns: list[str], *, sought: bool = False) -> str:
        """`columns` of the rows of `view`, as SQL; `sought`: of patches told by their ids."""
        parts = []
        for table in view.tables:
            held = self.attached.get(table)
            if held is None or view.vectors.intersection(columns):
                parts.append(self._lance(f'memory.main."{table}"', view, columns))
                continue
            parts.append(self._file(held, view, columns, sought=sought))
            if held.fresh:
                source = f'memory.{FRESH}."{table}"'
                parts.append(self._lance(source, view, columns))
        return " UNION ALL ".join(parts)

    def _lance(self, source: str, view: View, columns: list[str]) -> str:
        beside = dict.fromkeys(view.scene, "s")
        beside |= dict.fromkeys(PLACE if view.placed else (), "p")
        of = {name: beside.get(name, "r") for name in columns}
        text = f"SELECT {_listed(of)} FROM {source} r"
        if "s" in of.values():
            text += " LEFT JOIN memory.main.scenes s ON r.scene_id = s.scene_id"
        return text + self._with_place(of)

    def _file(
        self, held: Attached, view: View, columns: list[str], *, sought: bool
    ) -> str:
        """Of a file: its rows, with what is stored once beside where it is needed."""
        form, name = held.form, held.name
        own = dict.fromkeys((*form.moments, *view.scene), "m")
        if form.places:
            own |= {"tile": "p", "geometry": "p"}
            # By the few rows of places a patch's number is found, and blocks by that.
            own |= {"patch_id": "p"} if sought else {}
        elif view.placed:
            own |= dict.fromkeys(PLACE, "p")
        of = {column: own.get(column, "r") for column in columns}
        shown = _listed(of)
        if self.spatial and (form.places or not view.placed):
            for table in ("r", "p"):
                wkb = f'{table}."geometry"'
                shown = shown.replace(wkb, f"ST_GeomFromWKB({wkb}) AS geometry")
        text = f'SELECT {shown} FROM "{name}".rows r'
        if "m" in of.values():
            scene = [column for column in columns if column in view.scene]
            text += f" JOIN {_moments(name, scene)} m ON r._moment = m._moment"
        if not form.places:
            return text + self._with_place(of)
        if "p" in of.values():
            text += f' JOIN "{name}".places p ON r._place = p._place'
        return text

    def _with_place(self, of: Mapping[str, str]) -> str:
        """The join with `patches`, where a column of a place is among those needed."""
        named = [name for name, table in of.items() if table == "p"]
        if not named:
            return ""
        patches = self.select(self.views["patches"], ["patch_id", *named])
        return f" LEFT JOIN ({patches}) p ON r.patch_id = p.patch_id"


def _moments(name: str, scene: list[str]) -> str:
    """The moments of a file, with these columns of their scene."""
    if not scene:
        return f'"{name}".moments'
    columns = _listed(dict.fromkeys(scene, "s"))
    return (
        f'(SELECT t.*, {columns} FROM "{name}".moments t '
        "LEFT JOIN memory.main.scenes s ON t.scene_id = s.scene_id)"
    )


def _listed(of: Mapping[str, str]) -> str:
    """Columns, each of its table."""
    return ", ".join(f'{table}."{name}"' for name, table in of.items())


def _cheapest(view: View) -> str:
    plain = [name for name in view.columns if name not in view.vectors]
    return _CHEAP if _CHEAP in plain else plain[0]
