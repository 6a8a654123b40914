"""Statements on one connection: checked, narrowed and planned once each."""

from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, TypeVar

import duckdb

from terradrift.errors import QueryError
from terradrift.query.checked import wrong
from terradrift.query.columns import needs
from terradrift.query.columns.narrow import Cursors
from terradrift.query.relation import Described, Relation
from terradrift.query.sql import macros, near_miss, sandbox
from terradrift.query.sql import tree as parts
from terradrift.query.sql.limits import Limits

if TYPE_CHECKING:
    from terradrift.query.columns.narrow import Shown

_HELD = 128
_HELD_BYTES = 16 << 10
"""Of the text of a statement that is remembered; longer ones are checked each time."""

_PLAIN = (bool, float, str, type(None))
"""Types of values of which one is planned as any other."""

_Key = TypeVar("_Key")
_Made = TypeVar("_Made")


@dataclass(slots=True)
class _Checked:
    """A statement that passed the check."""

    statement: str
    names: frozenset[str]
    """Of its values."""
    cursors: list[Cursors]
    """Those that see its own views, if that gains, and those that see all."""
    unused: tuple[str, ...]
    """Why files of columns that it could read are not used."""
    described: dict[tuple[object, ...], tuple[Described, Cursors]] = field(
        default_factory=dict
    )
    """What it answers, and where it could be planned, by the types of its values."""


class Questions:
    """What is asked on a connection; what was asked before is not checked again."""

    def __init__(
        self,
        connection: duckdb.DuckDBPyConnection,
        shown: "Shown",
        bare: Callable[[], duckdb.DuckDBPyConnection] | None = None,
    ) -> None:
        """`shown` says how views may be narrowed to what a statement names.

        `bare` gives a connection with the same views and no files of columns beside them,
        for what asks which tables there are: the answer is the same with and without them.
        """
        self._bare = bare
        self._connection = connection
        self._shown = shown
        self._whole = Cursors(connection)
        self._narrow: OrderedDict[tuple[str, ...], Cursors] = OrderedDict()
        self._checked: OrderedDict[str, _Checked] = OrderedDict()
        self._told: set[str] = set()

    def answer(self, text: str, values: Mapping[str, Any], limits: Limits) -> Relation:
        """The answer to one statement, not run yet.

        Raises:
            QueryError: not one statement that only reads, names that are not there, or
                other values than it names.
        """
        if not isinstance(text, str):
            raise wrong("SQL", "the text of one SELECT statement", text, "pass that")
        checked = _held(self._checked, text, self._check, len(text) <= _HELD_BYTES)
        _check_values(checked.names, values)
        hint = self._hint(checked)
        key = _types(values)
        if key is not None and (known := checked.described.get(key)) is not None:
            described, cursors = known
            statement = checked.statement
            return Relation(
                cursors, statement, values, limits, described=described, hint=hint
            )
        relation, cursors = self._planned(checked, values, limits, hint)
        if key is not None and len(checked.described) < _HELD:
            checked.described[key] = relation.described, cursors
        return relation

    def _planned(
        self,
        checked: _Checked,
        values: Mapping[str, Any],
        limits: Limits,
        hint: str | None,
    ) -> tuple[Relation, Cursors]:
        statement = checked.statement
        for cursors in checked.cursors:
            try:
                return Relation(cursors, statement, values, limits, hint=hint), cursors
            except QueryError as error:
                # A column that narrow views lack: all else they cannot cause.
                missing = isinstance(error.__cause__, duckdb.BinderException)
                if missing and cursors is not checked.cursors[-1]:
                    continue
                connection = self._connection.cursor()
                raise near_miss.better(connection, statement, error) from error
        raise AssertionError("the last cursors that are tried answer or raise")

    def _check(self, text: str) -> _Checked:
        connection = self._connection.cursor()
        try:
            tree = sandbox.check(connection, text)
        except QueryError as error:
            raise near_miss.quoted(connection, text, error) from error
        (parsed,) = connection.extract_statements(text)
        names = frozenset(parsed.named_parameters)
        statement = sandbox.without_semicolon(text)
        if self._bare is not None and parts.describes(tree):
            return _Checked(statement, names, [Cursors(self._bare())], ())
        statements: tuple[str, ...] = ()
        if not parts.unpacks(tree):
            statements = self._shown.narrowed(tree, macros.READS)
        if self._shown.spatial and needs.same_for_all_rows(tree, "within", 1):
            statements += (macros.WITHIN_ONE,)
        narrow = (
            [_held(self._narrow, statements, self._cursors, True)] if statements else []
        )
        return _Checked(
            statement,
            names,
            [*narrow, self._whole],
            self._shown.unused(tree),
        )

    def _cursors(self, statements: tuple[str, ...]) -> Cursors:
        return Cursors(self._connection, statements)

    def _hint(self, checked: _Checked) -> str | None:
        """Why files are not used, told once."""
        new = [why for why in checked.unused if why not in self._told]
        self._told.update(new)
        return "; ".join(new) or None


def _held(
    known: OrderedDict[_Key, _Made],
    key: _Key,
    make: Callable[[_Key], _Made],
    keep: bool,
) -> _Made:
    """What `key` has, made where it is new; the oldest go."""
    try:
        found = known[key]
        known.move_to_end(key)
    except KeyError:  # nobody asked, or another thread let it go
        found = make(key)
        if keep:
            known[key] = found
            while len(known) > _HELD:
                known.popitem(last=False)
    return found


def _types(values: Mapping[str, Any]) -> tuple[object, ...] | None:
    """What of the values decides how a statement is planned; None: more than is told here."""
    found: list[tuple[object, ...]] = []
    for name in sorted(values):
        value = values[name]
        if isinstance(value, int) and not isinstance(value, bool):
            found.append((name, int, value.bit_length(), value < 0))
        elif isinstance(value, _PLAIN):
            found.append((name, type(value), 0, False))
        else:
            return None
    return tuple(found)


def _check_values(wanted: frozenset[str], values: Mapping[str, Any]) -> None:
    if wanted != set(values):
        raise QueryError(
            f"SQL names the values {_named(wanted)}, got {_named(values)}; pass each "
            "$name in the statement as name=value"
        )


def _named(values: "frozenset[str] | Mapping[str, Any]") -> str:
    return ", ".join(f"${name}" for name in sorted(values)) or "none"
