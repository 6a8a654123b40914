"""Scores of one window's patches through time as rows of anomalies."""

from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from terradrift import schema
from terradrift.archive import places
from terradrift.detect.image.calibration import calibrated, less_scene
from terradrift.stack import Stack

EARLY = "too few frames before"
"""Reason of dates that were not judged."""
_ANY = 1e-6
"""Percent: a clear pixel."""


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """What a run knows of a window beside its scores."""

    method: str
    run_id: str
    start: int
    """The first frame that was judged."""
    shown: int
    """Frames that the detector was shown before each, at most."""
    asked: NDArray[np.bool_]
    """(t,), the frames whose rows are wanted."""


def rows(
    stack: Stack, scores: NDArray[np.float32], told: Told, min_clear: float
) -> pa.RecordBatch:
    """Rows of observations with a clear pixel on the days asked for, by day, then patch.

    `scores` are (t, n), NaN where there is none.
    """
    found = calibrated(scores)
    spatial = less_scene(scores, stack.scenes)
    count, first, last = _references(stack, told.shown, min_clear)
    with np.errstate(invalid="ignore"):
        seen = (stack.clear_percent > 0) & told.asked[:, None]
    patch = np.nonzero(seen)[1]
    reason = _reasons(stack, scores, found.p_value, told, min_clear)
    n = len(patch)

    def numbers(values: NDArray[np.floating]) -> pa.Array:
        return places.nullable(values[seen].astype(np.float32))

    def instants(values: NDArray[np.datetime64]) -> pa.Array:
        return places.instants(values[seen])

    columns = {
        "patch_id": pa.array(stack.patch_ids[patch], pa.string()),
        "datetime": instants(stack.times),
        "tile": pa.array([stack.tile] * n, pa.string()),
        "scene_id": pa.array(stack.scenes[seen], pa.string()),
        "clear_percent": numbers(stack.clear_percent),
        "method": pa.array([told.method] * n, pa.string()),
        "model": pa.array([""] * n, pa.string()),
        "score": numbers(scores),
        "score_spatial": numbers(spatial),
        "z": numbers(found.z),
        "p_value": numbers(found.p_value),
        "cusum": pa.nulls(n, pa.float32()),
        "persistent": pa.nulls(n, pa.bool_()),
        "n_reference": pa.array(count[seen], pa.int32()),
        "reference_start": instants(first),
        "reference_end": instants(last),
        "reason": places.words(reason[seen]),
        "run_id": pa.array([told.run_id] * n, pa.string()),
    }
    return pa.RecordBatch.from_pydict(columns, schema=schema.anomalies())


def _references(
    stack: Stack, shown: int, min_clear: float
) -> tuple[NDArray[np.int32], NDArray[np.datetime64], NDArray[np.datetime64]]:
    """(t, n) earlier clear frames that a detector was shown, the first and the last of them."""
    shape = stack.clear_percent.shape
    count = np.zeros(shape, np.int32)
    first = np.full(shape, np.datetime64("NaT"), "datetime64[us]")
    last = first.copy()
    with np.errstate(invalid="ignore"):
        clear = stack.clear_percent >= max(min_clear, _ANY)
    each = np.arange(shape[1])
    for at in range(1, shape[0]):
        start = max(0, at - shown)
        part = clear[start:at]
        count[at] = part.sum(axis=0)
        some = count[at] > 0
        first[at, some] = stack.times[start + part.argmax(axis=0), each][some]
        last[at, some] = stack.times[at - 1 - part[::-1].argmax(axis=0), each][some]
    return count, first, last


def _reasons(
    stack: Stack,
    scores: NDArray[np.float32],
    p_value: NDArray[np.float32],
    told: Told,
    min_clear: float,
) -> NDArray[np.str_]:
    """(t, n) why there is no score, or no p-value; empty where there are both."""
    early = np.arange(len(stack)) < told.start
    with np.errstate(invalid="ignore"):
        hidden = ~(stack.clear_percent >= min_clear)
    return np.select(
        [
            np.broadcast_to(early[:, None], scores.shape),
            hidden,
            np.isnan(scores),
            np.isnan(p_value),
        ],
        [
            EARLY,
            "not clear enough",
            "no pixel has enough clear frames before",
            "too few earlier scores for a p-value",
        ],
        "",
    )
