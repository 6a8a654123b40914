import numpy as np

from terradrift.evaluate.lasting import lasting


def test_a_step_is_found_near_its_date_and_an_odd_date_is_not() -> None:
    random = np.random.default_rng(0)
    scores = random.normal(scale=0.3, size=(3, 40)).astype(np.float32)
    scores[0, 25:] += 3
    scores[1, 25] += 30
    score, date = lasting(scores)
    assert abs(date[0] - 25) <= 8  # medians hardly move with the split
    assert score[0] > 2.5
    assert score[1] < 1.0 < score[0]


def test_dates_without_a_score_do_not_matter() -> None:
    random = np.random.default_rng(1)
    scores = random.normal(size=(4, 30)).astype(np.float32)
    wide = np.full((4, 60), np.nan, np.float32)
    wide[:, 1::2] = scores
    score, date = lasting(scores)
    again, later = lasting(wide)
    np.testing.assert_allclose(again, score, rtol=1e-6)
    np.testing.assert_array_equal(later, 2 * date + 1)


def test_what_began_late_counts_less_and_too_few_scores_count_nothing() -> None:
    scores = np.zeros((2, 40), np.float32)
    scores[0, 20:], scores[1, 37:] = 1, 1
    score, _ = lasting(scores)
    # Of the last five dates three are high, so that is what their median is.
    np.testing.assert_allclose(score, [1, (5 / 8) ** 0.5], rtol=1e-6)
    score, date = lasting(np.array([[1, 2, 3, np.nan, np.nan, 9]], np.float32))
    assert np.isnan(score[0])
    assert date[0] == -1
    assert lasting(np.zeros((0, 5), np.float32))[0].shape == (0,)
