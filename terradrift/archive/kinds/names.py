"""What analysts call kinds: rows of `labels`, so that a name outlives every fit."""

from datetime import UTC, datetime
from uuid import uuid4

import pyarrow as pa

from terradrift import schema
from terradrift.archive.runs import Run
from terradrift.detect.kinds import KIND
from terradrift.errors import ArchiveError
from terradrift.store.tables import Store

_VERDICT = "name"
_LONGEST = 200
"""Characters of a name."""


def names(store: Store, model: str) -> dict[int, str]:
    """Number of a kind to its name: the last one given; kinds without a name are not in it."""
    if not store.exists("labels"):
        return {}
    rows = store.scan("labels").read_all().sort_by("at").to_pylist()
    start = _target(model, "")
    found = {
        int(row["target_id"].removeprefix(start)): row["name"]
        for row in rows
        if row["verdict"] == _VERDICT and row["target_id"].startswith(start)
    }
    return {number: name for number, name in found.items() if name}


def rename(
    store: Store, run: Run, model: str, kind: int, name: str, *, who: str | None
) -> None:
    """Call a kind of the newest fit `name` from now on; an empty one takes the name away.

    Raises:
        ArchiveError: there are no kinds, none of that number, it is a branch or a part of
            the tree, or the name is too long.
    """
    table = f"kinds_{schema.suffix(model)}"
    if not store.exists(table):
        raise ArchiveError(
            f"{store.root} holds no kinds of {model}; run terradrift cluster first"
        )
    rows = store.scan(table).read_all()
    numbers = rows["kind"].to_pylist()
    roles = dict(zip(numbers, rows["role"].to_pylist(), strict=True))
    if kind in roles and roles[kind] != KIND:
        raise ArchiveError(
            f"{kind} is a {roles[kind]} of the tree of kinds, which has another number "
            "after the next fit; expected a kind, as those keep number and name"
        )
    if kind not in numbers:
        named = [number for number, role in roles.items() if role == KIND]
        held = ", ".join(map(str, named[:20])) or "none"
        raise ArchiveError(f"{store.root} has no kind {kind} of {model}, it has {held}")
    said = " ".join(name.split())
    if len(said) > _LONGEST:
        raise ArchiveError(
            f"expected a name of at most {_LONGEST} characters, got {len(said)}"
        )
    row = {
        "label_id": uuid4().hex,
        "target_id": _target(model, kind),
        "verdict": _VERDICT,
        "name": said,
        "who": who,
        "at": datetime.now(UTC),
    }
    store.append("labels", pa.Table.from_pylist([row], schema=schema.labels()))
    given = names(store, model)
    column = pa.array([given.get(number) for number in numbers], pa.string())
    at = rows.schema.get_field_index("name")
    store.overwrite(table, rows.set_column(at, "name", column), rows.schema)
    run.rows = 1
    run.message = f"kind {kind}: {said}" if said else f"kind {kind} has no name"


def _target(model: str, kind: int | str) -> str:
    return f"kind/{schema.suffix(model)}/{kind}"
