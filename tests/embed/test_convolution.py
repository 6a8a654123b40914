import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from terradrift.embed import convolution


def slow_twin(pixels, filters, offset, bias, size):
    """One window after the other, as the docstrings say."""
    n, _, height, width = pixels.shape
    margin = size // 2
    out = np.full((n, 2 * filters.shape[1]), np.nan)
    for k, chip in enumerate(pixels):
        clear = np.isfinite(chip).all(axis=0)
        if not clear.any():
            continue
        filled = np.where(clear, chip, chip[:, clear].mean(axis=1)[:, None, None])
        whole, around = [], []
        for y in range(height - size + 1):
            for x in range(width - size + 1):
                response = filled[:, y : y + size, x : x + size].ravel() @ filters
                parts = [response + offset - bias, -response - offset - bias]
                value = np.maximum(np.concatenate(parts), 0)
                if clear[y : y + size, x : x + size].all():
                    whole.append(value)
                if clear[y + margin, x + margin]:
                    around.append(value)
        if around:
            out[k] = np.mean(around if len(whole) < len(around) / 2 else whole, axis=0)
    return out


@settings(max_examples=40, deadline=None)
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
    pixels = rng.normal(size=(7, 2, side, side)).astype(np.float32)
    pixels[rng.random(pixels.shape) < masked] = np.nan
    filters = rng.normal(size=(2 * size * size, 3)).astype(np.float32)
    offset = rng.normal(size=3).astype(np.float32)
    arrays = [torch.from_numpy(array) for array in (pixels, filters, offset)]
    found = convolution.pooled(*arrays, 0.4, size).numpy()
    expected = slow_twin(pixels, filters, offset, 0.4, size)
    np.testing.assert_allclose(found, expected, rtol=2e-4, atol=2e-5)


def test_masked_pixels_leave_no_trace_where_enough_windows_are_whole():
    rng = np.random.default_rng(0)
    pixels = rng.random((1, 2, 10, 10)).astype(np.float32)
    pixels[:, :, 0] = np.nan
    other = np.nan_to_num(pixels, nan=1e6)
    weights = convolution.weights(torch.from_numpy(np.isfinite(pixels).all(axis=1)), 3)
    assert weights.sum() == pytest.approx(1, abs=1e-6)
    assert (weights.view(8, 8)[0] == 0).all()
    assert (weights.view(8, 8)[1:] > 0).all()
    filters = rng.normal(size=(18, 3)).astype(np.float32)
    found = convolution.pooled(
        torch.from_numpy(pixels), torch.from_numpy(filters), torch.zeros(3), 0.0, 3
    )
    below = convolution.pooled(
        torch.from_numpy(other[:, :, 1:]),
        torch.from_numpy(filters),
        torch.zeros(3),
        0.0,
        3,
    )
    np.testing.assert_allclose(found, below, rtol=1e-5)


def test_clear_surroundings_do_not_make_a_patch_clear():
    clear = torch.ones((1, 4, 4), dtype=torch.bool)
    clear[0, 1:3, 1:3] = False
    assert torch.isnan(convolution.weights(clear, 3)).all()


def test_windows_are_row_major_and_band_first():
    pixels = torch.arange(2 * 3 * 4, dtype=torch.float32).view(1, 2, 3, 4)
    found = convolution.windows(pixels, 3)
    assert found.shape == (1, 2, 18)
    np.testing.assert_array_equal(found[0, 1], pixels[0, :, :, 1:].reshape(-1))
