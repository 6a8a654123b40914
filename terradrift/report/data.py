"""What a report is made of: plain tables and arrays, and one way to ask for pixels."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

Box = tuple[float, float, float, float]
"""West, south, east, north in degrees."""

Chip = Callable[[datetime, Box, tuple[int, int]], NDArray[np.float32] | None]
"""Pixels for a picture: instant (UTC), box in degrees, (height, width) wanted.

Gives reflectance on a regular longitude-latitude grid of the box, north up: (y, x, 3) red,
green, blue, or (y, x, 1) where there is no colour; NaN where nothing is known. None where
no scene of that instant can be read.
"""

_RGB = ("red", "green", "blue")

COLUMNS = {
    "events": (
        "event_id",
        "rank",
        "start",
        "peak",
        "end",
        "n_patches",
        "area_km2",
        "max_score",
        "max_z",
        "min_p_value",
        "persistence",
        "kind",
        "label",
        "d_ndvi",
        "d_nbr",
        "d_ndwi",
        "longitude",
        "latitude",
        "geometry",
    ),
    "changes": (
        "change_id",
        "patch_id",
        "onset",
        "onset_early",
        "onset_late",
        "ended",
        "date_before",
        "date_after",
        "gap_days",
        "n_reference",
        "n_controls",
        "reference",
        "z",
        "p_value",
        "q_value",
        "false_alarms",
        "score",
        "persistence",
        "event_id",
    ),
    "scores": ("patch_id", "datetime", "z", "reason"),
    "kinds": ("kind", "size", "label", "name", "description"),
    "scenes": ("scene_id", "datetime", "cloud_percent"),
    "runs": ("verb", "status", "started", "ended", "rows", "message"),
}
"""Columns that are used of each table, by the schemas of `terradrift.schema`."""


def colour(bands: tuple[str, ...]) -> tuple[str, ...]:
    """The bands of a picture: true colour where they are held, otherwise the first."""
    return _RGB if set(bands).issuperset(_RGB) else bands[:1]


def no_chip(_at: datetime, _box: Box, _shape: tuple[int, int]) -> None:
    """The chip of an archive whose pixels are out of reach."""


@dataclass(frozen=True, slots=True, eq=False)
class ReportData:
    """One report. Tables may have more columns than `COLUMNS` names, and any may be empty.

    Raises:
        ValueError: a table without one of its columns, or arrays of unequal length.
    """

    title: str
    model: str
    patch_size: int
    """Metres."""
    events: pa.Table
    """`schema.events`, in any order; rank 1 is the first."""
    changes: pa.Table
    """`schema.changes` of (at least) the top events; vectors are not needed."""
    scores: pa.Table
    """`schema.scores` of the patches that `shown_patches` names."""
    kinds: pa.Table
    scenes: pa.Table
    runs: pa.Table
    corners: NDArray[np.float64]
    """(n, 4, 2), longitude and latitude of the corners of every patch, in a round."""
    values: NDArray[np.float32]
    """(n,), what the map shows of every patch: NaN where nothing could be said of it, 0
    where it was judged and did not change."""
    values_name: str = "change score"
    """What `values` are: `change score`, or `drift` where dates are too few for changes."""
    n_observations: int = 0
    abstained: Mapping[str, int] = field(default_factory=dict)
    """Reason (as in `scores.reason`) to the number of observations without a z."""
    skipped: tuple[tuple[str, str], ...] = ()
    """Scenes that could not be read: id and why."""
    chip: Chip = no_chip
    top: int = 12
    """Events that are shown with pictures."""

    def __post_init__(self) -> None:
        for name, columns in COLUMNS.items():
            lacking = set(columns) - set(getattr(self, name).column_names)
            if lacking:
                raise ValueError(
                    f"{name} lacks the columns {', '.join(sorted(lacking))}; "
                    f"a report needs {', '.join(columns)}"
                )
        if self.corners.shape != (len(self.values), 4, 2):
            raise ValueError(
                f"corners must be ({len(self.values)}, 4, 2) for {len(self.values)} "
                f"values, got {self.corners.shape}"
            )
        if self.top < 1:
            raise ValueError(f"top must be at least 1, got {self.top}")


def ranked(events: pa.Table, top: int | None = None) -> pa.Table:
    """The best `top` events, best first."""
    ordered = events.sort_by([("rank", "ascending"), ("event_id", "ascending")])
    return ordered if top is None else ordered.slice(0, top)


def strongest(changes: pa.Table) -> dict[str, dict[str, object]]:
    """Event to its change of the highest score (the first `change_id` of several)."""
    ordered = changes.select(COLUMNS["changes"]).sort_by(
        [("score", "ascending"), ("change_id", "descending")]
    )
    return {row["event_id"]: row for row in ordered.to_pylist()}


def shown_patches(events: pa.Table, changes: pa.Table, top: int = 12) -> list[str]:
    """The patches whose score series a report of the `top` best events shows."""
    best = strongest(changes)
    wanted = ranked(events, top)["event_id"].to_pylist()
    return list(
        dict.fromkeys(str(best[one]["patch_id"]) for one in wanted if one in best)
    )
