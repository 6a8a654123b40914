"""Rows of the table `kinds`: what is known of a cluster from its changes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from terradrift import schema
from terradrift.chip import INDICES
from terradrift.detect.kinds import BRANCH, KIND, PART
from terradrift.detect.kinds.fates import BORN, Fate
from terradrift.detect.labels import label
from terradrift.errors import ArchiveError
from terradrift.store.tables import Store

_INDICES = tuple(f"d_{name}" for name in INDICES)


@dataclass(frozen=True, slots=True, eq=False)
class Facts:
    """Of each of `n` changes, what its kind is described by."""

    ids: NDArray[np.object_]
    """(n,), change ids."""
    events: NDArray[np.object_]
    """(n,), event ids."""
    indices: NDArray[np.float64]
    """(n, 3), differences of NDVI, NBR, NDWI; NaN where unknown."""
    rarity: NDArray[np.float64]
    """(n,), 0..1, NaN where unknown."""
    length: NDArray[np.float64]
    """(n,), of the deltas, 1 for the median of all."""

    @classmethod
    def of(cls, changes: pa.Table, delta: NDArray[np.floating]) -> "Facts":
        """From the table of changes and their deltas (n, d)."""
        length = np.linalg.norm(delta.astype(np.float64), axis=1)
        typical = float(np.median(length)) if len(length) else 1.0
        return cls(
            np.array(changes["change_id"].to_pylist(), object),
            np.array(changes["event_id"].to_pylist(), object),
            np.stack([_floats(changes, name) for name in _INDICES], axis=1),
            _floats(changes, "rarity"),
            length / (typical or 1.0),
        )

    def described(self, rows: NDArray[np.int64]) -> dict[str, object]:
        """Columns of a cluster of some of the changes."""
        medians = [_median(column) for column in self.indices[rows].T]
        said = label(*(np.nan if one is None else one for one in medians))
        return {
            "size": len(rows),
            "n_events": len(set(self.events[rows].tolist())),
            "share": len(rows) / len(self.ids) if len(self.ids) else None,
            "rarity": _median(self.rarity[rows]),
            "magnitude": _median(self.length[rows]),
            **dict(zip(_INDICES, medians, strict=True)),
            "label": said.label,
            "description": said.description,
        }


def ranked(rows: Sequence[dict[str, object]]) -> list[dict[str, object]]:
    """The rows with the rank of kinds: rare and strong ones first.

    What is not known of a kind counts as typical.
    """
    kinds = [row for row in rows if row["role"] == KIND]
    order = sorted(
        kinds,
        key=lambda row: (
            -_or(row["rarity"], 0.5) * _or(row["magnitude"], 1.0),
            row["kind"],
        ),
    )
    rank = {row["kind"]: place for place, row in enumerate(order, start=1)}
    return [{**row, "rank": rank.get(row["kind"])} for row in rows]


def fated(
    rows: Sequence[dict[str, object]], fates: Sequence[Fate]
) -> list[dict[str, object]]:
    """The rows with what became of each kind since the fit before."""
    of = {number: fate for fate in fates for number in fate.new}
    out = []
    for row in rows:
        fate = of.get(row["kind"])  # type: ignore[call-overload]
        known = row["role"] == KIND
        out.append(
            {
                **row,
                "fate": (fate.what if fate else BORN) if known else None,
                "came_from": list(fate.old) if fate and known else None,
            }
        )
    return out


def table(
    rows: Sequence[dict[str, object]],
    *,
    names: Mapping[int, str],
    fit: int,
    run_id: str,
) -> pa.Table:
    """The rows as `schema.kinds()`, in order of rank, then branches and parts."""
    roles = {role: place for place, role in enumerate((KIND, BRANCH, PART))}
    ordered = sorted(
        rows,
        key=lambda row: (roles[str(row["role"])], row["rank"] or 0, row["kind"]),
    )
    full = [
        {**row, "name": names.get(int(str(row["kind"]))), "fit": fit, "run_id": run_id}
        for row in ordered
    ]
    return pa.Table.from_pylist(full, schema=schema.kinds())


def held(store: Store, model: str, *, tree: bool) -> pa.Table:
    """The table of the model: kinds by rank, with `tree` then branches and parts.

    Raises:
        ArchiveError: it is not there.
    """
    name = f"kinds_{schema.suffix(model)}"
    if not store.exists(name):
        raise ArchiveError(
            f"{store.root} holds no kinds of {model}; run terradrift cluster first"
        )
    rows = store.scan(name).read_all()
    return rows if tree else rows.filter(pc.equal(rows["role"], KIND))


def _or(value: object, otherwise: float) -> float:
    return otherwise if value is None else float(str(value))


def _median(values: NDArray[np.float64]) -> float | None:
    known = values[np.isfinite(values)]
    return float(np.median(known)) if len(known) else None


def _floats(table: pa.Table, name: str) -> NDArray[np.float64]:
    values: NDArray[np.float64] = table[name].to_numpy(zero_copy_only=False)
    return values.astype(np.float64)
