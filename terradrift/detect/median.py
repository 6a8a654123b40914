"""Distance of an observation to the median of its own past: the plainest baseline (pure)."""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.calibrate import MAD_TO_SIGMA

_CHUNK_BYTES = 32 << 20


@dataclass(frozen=True, slots=True, kw_only=True)
class TemporalMedian:
    """The detector `temporal-median`: mean over bands of |x - median of the past|.

    Every earlier clear observation is the past, whatever its season: that is what a
    baseline is. With `robust`, each band's difference is divided by its spread in the past,
    1.4826 MAD, plus `floor` times the median spread of that band over the patches on that
    date, so that a history of equal values does not make everything else infinite.
    """

    reads: ClassVar[str] = "bands"

    robust: bool = False
    floor: float = 0.3
    min_past: int = 1
    """Fewer earlier clear observations than this: no score. `robust` needs some more."""

    def __post_init__(self) -> None:
        if self.min_past < 1:
            raise ValueError(f"min_past must be at least 1, got {self.min_past}")
        if self.floor < 0:
            raise ValueError(f"floor must not be negative, got {self.floor}")

    def detect(
        self,
        days: NDArray[np.datetime64],
        vectors: NDArray[np.floating],
        clear: NDArray[np.bool_],
        /,
    ) -> NDArray[np.float32]:
        """Score (n, t, d) vectors: (n, t), 0 or more, NaN where it abstains."""
        values = observed(days, vectors, clear)
        away = np.abs(values - past_median(values, self.min_past))
        if self.robust:
            spread = MAD_TO_SIGMA * past_mad(values, self.min_past)
            spread += self.floor * column_median(spread)
            with np.errstate(invalid="ignore", divide="ignore"):
                away = np.where(spread > 0, away / spread, np.nan)
        return mean_known(away)


def observed(
    days: NDArray[np.datetime64],
    vectors: NDArray[np.floating],
    clear: NDArray[np.bool_],
) -> NDArray[np.float32]:
    """(n, t, d) vectors, NaN where not clear.

    Raises:
        ValueError: shapes that do not go together.
    """
    if vectors.shape[:2] != clear.shape or len(days) != clear.shape[1]:
        raise ValueError(
            "expected days (t,), vectors (n, t, d) and clear (n, t), got "
            f"{days.shape}, {vectors.shape} and {clear.shape}"
        )
    return np.where(clear[..., None], vectors.astype(np.float32), np.float32(np.nan))


def complete(values: NDArray[np.float32]) -> NDArray[np.bool_]:
    """(n, t), which observations of (n, t, d) are known in all their values."""
    return np.asarray(np.isfinite(values).all(axis=2), dtype=np.bool_)


def past_median(values: NDArray[np.float32], least: int = 1) -> NDArray[np.float32]:
    """Median of what was known before each date, itself excluded.

    Args:
        values: (n, t, d), NaN where not known.
        least: known values that a median needs.

    Returns:
        (n, t, d), NaN where fewer are known.
    """
    return _past(values, least, mad=False)


def past_mad(values: NDArray[np.float32], least: int = 1) -> NDArray[np.float32]:
    """Median absolute deviation from `past_median`, likewise."""
    return _past(values, least, mad=True)


def _past(values: NDArray[np.float32], least: int, *, mad: bool) -> NDArray[np.float32]:
    n, t, d = values.shape
    size = max(1, _CHUNK_BYTES // max(8 * t * d, 1))
    out = np.empty((n, t, d), np.float32)
    for k in range(0, n, size):
        part = values[k : k + size]
        flat = np.ascontiguousarray(part.transpose(1, 0, 2)).reshape(t, len(part) * d)
        found = _past_columns(flat, least, mad=mad)
        out[k : k + size] = found.reshape(t, len(part), d).transpose(1, 0, 2)
    return out


def _past_columns(
    values: NDArray[np.float32], least: int, *, mad: bool
) -> NDArray[np.float32]:
    """(t, m) of (t, m): the past of each column is kept sorted, one value more a date."""
    t, m = values.shape
    past = np.full((t, m), np.inf, np.float32)
    count = np.zeros(m, np.int64)
    out = np.full((t, m), np.nan, np.float32)
    for at in range(t):
        held = int(count.max(initial=0))
        if held >= least:
            middle = _middle(past[:held], count)
            if mad:
                gaps = np.sort(np.abs(past[:held] - middle), axis=0)
                middle = _middle(gaps, count)
            out[at] = np.where(count >= least, middle, np.nan)
        known = np.isfinite(values[at])
        new = np.where(known, values[at], np.float32(np.inf))
        # Insertion into sorted columns: max(the one before, min(the one here, new)).
        shifted = np.minimum(past[: held + 1], new)
        np.maximum(shifted[1:], past[:held], out=shifted[1:])
        past[: held + 1] = shifted
        count += known
    return out


def _middle(
    ordered: NDArray[np.float32], count: NDArray[np.int64]
) -> NDArray[np.float32]:
    """(m,) median of the first `count` of each sorted column (k, m); 0 without any."""
    low = np.maximum((count - 1) // 2, 0)
    high = np.minimum(count // 2, len(ordered) - 1)
    columns = np.arange(ordered.shape[1])
    middle = (ordered[low, columns] + ordered[high, columns]) / 2
    return np.where(count > 0, middle, np.float32(0))


def column_median(values: NDArray[np.float32]) -> NDArray[np.float32]:
    """(t, d) median over patches of (n, t, d), of what is known; NaN where nothing is."""
    if len(values) == 0:
        return np.full(values.shape[1:], np.nan, np.float32)
    known = np.isfinite(values)
    ordered = np.sort(np.where(known, values, np.inf), axis=0)
    flat = ordered.reshape(len(values), -1)
    count = known.sum(axis=0).ravel()
    middle = np.where(count > 0, _middle(flat, count), np.float32(np.nan))
    return np.asarray(middle.reshape(values.shape[1:]), dtype=np.float32)


def mean_known(values: NDArray[np.floating]) -> NDArray[np.float32]:
    """(n, t) mean over the last axis of what is known, NaN where nothing is."""
    known = np.isfinite(values)
    count = known.sum(axis=-1)
    total = np.where(known, values, 0).sum(axis=-1)
    mean = np.full(count.shape, np.nan, np.float32)
    np.divide(total, count, out=mean, where=count > 0, casting="same_kind")
    return mean
