"""Drift from one fixed reference: the quickest temporal score there is (pure).

A patch's reference are its first clear observations, or those before a given date. Each
later one is compared with their centroid: cosine distance, z against the distances of the
reference's own members, each to the centroid of the others, and CUSUM of z (METHODS 4.4,
without its season: what `drift` matches by day of year, the reference has to cover). Each
vector is read once, in the precision that it is stored in.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from ctypes import CDLL, c_double, c_int, c_int64
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from numpy.ctypeslib import ndpointer
from numpy.typing import NDArray

from terradrift import kernels
from terradrift.detect import calibrate, drift, half, onset

_SKIPPED, _REFERENCE, _JUDGED = 0, 1, 2
"""Roles of observations; what is skipped is not read."""
_BLOCK_BYTES = 32 << 20
"""Vectors that a thread takes at a time: many, as what Python does meanwhile is serial."""
_TWIN_BYTES = 2 << 20
"""The same for the twin, whose copies should stay in the cache."""
_NO_MEMORY = 1


@dataclass(frozen=True, slots=True, eq=False)
class Apart:
    """How `n` patches differ from their reference on `t` dates; NaN where not judged."""

    drift: NDArray[np.float32]
    """(n, t), cosine distance to the centroid, 0..2."""
    z: NDArray[np.float32]
    """(n, t), drift in standard deviations of the left-out distances; NaN: too few."""
    cusum: NDArray[np.float32]
    """(n, t), running sum max(0, previous + z - slack)."""


def apart(
    vectors: NDArray[np.floating],
    clear: NDArray[np.bool_],
    reference: NDArray[np.bool_],
    *,
    robust: bool = True,
    least: int = 4,
    floor: float = 0.3,
    slack: float = 1.0,
    threads: int = 1,
) -> Apart:
    """Judge every clear observation after a patch's reference; none of the reference.

    Args:
        vectors: (n, t, d), float16 or float32; not read where not clear. One that is not
            finite gives NaN on its date, in the reference on all dates of its patch. A
            vector of zeros has the distance 1.
        clear: (n, t), which observations count.
        reference: (n, t), which of them are the reference.
        robust: z by median and median absolute deviation, otherwise by mean and standard
            deviation.
        least: members that z needs, at least 2.
        floor: added to the spread, as a share of the median or mean left-out distance.
        slack: evidence per date that CUSUM takes as noise, in standard deviations.
        threads: patches are shared out over so many.

    Raises:
        ValueError: shapes that do not fit, another precision, `least` below 2, `floor` or
            `slack` negative, `threads` below 1.
    """
    _check(vectors, clear, reference, threads)
    usual = _Usual(robust, least, floor, slack)
    found = Apart(*(np.empty(clear.shape, np.float32) for _ in range(3)))
    n = len(vectors)
    each = max(1, vectors[:1].nbytes)
    block = _TWIN_BYTES if kernels.opened("drift") is None else _BLOCK_BYTES
    step = max(1, min(block // each, -(-n // threads)))

    def work(at: int) -> None:
        part = slice(at, min(at + step, n))
        out = Apart(found.drift[part], found.z[part], found.cusum[part])
        role = _roles(clear[part], reference[part])
        _judge(np.ascontiguousarray(vectors[part]), role, usual, out)

    if threads == 1:
        for at in range(0, n, step):
            work(at)
    else:
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(work, range(0, n, step)))
    return found


def first(clear: NDArray[np.bool_], count: int) -> NDArray[np.bool_]:
    """(n, t), the first `count` clear observations of each patch; none where there are fewer."""
    rank = np.cumsum(clear, axis=1)
    chosen: NDArray[np.bool_] = clear & (rank <= count)
    chosen &= (rank[:, -1:] >= count) if clear.shape[1] else True
    return chosen


def _roles(clear: NDArray[np.bool_], reference: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """(n, t), what each observation is to the kernel."""
    clear = clear.astype(np.bool_, copy=False)
    members = clear & reference
    t = clear.shape[1]
    if not t:
        return members.view(np.uint8)
    last = t - 1 - members[:, ::-1].argmax(axis=1)
    last[~members.any(axis=1)] = -1
    judged = clear & (np.arange(t) > last[:, None])
    roles: NDArray[np.uint8] = judged.view(np.uint8) * np.uint8(_JUDGED)
    roles += members.view(np.uint8) * np.uint8(_REFERENCE)
    return roles


def _check(
    vectors: NDArray[np.floating],
    clear: NDArray[np.bool_],
    reference: NDArray[np.bool_],
    threads: int,
) -> None:
    shape = vectors.shape[:2]
    if vectors.ndim != 3 or clear.shape != shape or reference.shape != shape:
        raise ValueError(
            "expected vectors (n, t, d), clear and reference (n, t), got "
            f"{vectors.shape}, {clear.shape} and {reference.shape}"
        )
    if vectors.dtype not in (np.float16, np.float32):
        raise ValueError(f"vectors must be float16 or float32, got {vectors.dtype}")
    if threads < 1:
        raise ValueError(f"threads must be at least 1, got {threads}")


@dataclass(frozen=True, slots=True)
class _Usual:
    """How z and CUSUM are taken: arguments of `apart`."""

    robust: bool
    least: int
    floor: float
    slack: float

    def __post_init__(self) -> None:
        if self.least < 2:
            raise ValueError(f"least must be at least 2, got {self.least}")
        for name, number in (("floor", self.floor), ("slack", self.slack)):
            if not number >= 0:
                raise ValueError(f"{name} must be at least 0, got {number}")


def _judge(
    vectors: NDArray[np.floating], role: NDArray[np.uint8], usual: _Usual, out: Apart
) -> None:
    compiled = kernels.opened("drift")
    if compiled is None:
        _numpy(vectors, role, usual, out)
        return
    call = _compiled(compiled, vectors.dtype)
    is_half, best = vectors.dtype == np.float16, 0
    said = call(
        vectors,
        role,
        is_half,
        best,
        *vectors.shape,
        usual.robust,
        usual.least,
        usual.floor,
        usual.slack,
        out.drift,
        out.z,
        out.cusum,
    )
    if said == _NO_MEMORY:
        raise MemoryError("no memory left to measure drift")


@cache
def _compiled(library: CDLL, dtype: np.dtype[Any]) -> Callable[..., int]:
    call = library[
        "centroid"
    ]  # another object than library.centroid, with its own types
    written = ndpointer(np.float32, flags=("C", "W"))
    call.argtypes = [
        ndpointer(dtype, flags="C"),
        ndpointer(np.uint8, flags="C"),
        *[c_int64] * 7,
        c_double,
        c_double,
        *[written] * 3,
    ]
    call.restype = c_int
    return call


def _numpy(
    vectors: NDArray[np.floating], role: NDArray[np.uint8], usual: _Usual, out: Apart
) -> None:
    """The twin of the kernel `centroid`."""
    member, judged = role == _REFERENCE, role == _JUDGED
    judged &= member.any(axis=1, keepdims=True)
    used = (member | judged)[..., None]
    with np.errstate(invalid="ignore"):  # what is not finite spoils its own patch
        turned = drift.unit(np.where(used, half.single(vectors), np.float32(0)))
    own = np.einsum("ntd,ntd->nt", turned, turned).round()
    center = np.where(member[..., None], turned, np.float32(0)).sum(axis=1)
    length2 = np.maximum(np.einsum("nd,nd->n", center, center, dtype=np.float64), 1e-12)
    product = np.einsum("ntd,nd->nt", turned, center).astype(np.float64)
    drift_ = np.clip(1.0 - product / np.sqrt(length2)[:, None], 0.0, 2.0)
    rest = np.sqrt(np.maximum(length2[:, None] - 2.0 * product + own, 1e-12))
    left_out = np.clip(1.0 - (product - own) / rest, 0.0, 2.0)
    middle, spread = _middle_and_spread(left_out, member, robust=usual.robust)
    spread += usual.floor * middle + 1e-6
    spread[member.sum(axis=1) < usual.least] = np.nan
    z = np.where(judged, (drift_ - middle[:, None]) / spread[:, None], np.nan)
    out.drift[:] = np.where(judged, drift_, np.nan)
    out.z[:] = z
    out.cusum[:] = onset.cusum(z, usual.slack)


def _middle_and_spread(
    scores: NDArray[np.float64], valid: NDArray[np.bool_], *, robust: bool
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if robust and scores.shape[1]:
        return calibrate.median_and_spread(scores, valid)
    count = valid.sum(axis=1)
    mean = np.where(valid, scores, 0.0).sum(axis=1) / np.maximum(count, 1)
    off = np.where(valid, scores - mean[:, None], 0.0)
    return mean, np.sqrt((off * off).sum(axis=1) / np.maximum(count - 1, 1))
