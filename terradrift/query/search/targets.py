"""Which ids are there, as changes or as events, and which changes they mean."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from terradrift.query import tables as _tables

if TYPE_CHECKING:
    import lance

    from terradrift.query.tables import Tables

_IDS_PER_READ = 1000


@dataclass(frozen=True, slots=True)
class Found:
    """What of the ids asked for is there."""

    ids: Mapping[str, str]
    """Those that are there: `change` or `event`."""
    changes: Mapping[str, str]
    """Each change that is meant, to its event, or to itself where it has none."""


def find(tables: "Tables", model: str | None, ids: Sequence[str]) -> Found:
    """Look the ids up among the changes of the model; those that are not there are left out.

    Raises:
        QueryError: the archive has no changes of the model.
    """
    table = _tables.of_model(tables, "changes", model)
    there: dict[str, str] = {}
    meant: dict[str, str] = {}
    for key, what in (("change_id", "change"), ("event_id", "event")):
        for row in rows(table, key, ids, ["change_id", "event_id"]):
            there.setdefault(row[key], what)
            meant[row["change_id"]] = row["event_id"] or row["change_id"]
    return Found(there, dict(sorted(meant.items())))


def rows(
    table: "lance.LanceDataset", key: str, ids: Sequence[str], columns: Sequence[str]
) -> Iterator[dict[str, Any]]:
    """`columns` and the column `key` of the rows of which it is one of the ids."""
    wanted = list(dict.fromkeys(ids))
    for start in range(0, len(wanted), _IDS_PER_READ):
        part = wanted[start : start + _IDS_PER_READ]
        listed = ", ".join(map(_tables.literal, part))
        names = list(dict.fromkeys([key, *columns]))
        yield from table.to_table(
            columns=names, filter=f"{key} IN ({listed})"
        ).to_pylist()
