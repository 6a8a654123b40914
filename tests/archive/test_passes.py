"""A model's series read anew for every pass: the same scores, few vectors in memory."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pyarrow as pa

import terradrift as td
from terradrift.archive.judge.passes import Passes, scores
from terradrift.evaluate import methods as all_methods
from terradrift.evaluate.ranked import Largest

_BLOCKS = 30


@dataclass(frozen=True)
class Watching:
    """A detector that notes what vectors are in memory while it is at work."""

    scene: bool = False
    held: list[int] = field(default_factory=list)

    def detect(self, _days, _vectors, clear, /):
        self.held.append(pa.total_allocated_bytes())
        return np.zeros(clear.shape, np.float32)


def passes(finished: Path) -> tuple[Passes, int]:
    store = td.open(finished).store
    total = sum(block.vectors.nbytes for block in Passes(store, "mosaiks"))
    return Passes(store, "mosaiks", total // _BLOCKS), total


def test_scores_are_those_of_series_in_memory(finished: Path) -> None:
    read, _ = passes(finished)
    whole = list(read)
    assert len(read) == len(whole) >= _BLOCKS
    assert (read[-1].patch_ids == whole[-1].patch_ids).all()
    names = ["local-distance", "changes", "surprise", "scores-drift", "centroid-drift"]
    chosen = all_methods.methods(names, threads=1)
    cells, found = scores(chosen, read)
    np.testing.assert_array_equal(cells, np.concatenate([part.cells for part in whole]))
    for method, score in zip(chosen, found, strict=True):
        np.testing.assert_array_equal(score, method.judge(whole).score)
    assert np.isfinite(found[0]).any()


def test_a_detector_of_patches_sees_few_blocks_at_a_time(finished: Path) -> None:
    read, total = passes(finished)
    before = pa.total_allocated_bytes()
    peaks = {}
    for scene in (False, True):
        watch = Watching(scene)
        scores([Largest(name="watch", detector=watch)], read)
        peaks[scene] = max(watch.held) - before
    assert peaks[False] < total / 3
    assert peaks[True] > 0.9 * total
