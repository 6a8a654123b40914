import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from terradrift.evaluate.measures import (
    average_precision,
    bootstrap,
    false_alarms,
    floor,
    onset_error,
    precision_at,
    roc_auc,
    squares,
)


@given(n=st.integers(4, 80), levels=st.integers(1, 30), seed=st.integers(0, 9999))
@settings(deadline=None)
def test_measures_are_those_of_scikit_learn_with_ties_and_weights(
    n: int, levels: int, seed: int
) -> None:
    random = np.random.default_rng(seed)
    truth = random.random(n) < 0.3
    truth[:2] = [True, False]
    scores = random.integers(0, levels, n).astype(np.float64)
    weights = random.integers(0, 4, n).astype(np.float64)
    weights[:2] = 1
    for given_weights in (None, weights):
        assert average_precision(truth, scores, given_weights) == pytest.approx(
            average_precision_score(truth, scores, sample_weight=given_weights)
        )
        assert roc_auc(truth, scores, given_weights) == pytest.approx(
            roc_auc_score(truth, scores, sample_weight=given_weights)
        )


def test_a_score_that_is_null_ranks_last() -> None:
    truth = np.array([True, False, True])
    scores = np.array([2.0, 1.0, np.nan])
    assert roc_auc(truth, scores) == 0.5
    assert average_precision(truth, scores) == pytest.approx((1 + 2 / 3) / 2)


def test_measures_without_both_outcomes_are_null() -> None:
    scores = np.array([1.0, 2.0])
    assert np.isnan(roc_auc(np.array([True, True]), scores))
    assert np.isnan(average_precision(np.array([False, False]), scores))


def test_random_scores_reach_the_floor() -> None:
    random = np.random.default_rng(0)
    truth = random.random(20_000) < 0.07
    found = average_precision(truth, random.random(20_000))
    assert found == pytest.approx(floor(truth), abs=0.01)


def test_precision_at_k_shares_ties() -> None:
    truth = np.array([True, False, True, False])
    scores = np.array([3.0, 2.0, 2.0, 1.0])
    assert precision_at(truth, scores, 1) == 1
    assert precision_at(truth, scores, 2) == 0.75
    assert precision_at(truth, scores, 4) == 0.5
    with pytest.raises(ValueError, match="k must be between 1 and 4 scores, got 5"):
        precision_at(truth, scores, 5)


def test_the_interval_holds_the_value_and_repeats_by_seed() -> None:
    random = np.random.default_rng(1)
    cells = np.stack(np.meshgrid([0], np.arange(20), np.arange(20)), -1).reshape(-1, 3)
    blocks = squares(cells, 4)
    truth = np.isin(blocks, [3, 9, 17]) & (random.random(400) < 0.8)
    scores = truth + random.normal(size=400)
    found = bootstrap(roc_auc, truth, scores, blocks, repeats=200)
    assert found.low < found.value < found.high
    assert found == bootstrap(roc_auc, truth, scores, blocks, repeats=200)


def test_blocks_of_ground_give_wider_intervals_than_single_patches() -> None:
    random = np.random.default_rng(2)
    blocks = np.repeat(np.arange(30), 30)
    truth = np.repeat(random.random(30) < 0.4, 30)
    scores = np.repeat(random.normal(size=30), 30) + truth
    wide = bootstrap(roc_auc, truth, scores, blocks, repeats=200)
    narrow = bootstrap(roc_auc, truth, scores, np.arange(900), repeats=200)
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)


def test_one_block_gives_no_interval() -> None:
    truth, scores = np.array([True, False]), np.array([1.0, 0.0])
    with pytest.raises(ValueError, match="at least 2 blocks of ground, got 1"):
        bootstrap(roc_auc, truth, scores, np.zeros(2, np.int64))


def test_squares_gather_cells_of_one_grid() -> None:
    cells = np.array([[0, 0, 0], [0, 3, 3], [0, 4, 0], [1, 0, 0], [0, -1, 0]])
    number = squares(cells, 4)
    assert number[0] == number[1]
    assert len(set(number)) == 4
    with pytest.raises(ValueError, match="side must be at least 1 cell, got 0"):
        squares(cells, 0)


def test_onset_error_counts_days_and_clear_acquisitions() -> None:
    times = np.datetime64("2020-01-01", "us") + np.arange(6) * np.timedelta64(10, "D")
    clear = np.ones((3, 6), bool)
    clear[1, 2] = False
    truth = np.full(3, np.datetime64("2020-01-15", "us"))
    found = np.array([times[2], times[4], np.datetime64("NaT")])
    error = onset_error(found, truth, times, clear)
    np.testing.assert_allclose(error.days, [6, 26, np.nan])
    np.testing.assert_allclose(error.acquisitions, [0, 1, np.nan])


def test_false_alarms_are_per_thousand_square_kilometres_and_year() -> None:
    assert false_alarms(6, area_km2=50, years=2) == 60
    with pytest.raises(ValueError, match="above 0, got 0 km2 and 1 years"):
        false_alarms(1, area_km2=0, years=1)


def test_bad_input_is_refused() -> None:
    scores = np.ones(3)
    with pytest.raises(ValueError, match=r"of one length .* got \(2,\) and \(3,\)"):
        roc_auc(np.array([True, False]), scores)
    with pytest.raises(ValueError, match="truth must be bool, got int64"):
        roc_auc(np.array([1, 0, 1]), scores)
