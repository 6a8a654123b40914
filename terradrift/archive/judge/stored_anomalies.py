"""Tables of anomalies that an archive holds, as methods that can be compared."""

from collections.abc import Iterator, Sequence
from dataclasses import replace

import numpy as np
import pyarrow as pa

from terradrift.archive.methods.anomalies import PREFIX
from terradrift.errors import ArchiveError
from terradrift.evaluate.stored import Scores, Stored
from terradrift.store.tables import Store

NAME = "anomalies-"
"""What the names of such methods begin with."""
LASTING = "-lasting"
"""What the names end with that rank by what stays."""


def names(store: Store) -> dict[str, str]:
    """Of each table, by the method's name, such as `anomalies-rx` or `anomalies-seasonal-mosaiks`."""
    return {
        NAME + table.removeprefix(PREFIX).replace("_", "-"): table
        for table in store.tables()
        if table.startswith(PREFIX)
    }


def methods(
    store: Store, control: Store | None, wanted: Sequence[str] | None
) -> Iterator[Stored]:
    """The tables that are wanted; None: all.

    Raises:
        ArchiveError: one that is not there.
    """
    held = names(store)
    every = [name + ending for name in held for ending in ("", LASTING)]
    for asked in every if wanted is None else wanted:
        name, stays = asked.removesuffix(LASTING), asked.endswith(LASTING)
        if name not in held:
            there = ", ".join(every) or "none"
            raise ArchiveError(
                f"{store.root} holds no {asked}; run terradrift detect --method first "
                f"(there are: {there})"
            )
        found = _stored(store, control, name, held[name])
        yield _lasting(found, asked) if stays else found


def _lasting(found: Stored, name: str) -> Stored:
    control = found.control and replace(found.control, name=name, stays=True)
    return replace(found, name=name, stays=True, control=control)


def _stored(store: Store, control: Store | None, name: str, table: str) -> Stored:
    column = "z" if store.count(table, "z IS NOT NULL") else "score"
    other = None
    if control is not None and control.exists(table):
        other = Stored(name=name, column=column, scores=_scores(control, table, column))
    return Stored(
        name=name, column=column, scores=_scores(store, table, column), control=other
    )


def _scores(store: Store, table: str, column: str) -> Scores:
    rows = store.scan(
        table, ["patch_id", "datetime", column], f"{column} IS NOT NULL"
    ).read_all()
    return Scores.of(
        rows["patch_id"].to_numpy(zero_copy_only=False).astype(np.str_),
        rows["datetime"].cast(pa.int64()).to_numpy().astype("datetime64[us]"),
        rows[column].to_numpy(zero_copy_only=False),
    )
