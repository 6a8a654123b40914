"""Scores of observations: drift, its calibration, and z against analogues (pure)."""

from dataclasses import dataclass, fields
from typing import Any

import numpy as np
from numpy.typing import NDArray

from terradrift.detect import analogue, calibrate, onset
from terradrift.detect.block import Scores
from terradrift.detect.own import Own
from terradrift.detect.pool import Pool
from terradrift.detect.settings import Settings

_KIND = np.array(["", "season", "recent"])
_EWMA = 0.2
"""Weight of the newest z in its moving average."""


@dataclass(frozen=True, slots=True, eq=False)
class Ranked:
    """What the distance of `n` patches to their analogues means on `t` dates."""

    z: NDArray[np.float32]
    """(n, t), in robust standard deviations of the analogues' distances to their own."""
    p_value: NDArray[np.float32]
    """(n, t), 0..1, rank of z among the pool's."""
    group: NDArray[np.str_]
    """(n, t), `+calm`, `+usual` or `+restless` where z is ranked among patches that were
    as restless so far; empty where it is ranked among all."""


@dataclass(frozen=True, slots=True, eq=False)
class Beside:
    """How `n` patches compare with their analogues on `t` dates; NaN without enough."""

    distance: NDArray[np.float32]
    """(n, t), half the squared distance to the expected vector, in units of the pool's
    mean squared length and at most 2: as a cosine distance, about 1 where unrelated."""
    length: NDArray[np.float32]
    """(n, t), distance to the expected vector, as it is."""
    count: NDArray[np.int32]
    """(n, t), analogues."""
    index: NDArray[np.int32]
    """(n, t, k), their places in the pool, nearest first; -1 where there is none."""
    residual: NDArray[np.float32]
    """(n, t, r), vector less the expected one; zeros where there is none."""

    def controls_at(
        self, rows: NDArray[np.int64], at: NDArray[np.int64], most: int = 10
    ) -> NDArray[np.int32]:
        """Places in the pool of the nearest analogues of `rows` (m,) on dates number `at` (m,).

        (m, most), nearest first, -1 where there are fewer.
        """
        near = self.index[rows, at, :most]
        short = ((0, 0), (0, most - near.shape[1]))
        return np.pad(near, short, constant_values=-1)


def beside(
    patches: analogue.Histories,
    columns: NDArray[np.int64],
    members: NDArray[np.int64],
    pool: Pool,
    settings: Settings,
) -> Beside:
    """Compare reduced vectors of `n` patches on `t` dates with their analogues' of the same dates.

    `columns` (t,) place the dates among the pool's, `members` (n,) the patches in the pool.
    """
    vectors, shape = patches.vectors, patches.clear.shape
    distance = np.full(shape, np.nan, np.float32)
    apart = np.full(shape, np.nan, np.float32)
    count = np.zeros(shape, np.int32)
    index = np.full((*shape, settings.controls), -1, np.int32)
    residual = np.zeros_like(vectors)
    for found in analogue.controls(
        patches,
        analogue.Histories(pool.vectors, pool.clear),
        members,
        most=settings.controls,
        least=settings.min_controls,
        columns=columns,
    ):
        rows, at = found.rows, found.at
        expected = analogue.expected(found, pool.vectors, int(columns[at]))
        residual[rows, at] = vectors[rows, at] - expected
        length = np.linalg.norm(residual[rows, at], axis=1)
        valid = found.weight > 0
        distance[rows, at] = np.minimum(length**2 / (2.0 * pool.square), 2.0)
        apart[rows, at] = length
        count[rows, at] = valid.sum(axis=1)
        index[rows, at, : valid.shape[1]] = np.where(valid, found.index, -1)
    return Beside(distance, apart, count, index, residual)


def scores(
    by_own: Own,
    by_others: Beside,
    from_scene: NDArray[np.float32],
    *,
    ranked: Ranked,
    shift: NDArray[np.float32],
    lof: NDArray[np.float32],
    settings: Settings,
) -> Scores:
    """Join what the own past, the analogues and the scene say.

    All are of the dates (n, t) on which anything was clear; `from_scene` (n, t) is the
    distance to what the scene lets expect (`scene.Scene.apart`), `ranked` what the distance
    to analogues means among the pool's, `shift` (t,) the scene-wide z of own drift, taken
    off, and `lof` (n, t) the observations' novelty. z is beside analogues where there are
    enough, otherwise beside the own past; so is its p-value, which is null where fewer than
    20 patches have a z beside analogues: the own past says nothing of that z.
    """
    aside = np.isfinite(ranked.z)
    z = np.where(aside, ranked.z, by_own.z - shift)
    p = np.where(aside, ranked.p_value, by_own.p_value)
    # Patches are analogues by their histories: a date or two are none.
    alike = np.where(
        by_own.count >= settings.min_reference, by_others.distance, np.float32(np.nan)
    )
    drift = _joined(by_own.drift, from_scene, alike)
    used = np.char.add(_KIND[by_own.kind], np.where(aside, "+analogues", ""))
    used = np.char.add(used, ranked.group)
    clear = by_own.clear
    reason = np.where(clear, "", "not clear enough").astype("U32")
    reason[clear & ~np.isfinite(p)] = "too few patches to rank among"
    reason[clear & ~np.isfinite(z)] = "history too short"
    reason[clear & ~np.isfinite(by_own.drift)] = "no earlier observation"
    return Scores(
        by_own.count,
        by_others.count,
        used,
        drift,
        z.astype(np.float32),
        p.astype(np.float32),
        lof,
        onset.cusum(z, settings.cusum_slack),
        calibrate.ewma(z, _EWMA),
        reason,
    )


def _joined(
    own: NDArray[np.float32], *others: NDArray[np.float32]
) -> NDArray[np.float32]:
    """The geometric mean of the known distances; NaN where `own` is.

    What is far from its past by one of them and near by another is rather noise, a season
    or a haze than a change.
    """
    product, count = own.astype(np.float64), np.ones(own.shape)
    for other in others:
        known = np.isfinite(other)
        product = np.where(known, product * np.where(known, other, 1.0), product)
        count += known
    joined: NDArray[np.float32] = (product ** (1.0 / count)).astype(np.float32)
    return joined


def placed(found: Scores, where: NDArray[np.int64], seen: NDArray[np.bool_]) -> Scores:
    """The scores of dates `where` (k,) among all dates of `seen` (n, t).

    The other dates have observations that are not clear, or none: `seen` says which.
    """

    def spread(name: str) -> NDArray[Any]:
        part = getattr(found, name)
        null = np.nan if part.dtype.kind == "f" else part.dtype.type()
        whole = np.full(seen.shape, null, part.dtype)
        whole[:, where] = part
        return whole

    columns = {field.name: spread(field.name) for field in fields(Scores)}
    unclear = np.ones(seen.shape[1], bool)
    unclear[where] = False
    columns["reason"][:, unclear] = "not clear enough"
    columns["reason"][~seen] = ""
    return Scores(**columns)
