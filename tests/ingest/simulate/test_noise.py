import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from terradrift.ingest.simulate.noise import enlarge, fractal, ramp, scatter


@settings(max_examples=20, deadline=None)
@given(size=st.integers(33, 90), scale=st.floats(5, 40), seed=st.integers(0, 99))
def test_fractal_noise_has_mean_zero_and_deviation_one(size, scale, seed):
    field = fractal(np.random.default_rng(seed), size, scale, 3.0)
    assert field.shape == (size, size)
    assert field.dtype == np.float32
    assert float(field.mean()) == pytest.approx(0, abs=1e-3)
    assert float(field.std()) == pytest.approx(1, abs=1e-3)


def test_steeper_noise_is_smoother():
    rough, smooth = (
        fractal(np.random.default_rng(1), 128, 40, slope) for slope in (1.5, 4.0)
    )
    assert np.abs(np.diff(smooth)).mean() < 0.4 * np.abs(np.diff(rough)).mean()


def test_enlarging_keeps_the_given_points_and_stays_between_them():
    small = np.random.default_rng(0).normal(size=(9, 9)).astype(np.float32)
    large = enlarge(small, 4, 33)
    assert np.allclose(large[::4, ::4], small)
    assert large.min() >= small.min()
    assert large.max() <= small.max()


def test_scattered_numbers_depend_on_every_key_and_fill_the_unit_interval():
    keys = np.arange(20_000)
    first = scatter(keys, 1)
    assert np.array_equal(first, scatter(keys, 1))
    assert abs(np.corrcoef(first, scatter(keys, 2))[0, 1]) < 0.03
    assert abs(np.corrcoef(first[1:], first[:-1])[0, 1]) < 0.03
    assert np.histogram(first, 10, (0, 1))[0] == pytest.approx(2000, rel=0.1)


def test_a_ramp_is_flat_outside_its_limits_and_rises_within():
    values = ramp(np.linspace(-1, 2, 301, dtype=np.float32), 0, 1)
    assert values[0] == 0
    assert values[-1] == 1
    assert (np.diff(values) >= 0).all()
