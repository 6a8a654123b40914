import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from terradrift.embed import convolution, convolution_torch


def slow_twin(pixels, filters, offset, bias, size):
    """One window after the other, as the docstring says."""
    n, height, width, _ = pixels.shape
    margin = size // 2
    out = np.full((n, 2 * filters.shape[1]), np.nan)
    for k, chip in enumerate(pixels):
        clear = np.isfinite(chip).all(axis=2)
        if not clear.any():
            continue
        filled = np.where(clear[..., None], chip, chip[clear].mean(axis=0))
        whole, around = [], []
        for y in range(height - size + 1):
            for x in range(width - size + 1):
                response = filled[y : y + size, x : x + size].ravel() @ filters + offset
                parts = [response - bias, -response - bias]
                value = np.maximum(np.concatenate(parts), 0)
                if clear[y : y + size, x : x + size].all():
                    whole.append(value)
                if clear[y + margin, x + margin]:
                    around.append(value)
        if around:
            few = len(whole) < 0.75 * len(around)
            out[k] = np.mean(around if few else whole, axis=0)
    return out


def on_torch(pixels, filters, offset, bias, size):
    arrays = [torch.from_numpy(array) for array in (pixels, filters, offset)]
    return convolution_torch.pooled(*arrays, bias, size).numpy()


@settings(max_examples=60, deadline=None)
@given(
    seed=st.integers(0, 999),
    size=st.sampled_from([1, 3, 5]),
    masked=st.sampled_from([0.0, 0.05, 0.3, 0.9]),
    patch=st.integers(1, 5),
)
def test_pooled_responses_are_those_of_one_window_after_the_other(
    seed, size, masked, patch
):
    rng = np.random.default_rng(seed)
    side = patch + size - 1
    pixels = rng.normal(size=(7, side, side, 2)).astype(np.float32)
    pixels[rng.random(pixels.shape) < masked] = np.nan
    filters = rng.normal(size=(2 * size * size, 3)).astype(np.float32)
    offset = rng.normal(size=3).astype(np.float32)
    expected = slow_twin(pixels, filters, offset, 0.4, size)
    for pooled in (convolution.pooled, on_torch):
        found = pooled(pixels, filters, offset, 0.4, size)
        np.testing.assert_allclose(found, expected, rtol=2e-4, atol=2e-5)


def test_more_chips_than_a_block_holds_are_all_computed():
    rng = np.random.default_rng(0)
    pixels = rng.normal(size=(700, 4, 4, 1)).astype(np.float32)
    filters, offset = np.ones((9, 2), np.float32), np.zeros(2, np.float32)
    found = convolution.pooled(pixels, filters, offset, 0.0, 3)
    single = [convolution.pooled(one[None], filters, offset, 0.0, 3) for one in pixels]
    np.testing.assert_allclose(found, np.concatenate(single), rtol=1e-5, atol=1e-6)


def test_masked_pixels_leave_no_trace_where_enough_windows_are_whole():
    rng = np.random.default_rng(0)
    pixels = rng.random((1, 10, 10, 2)).astype(np.float32)
    pixels[:, 0] = np.nan
    share = convolution.weights(np.isfinite(pixels).all(axis=3), 3).reshape(8, 8)
    assert share.sum() == pytest.approx(1, abs=1e-6)
    assert (share[0] == 0).all()
    assert (share[1:] > 0).all()
    filters, offset = rng.normal(size=(18, 3)).astype(np.float32), np.zeros(3, "f4")
    found = convolution.pooled(pixels, filters, offset, 0.0, 3)
    below = convolution.pooled(pixels[:, 1:], filters, offset, 0.0, 3)
    np.testing.assert_allclose(found, below, rtol=1e-5)


def test_clear_surroundings_do_not_make_a_patch_clear():
    clear = np.ones((1, 4, 4), bool)
    clear[0, 1:3, 1:3] = False
    assert np.isnan(convolution.weights(clear, 3)).all()


def test_the_pixels_given_are_left_as_they_are():
    pixels = np.ones((2, 3, 3, 1), np.float32)
    pixels[0, 0, 0] = np.nan
    before = pixels.copy()
    convolution.pooled(pixels, np.ones((9, 1), "f4"), np.zeros(1, "f4"), 0.0, 3)
    np.testing.assert_array_equal(pixels, before)
