"""The one that others should be like: a change, an observation and its step, or numbers."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import ArrayLike, NDArray

from terradrift.errors import QueryError
from terradrift.period import Period
from terradrift.query import tables as _tables
from terradrift.query.lance_scan import FloatDataset
from terradrift.query.search.nearest import Query

if TYPE_CHECKING:
    import lance

    from terradrift.query.tables import Tables

_PARTS = {
    "delta": ("delta",),
    "after": ("after",),
    "before": ("before",),
    "before+after": ("before", "after"),
}
_KEYS = {"changes": ("change_id",), "observations": ("patch_id", "datetime")}


@dataclass(frozen=True, slots=True, eq=False)
class Example:
    """A step from one state to another, where both are known."""

    name: str
    """In words, for messages."""
    parts: Mapping[str, NDArray[np.float32]]
    """`before`, `after`, `delta`, each (d,), those that are known; or `any`: numbers given."""
    patch_id: str | None = None
    instant: datetime | None = None
    """When `after` was seen."""
    change_id: str | None = None

    def query(self, target: str, on: str | None, dimensions: int) -> Query:
        """What is compared with which columns of `target`.

        Raises:
            QueryError: `on` does not suit the target, or the example does not have it, or
                it has no direction.
        """
        if on is not None and on not in _PARTS:
            raise QueryError(f"on must be one of {', '.join(_PARTS)}, got {on!r}")
        if target == "observations":
            parts: tuple[str, ...] = _PARTS[on or "after"]
            columns: tuple[str, ...] = ("embedding",)
            if parts not in (("after",), ("before",)):
                raise QueryError(
                    f"observations have one vector: on must be after or before, got {on!r}"
                )
        else:
            columns = parts = _PARTS[on or "delta"]
        vectors = self._vectors(parts, dimensions)
        if not vectors.any():
            raise QueryError(
                f"{self.name} has no direction to compare: its {'+'.join(parts)} is zero; "
                "choose another example, or on='after'"
            )
        return Query(columns, vectors, _KEYS[target])

    def _vectors(self, parts: tuple[str, ...], dimensions: int) -> NDArray[np.float32]:
        """(parts, d) of the parts compared."""
        given = self.parts.get("any")
        if given is not None:
            if len(given) != len(parts) * dimensions:
                raise QueryError(
                    f"expected a vector of {len(parts) * dimensions} numbers for "
                    f"{'+'.join(parts)}, got {len(given)}; embed the example with the "
                    "same model"
                )
            return given.reshape(len(parts), dimensions)
        missing = [part for part in parts if part not in self.parts]
        if missing:
            raise QueryError(
                f"{self.name} has no {' and no '.join(missing)} to compare; "
                "choose another example, or on='after'"
            )
        return np.stack([self.parts[part] for part in parts])

    def own(self, target: str) -> str | None:
        """Lance's condition for the rows of `target` that are the example itself."""
        if self.change_id is not None and target == "changes":
            return f"change_id = {_tables.literal(self.change_id)}"
        if self.patch_id is None or self.instant is None:
            return None
        column = "date_after" if target == "changes" else "datetime"
        text = self.instant.astimezone(UTC).replace(tzinfo=None).isoformat(" ")
        patch = _tables.literal(self.patch_id)
        return f"patch_id = {patch} AND {column} = timestamp '{text}'"


def find(
    tables: "Tables",
    model: str | None,
    *,
    change: str | None,
    event: str | None,
    patch: str | None,
    date: str | None,
    vector: ArrayLike | None,
) -> Example:
    """The example that exactly one of the arguments names (`patch` with `date`).

    Raises:
        QueryError: none or several are given, it is not there, or is not finite.
    """
    if sum(given is not None for given in (change, event, patch, vector)) != 1:
        raise QueryError(
            "expected one example: change=ID, event=ID, patch=ID with date=DAY, "
            "or vector=NUMBERS"
        )
    if (patch is None) != (date is None):
        raise QueryError("patch and date belong together: patch=ID, date=2018-05-16")
    if event is not None:
        change = _strongest(tables, model, event)
    if change is not None:
        return _change(tables, model, change)
    if patch is not None:
        return _step(tables, model, patch, str(date))
    return Example("the vector", {"any": _numbers(vector)})


