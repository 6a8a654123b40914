import warnings

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from terradrift.detect import calibrate


@given(seed=st.integers(0, 10_000), k=st.integers(1, 9))
def test_masked_median_equals_nanmedian(seed: int, k: int) -> None:
    random = np.random.default_rng(seed)
    values, valid = random.normal(size=(6, k, 2)), random.random((6, k)) < 0.6
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", RuntimeWarning)
        expected = np.nanmedian(np.where(valid[..., None], values, np.nan), axis=1)
    np.testing.assert_allclose(calibrate.masked_median(values, valid), expected)


def test_normal_scores_give_standard_normal_z() -> None:
    random = np.random.default_rng(0)
    calibration = random.normal(7, 3, size=(400, 500))
    valid = np.ones(calibration.shape, bool)
    z = calibrate.robust_z(random.normal(7, 3, 400), calibration, valid, 0.0)
    assert abs(z.mean()) < 0.15
    assert abs(z.std() - 1) < 0.1


@given(seed=st.integers(0, 10_000))
def test_p_values_of_exchangeable_scores_are_uniform_ranks(seed: int) -> None:
    scores = np.random.default_rng(seed).normal(size=20)
    valid = np.ones((1, 19), bool)
    p = [
        float(calibrate.empirical_p(scores[[k]], np.delete(scores, k)[None], valid)[0])
        for k in range(20)
    ]
    np.testing.assert_allclose(np.sort(p), np.arange(1, 21) / 20)


def test_no_calibration_gives_no_p_value() -> None:
    p = calibrate.empirical_p(np.ones(1), np.zeros((1, 3)), np.zeros((1, 3), bool))
    assert np.isnan(p).all()


def test_a_moving_average_passes_over_gaps_and_stays_in_its_band() -> None:
    z = np.array([[5.0, np.nan, 0.0]])
    np.testing.assert_allclose(
        calibrate.ewma(z, 0.2), [[1.0, np.nan, 0.8]], equal_nan=True
    )
    noise = np.random.default_rng(0).normal(size=(400, 60))
    spread = calibrate.ewma(noise, 0.2)[:, 40:].std()
    assert abs(spread - np.sqrt(0.2 / 1.8)) < 0.02
