"""How far each patch's vectors of two dates lie apart."""

import numpy as np
from numpy.typing import NDArray

from terradrift.detect.drift import unit
from terradrift.detect.settings import Settings
from terradrift.errors import ArchiveError
from terradrift.period import Period
from terradrift.series import Series
from terradrift.space import placed
from terradrift.store import spaces
from terradrift.store.series import blocks
from terradrift.store.tables import Store

MEASURES = ("cosine", "Euclidean")
_MIN_CLEAR = Settings().min_clear


def span(before: str, after: str) -> tuple[np.datetime64, np.datetime64]:
    """Two days of texts; of a month or a year the last day before, and the first after.

    Raises:
        ValueError: no dates, or the second is not later.
    """
    first, last = _period(before), _period(after)
    end = np.datetime64(first.end.replace(tzinfo=None), "us") - np.timedelta64(1, "us")
    start = np.datetime64(last.start.replace(tzinfo=None), "us")
    days = end.astype("datetime64[D]"), start.astype("datetime64[D]")
    if days[0] >= days[1]:
        raise ValueError(
            f"expected a date before and a later one after, got {before} and {after}"
        )
    return days


def _period(text: str) -> Period:
    try:
        if "/" in text:
            raise ValueError(text)  # noqa: TRY301 - one message for both
        return Period.parse(text)
    except ValueError as error:
        raise ValueError(
            f"expected a date such as 2018-05-16 or 2018-05, got {text!r}"
        ) from error


def between(
    store: Store, model: str, dates: tuple[np.datetime64, np.datetime64]
) -> tuple[NDArray[np.int64], dict[str, NDArray[np.float32]]]:
    """Distances of all patches, block by block, in the space in which vectors are compared.

    From the last clear observation up to the first date to the first clear one from the
    second date on. Returns cells (n, 3), and (n,) by each of `MEASURES`: cosine 0..2, and
    Euclidean in the vectors' unit; NaN where one of the two is missing.

    Raises:
        ArchiveError: no patch was clear before and after.
    """
    space = spaces.current(store, model)
    cells, found = [], []
    for block in blocks(store, model):
        clear = _clear(block)
        early, late = clear & (block.days <= dates[0]), clear & (block.days >= dates[1])
        t = clear.shape[1]
        at = t - 1 - early[:, ::-1].argmax(axis=1), late.argmax(axis=1)
        both = early.any(axis=1) & late.any(axis=1)
        rows = np.arange(len(block))
        used = np.zeros_like(clear)
        for place in at:
            used[rows[both], place[both]] = True
        vectors = placed(block.vectors, used, space)
        pair = [vectors[rows, place].astype(np.float32) for place in at]
        apart = np.full((len(block), 2), np.nan, np.float32)
        cosine = np.einsum("nd,nd->n", unit(pair[0]), unit(pair[1]))
        apart[both, 0] = np.clip(1 - cosine[both], 0, 2)
        apart[both, 1] = np.linalg.norm(pair[1] - pair[0], axis=1)[both]
        cells.append(block.cells)
        found.append(apart)
    if not found:
        raise ArchiveError(f"{store.root} holds no observation under {model}")
    whole = np.concatenate(found)
    if not np.isfinite(whole).any():
        first, last = days_of(store, model)
        raise ArchiveError(
            f"no patch of {store.root} is {_MIN_CLEAR:g} % clear up to {dates[0]} and "
            f"again from {dates[1]} on; it is seen from {first} to {last}"
        )
    return np.concatenate(cells), {
        name: whole[:, at] for at, name in enumerate(MEASURES)
    }


def days_of(store: Store, model: str) -> tuple[np.datetime64, np.datetime64]:
    """First and last day on which a patch was clear.

    Raises:
        ArchiveError: that is one day, or none: there is nothing to compare.
    """
    days = [block.days[_clear(block).any(axis=0)] for block in blocks(store, model)]
    seen = np.unique(np.concatenate([np.zeros(0, "datetime64[D]"), *days]))
    if len(seen) < 2:
        which = f"one, {seen[0]}" if len(seen) else "none"
        raise ArchiveError(
            f"expected two clear dates or more in {store.root} under {model}, got {which}"
        )
    return seen[0], seen[-1]


def _clear(block: Series) -> NDArray[np.bool_]:
    with np.errstate(invalid="ignore"):
        return np.asarray(block.clear_percent >= _MIN_CLEAR)
