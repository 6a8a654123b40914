"""Where a z stands among those of patches that are judged alike: p-values (pure).

Conformal p-values (Vovk, Gammerman & Shafer 2005) within groups: p is the rank of a
patch's z among the placebo z of the pool's patches that were about as restless before the
date (thirds of their mean z so far), on the date itself and on earlier dates of its season.
Within a date and group, z is first taken relative to the group's median and to the
distance from there to its upper quintile, so that a hazy date is not an alarm.

If patches of a group are exchangeable, and what a date does to z is a shift and a scale,
P(p <= a) is a for an unchanged patch. Where most of the season's earlier dates are
unchanged, many patches may be unlikely at once; a rank within the date alone could not say
so: of m ranks, k m-ths are at most k/m, whatever happened. Only dates up to the judged one
are used.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.reference import season_distance
from terradrift.detect.settings import Settings

GROUPS = np.array(["+calm", "+usual", "+restless", ""])
"""How groups are named in `scores.reference`; the last are all patches together."""
_ALL = len(GROUPS) - 1
_LEAST = 20
"""Members that a group must have on a date, or all are taken; fewer of all: no rank."""
_MOST = 8192
"""Ranks are among about so many z, the newest."""
_UPPER = 0.8
_LOUDEST = 5.0
"""A larger z counts as this in how restless a patch was: one cloud does not decide."""
_SCALE_FLOOR = 0.1


@dataclass(frozen=True, slots=True, eq=False)
class _Group:
    """The z of one group on one date."""

    middle: float
    scale: float
    known: NDArray[np.float32]
    """(k,), of the date and of earlier ones, relative and ascending."""


class Ranks:
    """The placebo z of `m` patches on `t` dates, by date and group."""

    def __init__(
        self,
        z: NDArray[np.float32],
        days: NDArray[np.datetime64],
        settings: Settings,
    ) -> None:
        """Take z (m, t), NaN where not known, of ascending `days` (t,)."""
        past = restless(z)
        self._cuts = [_cuts(past[:, at], z[:, at]) for at in range(len(days))]
        groups = self._groups(z, np.arange(len(days)))
        self._dates: list[dict[int, _Group]] = []
        relative: list[dict[int, NDArray[np.float32]]] = []
        for at, day in enumerate(days):
            near = np.flatnonzero(
                season_distance(days[: at + 1], day) <= settings.window_days
            )
            here: dict[int, _Group] = {}
            relative.append({})
            for group in range(len(GROUPS)):
                inside = np.isfinite(z[:, at])
                if group != _ALL:
                    inside &= groups[:, at] == group
                if inside.sum() < _LEAST:
                    continue
                values = z[inside, at]
                middle, upper = np.quantile(values, [0.5, _UPPER])
                scale = float(upper - middle) + _SCALE_FLOOR
                relative[at][group] = _relative(values, float(middle), scale)
                here[group] = _Group(
                    float(middle), scale, _newest(relative, near, group)
                )
            self._dates.append(here)

    def p_value(
        self,
        z: NDArray[np.float32],
        columns: NDArray[np.int64],
        members: NDArray[np.int64],
    ) -> tuple[NDArray[np.float32], NDArray[np.str_]]:
        """p-values (n, t) of z (n, t) on the dates `columns`, and the names (n, t) of groups.

        `members` (n,) are places among the `m` patches, -1 elsewhere; a member's own z of
        the date is not counted. NaN where fewer than 20 patches are known.
        """
        p = np.full(z.shape, np.nan, np.float32)
        name = np.full(z.shape, "", GROUPS.dtype)
        group = self._groups(z, columns)
        for at, column in enumerate(columns):
            here = self._dates[column]
            known = np.isfinite(z[:, at])
            used = np.where(np.isin(group[:, at], list(here)), group[:, at], _ALL)
            for number, of in here.items():
                rows = np.flatnonzero(known & (used == number))
                value = _relative(z[rows, at], of.middle, of.scale)
                count = len(of.known) - np.searchsorted(of.known, value, side="left")
                # A member is counted among the known already.
                own = members[rows] >= 0
                p[rows, at] = (count + ~own) / (len(of.known) + ~own)
                name[rows, at] = GROUPS[number]
        return p, name

    def _groups(
        self, z: NDArray[np.float32], columns: NDArray[np.int64]
    ) -> NDArray[np.int8]:
        """(n, t) groups of patches with z (n, t) on the dates `columns` (t,)."""
        past = restless(z)
        out = np.full(z.shape, _ALL, np.int8)
        for at, column in enumerate(columns):
            cuts = self._cuts[column]
            if cuts is not None:
                known = np.isfinite(past[:, at])
                out[known, at] = np.searchsorted(cuts, past[known, at])
        return out


def restless(z: NDArray[np.floating]) -> NDArray[np.float64]:
    """(n, t) mean z of the dates before each one; NaN where none has a z."""
    known = np.isfinite(z)
    total = np.cumsum(np.where(known, np.minimum(z, _LOUDEST), 0.0), axis=1)
    count = np.cumsum(known, axis=1)
    past = np.full(z.shape, np.nan)
    seen = count[:, :-1] > 0
    past[:, 1:][seen] = total[:, :-1][seen] / count[:, :-1][seen]
    return past


def _relative(
    z: NDArray[np.float32], middle: float, scale: float
) -> NDArray[np.float32]:
    """The same bits wherever it is computed, so that a member meets its own z."""
    value: NDArray[np.float32] = (z - np.float32(middle)) / np.float32(scale)
    return value


def _cuts(
    past: NDArray[np.float64], z: NDArray[np.float32]
) -> NDArray[np.float64] | None:
    """The thirds of `past` (m,) among the patches with a z; None where they are too few."""
    known = past[np.isfinite(past) & np.isfinite(z)]
    if len(known) < _LEAST * _ALL:
        return None
    cuts: NDArray[np.float64] = np.quantile(known, np.arange(1, _ALL) / _ALL)
    return cuts


def _newest(
    relative: list[dict[int, NDArray[np.float32]]],
    near: NDArray[np.int64],
    group: int,
) -> NDArray[np.float32]:
    """The z of a group on the dates `near`, the newest first until there are enough, sorted."""
    kept: list[NDArray[np.float32]] = []
    for at in near[::-1]:
        if sum(map(len, kept)) >= _MOST:
            break
        if group in relative[at]:
            kept.append(relative[at][group])
    return np.sort(np.concatenate(kept))
