"""What a search found, as it is kept and as it is told page by page."""

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from terradrift.query.result import Result
from terradrift.serve.change import plain
from terradrift.serve.change.rows import Rows

if TYPE_CHECKING:
    from collections.abc import Mapping

FIRST = 100
"""Rows that come with the answer itself."""
COLUMNS = (
    "change_id",
    "patch_id",
    "event_id",
    "number",
    "onset",
    "onset_early",
    "onset_late",
    "ended",
    "date_before",
    "date_after",
    "score",
    "z",
    "p_value",
    "q_value",
    "false_alarms",
    "persistence",
    "kind",
    "kind_probability",
    "rarity",
    "d_ndvi",
    "d_nbr",
    "d_ndwi",
    "longitude",
    "latitude",
    "bbox",
)
"""Of a row that is told."""


@dataclass(frozen=True, slots=True, eq=False)
class Found:
    """The matches of one search (`serve.columns.named.Matches`), and how they were got."""

    ids: pa.Array
    """(k,) ids of changes, best first."""
    distances: NDArray[np.float32]
    """(k,), ascending: cosine distance, or how far the probability is from one half."""
    told: "Mapping[str, Any]" = field(default_factory=dict)
    """Note, exact, recall, plan, space, mode."""
    probability: NDArray[np.float32] | None = None
    """(k,), of being liked; of a search for what to judge next."""

    @property
    def change_ids(self) -> list[str]:
        """(k,), best first."""
        ids: list[str] = self.ids.to_pylist()
        return ids

    def __len__(self) -> int:
        return len(self.ids)


def of_similar(result: Result) -> Found:
    """What `similar` found; its table has `change_id` and `distance`."""
    table = result.table
    return Found(
        table["change_id"].combine_chunks(),
        table["distance"].to_numpy().astype(np.float32),
        _told(result),
    )


def of_uncertain(result: Result) -> Found:
    """What `uncertain` found, the least certain first."""
    table = result.table
    probability = table["probability"].to_numpy().astype(np.float32)
    doubt = np.abs(probability - np.float32(0.5))
    order = np.argsort(doubt, kind="stable")
    ids = table["change_id"].combine_chunks().take(pa.array(order))
    return Found(ids, doubt[order], _told(result), probability[order])


def page(rows: Rows, found: Found, offset: int, limit: int) -> list[dict[str, Any]]:
    """Rows `offset` to `offset + limit` of the matches, as they are in this generation.

    One that is not there any more (changes were detected anew) has its id, its rank and its
    distance alone, and `gone`.
    """
    ids = found.ids.slice(offset, limit).to_pylist()
    held = rows.changes(ids, COLUMNS)
    out = []
    for at, one in enumerate(ids, start=offset):
        row = held.get(one)
        told: dict[str, Any] = {"rank": at + 1, "change_id": one}
        if found.probability is None:
            told["distance"] = plain.number(float(found.distances[at]), 6)
        else:
            told["probability"] = plain.number(float(found.probability[at]), 4)
        if row is None:
            out.append({**told, "gone": True})
            continue
        kind = rows.kinds.get(row["kind"]) if row["kind"] is not None else None
        out.append(
            {
                **plain.row(row),
                "kind_name": (kind["name"] or kind["label"]) if kind else None,
                **told,
            }
        )
    return out


def _told(result: Result) -> dict[str, Any]:
    return {
        "note": result.note,
        "exact": result.exact,
        "recall": None if result.recall is None else result.recall.value,
        "plan": result.plan,
        "space": result.space,
        "mode": result.mode,
    }
