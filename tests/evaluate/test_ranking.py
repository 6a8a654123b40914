import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from terradrift.evaluate import measures, ranking
from terradrift.evaluate.intervals import Draws
from terradrift.evaluate.ranking import Ranking

EACH = {
    ranking.average_precision: measures.average_precision,
    ranking.roc_auc: measures.roc_auc,
}


def made(seed: int, n: int, levels: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Truth, scores with ties and gaps, and blocks."""
    random = np.random.default_rng(seed)
    truth = random.random(n) < 0.3
    truth[:4] = [True, False, True, False]
    scores = random.integers(0, levels, n).astype(np.float64)
    scores[random.random(n) < 0.1] = np.nan
    blocks = random.integers(0, 6, n)
    blocks[:4] = [0, 1, 2, 3]
    return truth, scores, blocks


@given(seed=st.integers(0, 9999), n=st.integers(8, 80), levels=st.integers(1, 40))
@settings(deadline=None, max_examples=60)
def test_draws_weigh_a_ranking_as_measures_do_row_by_row(
    seed: int, n: int, levels: int
) -> None:
    truth, scores, blocks = made(seed, n, levels)
    draws = Draws.of(blocks, np.ones(n, bool), truth, repeats=8, seed=seed)
    ranks = Ranking.of(truth, scores, np.ones(n, bool), draws)
    for ours, theirs in EACH.items():
        hits, rest = ranks._above(draws.times)
        drawn = ours(hits, rest)
        for number, times in enumerate(draws.times.T):
            expected = theirs(truth, scores, times[draws.block])
            np.testing.assert_allclose(drawn[number], expected, equal_nan=True)
        assert ranks.measure(ours).value == pytest.approx(theirs(truth, scores, None))


@given(seed=st.integers(0, 9999), n=st.integers(8, 60), levels=st.integers(1, 40))
@settings(deadline=None, max_examples=60)
def test_precision_of_the_highest_is_that_of_measures(
    seed: int, n: int, levels: int
) -> None:
    truth, scores, blocks = made(seed, n, levels)
    draws = Draws.of(blocks, np.ones(n, bool), truth, repeats=2)
    ranks = Ranking.of(truth, scores, np.ones(n, bool), draws)
    for k in (1, n // 2, n):
        found = ranks.measure(ranking.precision_at(k)).value
        assert found == pytest.approx(measures.precision_at(truth, scores, k))


def test_only_the_rows_that_are_asked_for_are_ranked() -> None:
    truth, scores, blocks = made(3, 60, 10)
    rows = np.arange(60) % 3 > 0
    rows[:4] = True
    draws = Draws.of(blocks, np.ones(60, bool), truth, repeats=4)
    ranks = Ranking.of(truth, scores, rows, draws)
    expected = measures.roc_auc(truth[rows], scores[rows])
    assert ranks.measure(ranking.roc_auc).value == pytest.approx(expected)


def test_precision_at_a_recall_is_read_off_the_ranking() -> None:
    truth = np.array([True, False, True, False, False, True])
    scores = np.array([6.0, 5, 4, 3, 2, 1])
    draws = Draws.of(np.arange(6), np.ones(6, bool), truth, repeats=4)
    ranks = Ranking.of(truth, scores, np.ones(6, bool), draws)
    found, _, _ = ranks.band(np.array([0.0, 1 / 3, 0.5, 2 / 3, 1.0]))
    np.testing.assert_allclose(found, [1, 1, 2 / 3, 2 / 3, 1 / 2])


def test_a_ranking_of_draws_in_parts_is_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    truth, scores, blocks = made(5, 80, 30)
    draws = Draws.of(blocks, np.ones(80, bool), truth, repeats=50)
    whole = Ranking.of(truth, scores, np.ones(80, bool), draws)
    at_once = whole.measure(ranking.roc_auc)
    monkeypatch.setattr(ranking, "_CELLS", 200)
    assert whole.measure(ranking.roc_auc) == at_once
