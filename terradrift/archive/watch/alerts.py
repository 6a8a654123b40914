"""The table of alerts: rows of what is raised, and what becomes of them."""

import numpy as np
import pyarrow as pa
import shapely
from numpy.typing import NDArray

from terradrift import schema
from terradrift.archive import places
from terradrift.detect.monitor.reference import Reference
from terradrift.detect.monitor.replay import Alerts
from terradrift.grid import Grid, parse_id

OPEN, ENDED, CLOSED, WITHDRAWN = "open", "ended", "closed", "withdrawn"
"""Whether the patch still differs; not any more; watching began anew since; a late scene
took the evidence away."""


def alert_ids(
    model: str, patch_ids: NDArray[np.str_], detected: NDArray[np.datetime64]
) -> list[str]:
    """Ids (n,) of model, patch and scene: the same alert has the same id in every run."""
    name = schema.suffix(model)
    stamps = np.datetime_as_string(detected, unit="s").tolist()
    return [
        f"{name}-{patch}-{stamp.replace('-', '').replace(':', '')}"
        for patch, stamp in zip(patch_ids.tolist(), stamps, strict=True)
    ]


def rows(
    found: Alerts, reference: Reference, model: str, grid: Grid, run_id: str
) -> pa.Table:
    """Rows of `schema.alerts` for alerts that are raised."""
    columns = schema.alerts()
    n = len(found.row)
    if n == 0:
        return columns.empty_table()
    ids = reference.patch_ids[found.row]
    cells = np.array([parse_id(one) for one in ids.tolist()], np.int64)
    pool = reference.patch_ids[reference.pool]
    delay = (found.detected - found.onset) / np.timedelta64(1, "D")
    made = {
        "alert_id": pa.array(alert_ids(model, ids, found.detected), pa.string()),
        "patch_id": pa.array(ids, pa.string()),
        "tile": pa.array(_tiles(grid, cells), pa.string()),
        "detected": places.instants(found.detected),
        "onset": places.instants(found.onset),
        "onset_early": places.instants(found.onset_early),
        "onset_late": places.instants(found.detected),
        "delay_days": places.nullable(delay),
        "z": places.nullable(found.z),
        "p_value": places.nullable(found.p_value),
        "cusum": places.nullable(found.level),
        "ewma": places.nullable(found.average),
        "false_alarms": places.nullable(found.false_alarms),
        "n_dates": pa.array(found.dates, pa.int32()),
        "n_controls": pa.array(found.n_controls, pa.int32()),
        "controls": pa.array(
            [pool[near[near >= 0]].tolist() for near in found.controls],
            pa.list_(pa.string()),
        ),
        "status": pa.array([OPEN] * n, pa.string()),
        "ended": pa.nulls(n, schema.INSTANT),
        "reason": pa.array(_reasons(found), pa.string()),
        **places.columns(
            np.asarray(shapely.polygons(places.corners(grid, cells)), dtype=object)
        ),
        "run_id": pa.array([run_id] * n, pa.string()),
    }
    return pa.Table.from_arrays([made[name] for name in columns.names], schema=columns)


def _tiles(grid: Grid, cells: NDArray[np.int64]) -> list[str]:
    return [
        str(grid.tile_of(int(epsg), np.array([row]), np.array([col]))[0])
        for epsg, row, col in cells
    ]


def _reasons(found: Alerts) -> list[str]:
    """Why each was raised, in words."""
    since = np.datetime_as_string(found.onset, unit="D").tolist()
    return [
        f"has left its {controls} analogues in one direction on {dates} dates since {day}"
        for controls, dates, day in zip(
            found.n_controls.tolist(), found.dates.tolist(), since, strict=True
        )
    ]


class Book:
    """All alerts of an archive under one model, as they change."""

    def __init__(self, held: pa.Table) -> None:
        self._parts = [held]
        self._by_id = {
            one: (status, ended)
            for one, status, ended in zip(
                held["alert_id"].to_pylist(),
                held["status"].to_pylist(),
                held["ended"].cast(pa.int64()).to_pylist(),
                strict=True,
            )
        }
        self._open = {
            patch: one
            for patch, one, status in zip(
                held["patch_id"].to_pylist(),
                held["alert_id"].to_pylist(),
                held["status"].to_pylist(),
                strict=True,
            )
            if status == OPEN
        }
        self._doubtful: set[str] = set()
        self.raised: list[str] = []
        """Ids of alerts that were not there before."""
        self.ended = 0
        """Alerts that ended."""

    def restart(self, start: np.datetime64) -> None:
        """Days from `start` on are judged again: what was raised there must show again."""
        table = self.table()
        detected = table["detected"].cast(pa.int64()).to_numpy()
        since = int(start.astype("datetime64[us]").astype(np.int64))
        for one, instant in zip(table["alert_id"].to_pylist(), detected, strict=True):
            if instant >= since:
                self._doubtful.add(one)
            elif self._by_id[one][0] == OPEN:
                self._by_id[one] = (CLOSED, None)
        self._open = {}

    def add(self, fresh: pa.Table) -> None:
        """Take alerts; one that is there already is open again, and not raised twice."""
        ids = fresh["alert_id"].to_pylist()
        new = [one not in self._by_id for one in ids]
        for one, patch in zip(ids, fresh["patch_id"].to_pylist(), strict=True):
            self._by_id[one] = (OPEN, None)
            self._open[patch] = one
        self._doubtful -= set(ids)
        self.raised += [one for one, is_new in zip(ids, new, strict=True) if is_new]
        if any(new):
            self._parts.append(fresh.filter(pa.array(new)))

    def end(
        self, patch_ids: NDArray[np.str_], instants: NDArray[np.datetime64]
    ) -> None:
        """Note that open alerts of patches ended."""
        micros = instants.astype("datetime64[us]").astype(np.int64).tolist()
        for patch, instant in zip(patch_ids.tolist(), micros, strict=True):
            self._by_id[self._open.pop(patch)] = (ENDED, instant)
            self.ended += 1

    def withdraw(self) -> int:
        """Give up what was to show again and did not; returns how many."""
        for one in self._doubtful:
            self._by_id[one] = (WITHDRAWN, None)
        count = len(self._doubtful)
        self._doubtful = set()
        return count

    def count(self, status: str) -> int:
        """Alerts of that status."""
        return sum(one == status for one, _ in self._by_id.values())

    def table(self) -> pa.Table:
        """All rows, in order of detection."""
        whole = pa.concat_tables(self._parts)
        told = [self._by_id[one] for one in whole["alert_id"].to_pylist()]
        status = pa.array([one for one, _ in told], pa.string())
        ended = pa.array([one for _, one in told], pa.int64()).cast(schema.INSTANT)
        for name, column in (("status", status), ("ended", ended)):
            at = whole.schema.get_field_index(name)
            whole = whole.set_column(at, whole.schema.field(name), column)
        return whole.sort_by([("detected", "ascending"), ("alert_id", "ascending")])
