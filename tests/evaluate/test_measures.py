import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, roc_auc_score

from terradrift.evaluate.measures import (
    average_precision,
    floor,
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


def test_squares_gather_cells_of_one_grid() -> None:
    cells = np.array([[0, 0, 0], [0, 3, 3], [0, 4, 0], [1, 0, 0], [0, -1, 0]])
    number = squares(cells, 4)
    assert number[0] == number[1]
    assert len(set(number)) == 4
    with pytest.raises(ValueError, match="side must be at least 1 cell, got 0"):
        squares(cells, 0)


def test_bad_input_is_refused() -> None:
    scores = np.ones(3)
    with pytest.raises(ValueError, match=r"of one length .* got \(2,\) and \(3,\)"):
        roc_auc(np.array([True, False]), scores)
    with pytest.raises(ValueError, match="truth must be bool, got int64"):
        roc_auc(np.array([1, 0, 1]), scores)
