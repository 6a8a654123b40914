"""The published scores on features worked by hand."""

import numpy as np
import pytest

from terradrift.evaluate.event_folders import published, published_scores


def cells(*dates: np.ndarray) -> np.ndarray:
    """(t, d, h, w) of (h, w, d) maps, one pixel per cell."""
    return np.stack([np.moveaxis(each, 2, 0) for each in dates]).astype(np.float32)


def uniform(vector: tuple[float, float], side: int = 40) -> np.ndarray:
    return np.broadcast_to(np.array(vector, np.float32), (side, side, 2)).copy()


LEFT = np.zeros((40, 40), np.int32)
LEFT[:, :16], LEFT[:, 16:] = 1, 2


def test_change_is_one_less_the_cosine_of_region_means() -> None:
    before, after = uniform((1, 0)), uniform((1, 0))
    after[:, :16] = (0, 1)
    found = published_scores.change((LEFT, LEFT), cells(before, after), 1.0)
    assert found[:, :16] == pytest.approx(1.0)
    assert found[:, 16:] == pytest.approx(0.0, abs=1e-6)


def test_opposite_features_count_as_1_at_most() -> None:
    before, after = uniform((1, 0)), uniform((-1, 0.001))
    found = published_scores.change((LEFT, LEFT), cells(before, after), 1.0)
    assert found.max() == 1.0


def test_the_larger_of_both_segmentations_counts() -> None:
    before, after = uniform((1, 0)), uniform((1, 0))
    after[:20, :16] = (0, 1)
    top = np.where(np.arange(40)[:, None] < 20, 1, 2) + np.zeros((1, 40), int)
    found = published_scores.change(
        (LEFT, (LEFT * 2 + top).astype(np.int32) - 2), cells(before, after), 1.0
    )
    # Half of the left region changed: of the mean (1/2, 1/2) the cosine is 0.707.
    assert found[30, 5] == pytest.approx(1 - 2**-0.5, abs=1e-6)
    assert found[5, 5] == pytest.approx(1.0)


def test_regions_above_nine_tenths_and_without_a_label_are_left_at_0() -> None:
    before, after = uniform((1, 0)), uniform((0, 1))
    whole = np.ones((40, 40), np.int32)
    assert not published_scores.change((whole, whole), cells(before, after), 1.0).any()
    part = np.zeros((40, 40), np.int32)
    part[:20] = 1
    found = published_scores.change((part, part), cells(before, after), 1.0)
    assert (found[:20] == 1).all()
    assert (found[20:] == 0).all()


def test_the_least_size_is_that_share_of_a_tile() -> None:
    before, after = uniform((1, 0), 1024), uniform((0, 1), 1024)
    labels = np.zeros((1024, 1024), np.int32)
    labels[0, :749], labels[5, :750] = 1, 2  # 3000 in 2048 x 2048 are 750 here
    found = published_scores.change((labels, labels), cells(before, after), 1.0)
    assert found[0].max() == 0
    assert found[5].max() == 1


def test_novelty_is_to_the_most_alike_of_all_dates() -> None:
    old, middle, last = uniform((0, 1)), uniform((1, 1)), uniform((1, 0))
    now = uniform((1, 0))
    now[:, :16] = (0, 1)
    kept = np.where(LEFT == 1, 0.9, 0.4)
    found = published_scores.anomaly(kept, cells(old, middle, last, now), 1.0)
    # On the left the oldest date looked just so: stage 1 saw a change, stage 2 none.
    assert found == pytest.approx(0.0, abs=1e-6)
    found = published_scores.anomaly(kept, cells(middle, last, now), 1.0)
    assert found[:, :16] == pytest.approx(1 - 2**-0.5, abs=1e-6)


def test_regions_are_sets_of_one_value_and_0_is_none() -> None:
    now, past = uniform((0, 1)), uniform((1, 0))
    kept = np.zeros((40, 40))
    kept[:3], kept[30:33] = 0.5, 0.5
    found = published_scores.anomaly(kept, cells(past, now), 1.0)
    assert found[:3] == pytest.approx(1.0)
    assert (found[3:30] == 0).all()


def test_the_score_falls_as_history_grows() -> None:
    """Why one fixed threshold judges sites of 3 and of 7 images differently."""
    random = np.random.default_rng(0)
    dates = [random.normal((1, 0), 0.4, (40, 40, 2)) for _ in range(8)]
    kept = LEFT * 0.3
    scores = [
        published_scores.anomaly(kept, cells(*dates[-1 - steps :]), 1.0).mean()
        for steps in (1, 3, 7)
    ]
    assert scores[0] >= scores[1] >= scores[2]
    assert scores[0] > scores[2]


def test_a_change_map_that_is_filtered_keeps_its_regions() -> None:
    change = np.where(LEFT == 1, 0.6, 0.1)
    kept = published.filtered(change)
    # The 0.7 quantile is the lesser value here (24 of 40 columns): 0.6 of the map.
    assert set(np.unique(kept)) == {0.0, 0.6}
