"""What a patch is told to have changed by, when its whole history is known."""

import numpy as np

from terradrift.detect import whole


def test_of_changes_dated_to_one_day_the_strongest_stays() -> None:
    row = np.array([0, 0, 1, 1, 1])
    first = np.array([4, 4, 4, 9, 9])
    scores = np.array([2.5, 7.0, 1.0, 3.0, 3.0], np.float32)
    assert whole._once(row, first, scores).tolist() == [1, 2, 3]


def test_no_changes_stay_none() -> None:
    none = np.zeros(0, np.int64)
    assert len(whole._once(none, none, np.zeros(0, np.float32))) == 0
