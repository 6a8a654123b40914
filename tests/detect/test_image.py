"""Detectors on pixels against their definitions, and where they abstain."""

import numpy as np
import pytest

from terradrift.detect.image.median import TemporalMedian, deviation, median
from terradrift.detect.image.patches import mean, upper_mean
from terradrift.detect.image.rx import Rx, RxDifference, RxTemporal, reed_xiaoli
from terradrift.detect.rx_temporal import RxTemporal as OnVectors
from tests.detect.stacks import noisy


def test_medians_of_pixels_leave_out_what_is_not_clear() -> None:
    random = np.random.default_rng(4)
    history = random.random((7, 2, 6, 6)).astype(np.float32)
    history[random.random(history.shape) < 0.4] = np.nan
    history[:, :, 0, 0] = np.nan
    with pytest.warns(RuntimeWarning):
        expected = np.nanmedian(history, axis=0)
    with pytest.warns(RuntimeWarning):
        spread = np.nanmedian(np.abs(history - expected), axis=0)
    np.testing.assert_allclose(median(history), expected, rtol=1e-6)
    np.testing.assert_allclose(deviation(history, expected), spread, rtol=1e-5)
    known = np.isfinite(history).sum(axis=0)
    np.testing.assert_array_equal(np.isnan(median(history, 4)), known < 4)
    assert np.isnan(median(history[:0])).all()


def test_the_temporal_median_scores_the_mean_distance_over_bands() -> None:
    stack = noisy(7, 4, 24, seed=1)
    found = TemporalMedian().detect(stack)
    expected = median(stack.pixels[:-1])
    np.testing.assert_array_equal(found.expected, expected)
    np.testing.assert_allclose(
        found.score, np.abs(stack.pixels[-1] - expected).mean(axis=0), rtol=1e-6
    )


def test_the_robust_median_counts_in_spreads_of_the_past() -> None:
    stack = noisy(40, 3, 24, seed=2, cloud=0)
    quiet = TemporalMedian(robust=True, floor=0).detect(stack).score
    # The mean of |z| of a normal variable is 0.8; a MAD of 39 dates is a little noisy.
    assert 0.7 < np.nanmean(quiet) < 0.95
    stack.pixels[-1, :, 5, 5] += 10 * 0.02
    loud = TemporalMedian(robust=True, floor=0).detect(stack).score
    assert loud[5, 5] > 5
    floored = TemporalMedian(robust=True, floor=1.0).detect(stack).score
    assert floored[5, 5] < 0.7 * loud[5, 5]


def test_a_past_of_equal_values_does_not_make_all_else_infinite() -> None:
    stack = noisy(8, 3, 16, seed=3, cloud=0)
    stack.pixels[:-1, :, :4] = 0.25
    score = TemporalMedian(robust=True).detect(stack).score
    assert np.isfinite(score).all()
    stack.pixels[:-1] = 0.25
    assert np.isnan(TemporalMedian(robust=True).detect(stack).score).all()


def test_reed_xiaoli_is_a_mahalanobis_distance() -> None:
    random = np.random.default_rng(5)
    image = random.normal(size=(3, 20, 20)).astype(np.float32)
    image[:, 4, 4] = np.nan
    flat = image.reshape(3, -1).T
    seen = np.isfinite(flat).all(axis=1)
    inverse = np.linalg.inv(np.cov(flat[seen].T, bias=True))
    apart = flat - flat[seen].mean(axis=0)
    expected = np.einsum("nb,bc,nc->n", apart, inverse, apart).reshape(20, 20)
    np.testing.assert_allclose(reed_xiaoli(image), expected, rtol=1e-3)


def test_reed_xiaoli_of_the_difference_forgets_what_is_always_rare() -> None:
    stack = noisy(12, 4, 32, seed=6, cloud=0)
    stack.pixels[:, :, 3, 3] += 0.4  # always so
    stack.pixels[-1, :, 9, 9] += 0.4  # new
    alone = Rx().detect(stack).score
    difference = RxDifference().detect(stack).score
    assert alone[3, 3] > np.quantile(alone, 0.99)
    assert difference[3, 3] < np.quantile(difference, 0.99)
    assert difference.argmax() == 9 * 32 + 9


def test_a_gain_of_the_whole_window_is_nothing_to_the_difference() -> None:
    stack = noisy(12, 4, 32, seed=7, cloud=0)
    before = RxDifference().detect(stack).score
    stack.pixels[-1] += np.float32(0.1)
    np.testing.assert_allclose(RxDifference().detect(stack).score, before, rtol=1e-2)
    assert TemporalMedian().detect(stack).score.min() > 0.02


def test_reed_xiaoli_in_time_is_the_detector_of_vectors_pixel_by_pixel() -> None:
    stack = noisy(14, 5, 8, seed=8)
    found = RxTemporal().detect(stack).score.ravel()
    t, bands, *_ = stack.pixels.shape
    vectors = stack.pixels.reshape(t, bands, -1).transpose(2, 0, 1)
    clear = np.isfinite(vectors).all(axis=2)
    expected = OnVectors().detect(stack.days, vectors, clear)[:, -1]
    np.testing.assert_allclose(found, expected, rtol=1e-5)
    assert np.isfinite(found).any()


def test_patches_take_the_mean_of_their_known_pixels() -> None:
    score = np.arange(16, dtype=np.float32).reshape(4, 4)
    score[0, 0] = np.nan
    np.testing.assert_allclose(mean(score, 2), [[10 / 3, 4.5], [10.5, 12.5]])
    score[:2, :2] = np.nan
    assert np.isnan(mean(score, 2)[0, 0])


def test_patches_take_the_mean_of_their_highest_pixels() -> None:
    score = np.arange(16, dtype=np.float32).reshape(4, 4)
    score[0, 0] = np.nan
    np.testing.assert_allclose(upper_mean(score, 2, 0.5), [[4.5, 6.5], [12.5, 14.5]])
    np.testing.assert_allclose(upper_mean(score, 2, 0.01), [[5, 7], [13, 15]])
    np.testing.assert_allclose(upper_mean(score, 2, 1.0), mean(score, 2))
    score[:2, :2] = np.nan
    assert np.isnan(upper_mean(score, 2, 0.5)[0, 0])


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: TemporalMedian(min_past=0), "min_past must be at least 1, got 0"),
        (lambda: TemporalMedian(floor=-1), "floor must not be negative"),
        (lambda: RxDifference(min_past=0), "min_past must be at least 1"),
        (lambda: RxTemporal(min_past=1), "min_past must be at least 2"),
    ],
)
def test_parameters_out_of_range_are_refused(make: object, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        make()  # type: ignore[operator]
