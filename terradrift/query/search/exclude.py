"""Rows that a search leaves out because they are the example's own, or lie about it."""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from terradrift.errors import QueryError
from terradrift.query.search.aim import Own

Exclude = Literal["event", "self", "none"]
EXCLUDES: tuple[Exclude, ...] = get_args(Exclude)

EARTH_RADIUS_M = 6_371_008.8
"""Mean radius of the Earth (IUGG)."""

_LENGTH = re.compile(r"\s*([0-9.]+(?:[eE][+-]?[0-9]+)?)\s*(m|km)?\s*")


def parse(exclude: str | None, *, judged: bool = False) -> Exclude:
    """Read what is left out; None: `event` of one example, `self` of what was judged.

    What was judged is meant to tell a kind of change apart, and the rest of an event of
    which some was judged may well be of that kind.

    Raises:
        QueryError: no such word.
    """
    if exclude is None:
        return "self" if judged else "event"
    if exclude not in EXCLUDES:
        raise QueryError(
            f"exclude must be one of {', '.join(EXCLUDES)}, got {exclude!r}"
        )
    return exclude


def parse_radius(given: "float | str | None") -> float | None:
    """Metres of a length: a number of metres, or text such as `500m` or `5km`.

    Raises:
        QueryError: not a length, or not above 0.
    """
    if given is None:
        return None
    metres = math.nan
    if isinstance(given, str):
        if match := _LENGTH.fullmatch(given):
            metres = _number(match[1]) * (1000.0 if match[2] == "km" else 1.0)
    else:
        metres = float(given)
    if not (math.isfinite(metres) and metres > 0):
        raise QueryError(
            f"expected exclude_radius as metres above 0 or as 5km, got {given!r}"
        )
    return metres


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


@dataclass(frozen=True, slots=True, eq=False)
class Leave:
    """What is left out of an answer, told by columns of its rows."""

    own: Own
    exclude: Exclude
    seen: str
    """The column of the instant that tells an example's own row: `date_after`, `datetime`."""

    def columns(self, held: Sequence[str]) -> list[str]:
        """Columns of the table that must be known of a row."""
        wanted = {
            "none": (),
            "self": ("change_id", "patch_id", self.seen),
            "event": ("change_id", "patch_id", "event_id", self.seen),
        }[self.exclude]
        return [name for name in wanted if name in held]

    @property
    def about(self) -> int:
        """A guess of how many rows there are to leave out."""
        if self.exclude == "none":
            return 0
        return len(self.own.change_ids) + len(self.own.observations)

    def kept(self, rows: pa.Table) -> NDArray[np.bool_]:
        """(n,) which rows are not left out."""
        kept = np.ones(rows.num_rows, bool)
        if self.exclude == "none":
            return kept
        kept &= ~_among(rows, "change_id", self.own.change_ids)
        if self.exclude == "event":
            kept &= ~_among(rows, "event_id", self.own.event_ids)
            return kept & ~_among(rows, "patch_id", self.own.patch_ids)
        if self.own.observations:
            mine = np.flatnonzero(_among(rows, "patch_id", self.own.patch_ids))
            pairs = (
                rows.select(["patch_id", self.seen]).take(pa.array(mine)).to_pylist()
            )
            same = [
                (pair["patch_id"], pair[self.seen]) in self.own.observations
                for pair in pairs
            ]
            kept[mine[np.array(same, bool)]] = False
        return kept


def _among(rows: pa.Table, column: str, values: frozenset[str]) -> NDArray[np.bool_]:
    if not values or column not in rows.column_names:
        return np.zeros(rows.num_rows, bool)
    inside = pc.is_in(rows[column], value_set=pa.array(sorted(values)))
    found: NDArray[np.bool_] = inside.to_numpy(zero_copy_only=False)
    return found


def near(
    places: NDArray[np.float64], own: NDArray[np.float64], metres: float
) -> NDArray[np.bool_]:
    """(n,) which places lie within `metres` of one of `own`, along a great circle.

    Places (2, n) and own places (m, 2) are longitude and latitude in degrees; a place that
    is not known lies near nothing.
    """
    from scipy.spatial import KDTree

    found = np.zeros(places.shape[1], bool)
    angle = min(metres / EARTH_RADIUS_M, math.pi)
    # Only latitudes within reach can be near: most of an archive is passed over at once.
    reach = math.degrees(angle)
    south, north = own[:, 1].min() - reach, own[:, 1].max() + reach
    at = np.flatnonzero((places[1] >= south) & (places[1] <= north))
    at = at[np.isfinite(places[0, at])]
    if len(at):
        distances, _ = KDTree(_on_sphere(own.T)).query(
            _on_sphere(places[:, at]), distance_upper_bound=_chord(angle)
        )
        found[at] = np.isfinite(distances)
    return found


def _chord(angle: float) -> float:
    # The query's bound is open; a place at the very radius is near.
    return math.nextafter(2.0 * math.sin(angle / 2.0), math.inf)


def _on_sphere(places: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 3) on the unit sphere, of (2, n) longitude and latitude in degrees."""
    longitude, latitude = np.radians(places)
    across = np.cos(latitude)
    return np.column_stack(
        [across * np.cos(longitude), across * np.sin(longitude), np.sin(latitude)]
    )
