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


@dataclass(frozen=True, slots=True, eq=False)
class Beside:
    """How `n` patches compare with their analogues on `t` dates; NaN without enough."""

    distance: NDArray[np.float32]
    """(n, t), half the squared distance to the expected vector, in units of the pool's
    mean squared length and at most 2: as a cosine distance, about 1 where unrelated."""
    z: NDArray[np.float32]
    p_value: NDArray[np.float32]
    count: NDArray[np.int32]
    """(n, t), analogues."""
    residual: NDArray[np.float32]
    """(n, t, r), vector less the expected one; zeros where there is none."""


def beside(
    patches: analogue.Histories,
    columns: NDArray[np.int64],
    members: NDArray[np.int64],
    pool: Pool,
    settings: Settings,
) -> Beside:
    """Judge reduced vectors of `n` patches on `t` dates against their analogues' of the same dates.

    `columns` (t,) place the dates among the pool's, `members` (n,) the patches in the
    pool. z is the distance to the expected vector in robust standard deviations of the
    controls' distances to it.
    """
    vectors, shape = patches.vectors, patches.clear.shape
    distance = np.full(shape, np.nan, np.float32)
    z = np.full(shape, np.nan, np.float32)
    p = np.full(shape, np.nan, np.float32)
    count = np.zeros(shape, np.int32)
    residual = np.zeros_like(vectors)
    for found in analogue.controls(
        patches,
        analogue.Histories(pool.vectors[:, columns], pool.clear[:, columns]),
        members,
        most=settings.controls,
        least=settings.min_controls,
    ):
        rows, at = found.rows, found.at
        expected, others = analogue.expected(found, pool.vectors[:, columns[at]])
        residual[rows, at] = vectors[rows, at] - expected
        length = np.linalg.norm(residual[rows, at], axis=1)
        apart = np.linalg.norm(others - expected[:, None], axis=2)
        valid = found.weight > 0
        floor = settings.floor * calibrate.masked_median(apart, valid) + 1e-6
        distance[rows, at] = np.minimum(length**2 / (2.0 * pool.square), 2.0)
        z[rows, at] = calibrate.robust_z(length, apart, valid, floor)
        p[rows, at] = calibrate.empirical_p(length, apart, valid)
        count[rows, at] = valid.sum(axis=1)
    return Beside(distance, z, p, count, residual)


def scores(
    by_own: Own,
    by_others: Beside,
    from_scene: NDArray[np.float32],
    *,
    shift: NDArray[np.float32],
    lof: NDArray[np.float32],
    settings: Settings,
) -> Scores:
    """Join what the own past, the analogues and the scene say.

    All are of the dates (n, t) on which anything was clear; `from_scene` (n, t) is the
    distance to what the scene lets expect (`scene.Scene.apart`), `shift` (t,) the
    scene-wide z of own drift, taken off, and `lof` (n, t) the observations' novelty. z is
    beside analogues where there are enough, otherwise beside the own past.
    """
    aside = by_others.count > 0
    z = np.where(aside, by_others.z, by_own.z - shift)
    p = np.where(aside, by_others.p_value, by_own.p_value)
    # Patches are analogues by their histories: a date or two are none.
    alike = np.where(
        by_own.count >= settings.min_reference, by_others.distance, np.float32(np.nan)
    )
    drift = _joined(by_own.drift, from_scene, alike)
    used = np.char.add(_KIND[by_own.kind], np.where(aside, "+analogues", ""))
    clear = by_own.clear
    reason = np.where(clear, "", "not clear enough").astype("U24")
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
