import numpy as np
import pytest

from terradrift.embed import whitening


def noise(*shape, seed=0):
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def test_whitened_windows_are_uncorrelated():
    windows = noise(5000, 6) @ noise(6, 6, seed=1) + 3
    mean, matrix = whitening.zca(windows, 1e-9)
    np.testing.assert_allclose(
        np.cov(((windows - mean) @ matrix).T), np.eye(6), atol=1e-3
    )
    np.testing.assert_allclose(matrix, matrix.T, rtol=1e-4, atol=1e-5)


def test_regularisation_keeps_noise_small():
    windows = noise(5000, 2) * np.array([1, 1e-4], np.float32)
    mean, matrix = whitening.zca(windows, 0.1)
    assert ((windows - mean) @ matrix)[:, 1].std() < 1e-3


def test_windows_without_any_variance_do_not_divide_by_zero():
    _, matrix = whitening.zca(np.ones((10, 3), np.float32), 0.1)
    np.testing.assert_allclose(matrix, np.eye(3))


def test_drawn_windows_are_clear_and_lie_in_the_chips():
    pixels = noise(5, 2, 6, 6)
    pixels[0] = np.nan
    pixels[1, 0, 0, 0] = np.nan
    drawn = whitening.draw(pixels, 3, 1000, np.random.default_rng(0))
    assert drawn.shape == (4 * 16 - 1, 2, 3, 3)
    assert len(np.unique(drawn.reshape(len(drawn), -1), axis=0)) == len(drawn)
    twin = pixels[2, :, 1:4, 3:6]
    assert (drawn == twin).all(axis=(1, 2, 3)).any()


def test_drawing_without_a_clear_window_is_refused():
    pixels = noise(5, 2, 4, 4)
    pixels[:, 1, ::2, ::2] = np.nan
    with pytest.raises(
        ValueError, match="windows of 3 x 3 clear pixels, but the sample"
    ):
        whitening.draw(pixels, 3, 10, np.random.default_rng(0))


def test_drawing_from_chips_smaller_than_a_kernel_is_refused():
    with pytest.raises(ValueError, match="chips at least as large, got 2 x 2"):
        whitening.draw(noise(5, 2, 2, 2), 3, 10, np.random.default_rng(0))


def test_moments_are_of_pixels_that_are_clear_in_every_band():
    pixels = noise(4, 2, 5, 5)
    pixels[:, 0, 0] = np.nan
    mean, deviation = whitening.moments(pixels)
    np.testing.assert_allclose(mean, pixels[:, :, 1:].mean((0, 2, 3)), rtol=1e-4)
    np.testing.assert_allclose(deviation, pixels[:, :, 1:].std((0, 2, 3)), rtol=1e-4)


def test_a_band_that_never_varies_is_divided_by_one():
    pixels = noise(4, 2, 5, 5)
    pixels[:, 1] = 0.3
    assert whitening.moments(pixels)[1][1] == 1


def test_a_sample_without_clear_pixels_is_refused():
    with pytest.raises(ValueError, match="the sample has none"):
        whitening.moments(np.full((2, 1, 3, 3), np.nan, np.float32))


def test_a_sample_of_equal_pixels_is_refused():
    with pytest.raises(ValueError, match=r"every clear pixel of the sample is 0\.25"):
        whitening.moments(np.full((2, 1, 3, 3), 0.25, np.float32))
