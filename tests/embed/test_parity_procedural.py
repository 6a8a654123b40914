"""The procedural rule against every input that the parity files hold.

The inputs of the small files follow the same rule, one seed earlier.
"""

import numpy as np
import pytest

from tests.embed.procedural import dn, noise, tensor

pytestmark = pytest.mark.shared


@pytest.mark.parametrize(
    ("folder", "lo"),
    [
        ("ssl4eo_resnet50", 50),
        ("ssl4eo_vit_small16", 50),
        ("clay_v1_5", 50),
        ("anysat", 100),
    ],
)
def test_parity_of_inputs(shared, folder, lo):
    seed = int(shared("parity/SEED").read_text())
    with np.load(shared(f"parity/{folder}/small.npz")) as file:
        stored = file["dn"]
    np.testing.assert_array_equal(dn(stored.shape, seed - 1, lo=lo), stored)


def test_parity_of_inputs_with_a_true_colour_product(shared):
    seed = int(shared("parity/SEED").read_text())
    with np.load(shared("parity/satlas_swin_v2/small.npz")) as file:
        stored = file["dn"]
    made = dn(stored.shape, seed - 1, lo=0, hi=9000)
    made[:, :3] = np.floor(made[:, :3] / 9000 * 255)
    np.testing.assert_array_equal(made, stored)


def test_parity_of_inputs_needs_the_right_seed(shared):
    seed = int(shared("parity/SEED").read_text())
    with np.load(shared("parity/clay_v1_5/small.npz")) as file:
        stored = file["dn"]
    assert np.abs(dn(stored.shape, seed) - stored).max() > 100


def test_noise_depends_on_name_and_seed():
    first = noise("input", 1000, 5)
    assert not np.array_equal(first, noise("output", 1000, 5))
    assert not np.array_equal(first, noise("input", 1000, 6))
    assert first.min() >= -1
    assert first.max() < 1
    assert abs(first.mean()) < 0.1


@pytest.mark.parametrize(
    ("name", "shape", "low", "high"),
    [
        ("bn.running_var", (512,), 1.0, 1.5),
        ("norm.weight", (512,), 0.9, 1.1),
        ("norm.bias", (512,), -0.1, 0.1),
        ("bn.running_mean", (512,), -0.1, 0.1),
        ("conv.weight", (64, 3, 2, 2), -0.5, 0.5),
    ],
)
def test_tensors_lie_in_the_range_of_their_kind(name, shape, low, high):
    made = tensor(name, shape, 5)
    assert made.dtype == np.float32
    assert low <= made.min() < low + 0.05 * (high - low)
    assert high - 0.05 * (high - low) < made.max() <= high