def _numbers(given: ArrayLike | None) -> NDArray[np.float32]:
    try:
        values = np.asarray(given, dtype=np.float32)
    except (TypeError, ValueError) as error:
        raise QueryError(f"expected a vector of numbers, got {given!r}") from error
    if values.ndim != 1:
        raise QueryError(
            f"expected one vector of numbers, got an array of shape {values.shape}"
        )
    if not np.isfinite(values).all():
        raise QueryError("expected a vector of finite numbers, got NaN or infinity")
    return values


def _change(tables: "Tables", model: str | None, change: str) -> Example:
    table = _tables.of_model(tables, "changes", model)
    columns = ["patch_id", "date_after", "before", "after", "delta"]
    condition = f"change_id = {_tables.literal(change)}"
    rows = _read(table, columns, condition)
    if rows.num_rows == 0:
        _explain_missing(tables, model, change, condition)
    (row,) = rows.slice(0, 1).to_pylist()
    return Example(
        f"change {change}",
        _known({part: row[part] for part in ("before", "after", "delta")}),
        row["patch_id"],
        row["date_after"],
        change,
    )


def _strongest(tables: "Tables", model: str | None, event: str) -> str:
    """The change of the highest score in an event."""
    table = _tables.of_model(tables, "changes", model)
    rows = table.to_table(
        columns=["change_id", "score"],
        filter=f"event_id = {_tables.literal(event)}",
    )
    if rows.num_rows == 0:
        raise QueryError(
            f"no event {event!r} among the changes of {model}; see the table events"
        )
    order = [("score", "descending"), ("change_id", "ascending")]
    return str(rows.sort_by(order)["change_id"][0].as_py())


def _explain_missing(
    tables: "Tables", model: str | None, change: str, condition: str
) -> None:
    for name, table in tables.items():
        if name.startswith("changes_") and table.count_rows(condition):
            raise QueryError(
                f"change {change} is in {name}, not of model {model}; vectors of two models "
                f"cannot be compared: pass model={name.removeprefix('changes_')!r}"
            )
    held = _tables.of_model(tables, "changes", model)
    first = held.to_table(columns=["change_id"], limit=1)["change_id"].to_pylist()
    hint = f"ids look like {first[0]}" if first else "there are no changes yet"
    raise QueryError(f"no change {change!r} among the changes of {model}; {hint}")


def _step(tables: "Tables", model: str | None, patch: str, date: str) -> Example:
    """The observation of `patch` in the period `date`, and the one before it."""
    try:
        period = Period.parse(date)
    except ValueError as error:
        raise QueryError(str(error)) from error
    table = _tables.of_model(tables, "embeddings", model)
    columns = ["datetime", "clear_percent", "embedding"]
    rows = _read(table, columns, f"patch_id = {_tables.literal(patch)}")
    if rows.num_rows == 0:
        first = table.to_table(columns=["patch_id"], limit=1)["patch_id"].to_pylist()
        hint = f"ids look like {first[0]}" if first else "there are none yet"
        raise QueryError(f"no observation of patch {patch!r} under {model}; {hint}")
    history = rows.sort_by("datetime").to_pylist()
    inside = [at for at, row in enumerate(history) if row["datetime"] in period]
    if not inside:
        raise QueryError(
            f"patch {patch} was not seen in {date}; nearest: {_nearest(history, period)}"
        )
    at = max(inside, key=lambda row: (history[row]["clear_percent"] or 0.0, -row))
    seen = history[at]
    parts = {"after": seen["embedding"]}
    if at > 0:
        parts["before"] = history[at - 1]["embedding"]
    known = _known(parts)
    if len(known) == 2:
        known["delta"] = known["after"] - known["before"]
    name = f"patch {patch} on {seen['datetime']:%Y-%m-%d}"
    return Example(name, known, patch, seen["datetime"])


def _nearest(history: list[dict[str, Any]], period: Period) -> str:
    before = [row["datetime"] for row in history if row["datetime"] < period.start]
    after = [row["datetime"] for row in history if row["datetime"] >= period.end]
    days = [f"{day:%Y-%m-%d}" for day in (*before[-1:], *after[:1])]
    return " and ".join(days)


def _known(parts: Mapping[str, Any]) -> dict[str, NDArray[np.float32]]:
    vectors = {
        name: np.asarray(values, dtype=np.float32)
        for name, values in parts.items()
        if values is not None
    }
    return {
        name: values for name, values in vectors.items() if np.isfinite(values).all()
    }


def _read(table: "lance.LanceDataset", columns: list[str], condition: str) -> pa.Table:
    shown = FloatDataset(table)
    expressions = shown.projection(columns)
    return table.scanner(columns=expressions, filter=condition).to_table()
