import pytest
import torch

from terradrift.embed.models import dinov2, sam, sam2
from terradrift.embed.networks.scaling import (
    IMAGENET_MEAN,
    IMAGENET_STD,
    STANDARDISED,
    STRETCHED,
    WHITE,
    standardised,
    stretched,
)

PHOTOGRAPHS = [dinov2.S, dinov2.B, dinov2.S_REG, dinov2.B_REG]
PHOTOGRAPHS += [sam.VITB, sam2.HIERA_T, sam2.HIERA_BPLUS]


def row(values):
    """(1, 3, 1, x)."""
    return torch.tensor(values).expand(1, 3, 1, -1)


@pytest.mark.parametrize("spec", PHOTOGRAPHS, ids=lambda spec: spec.name)
def test_networks_of_photographs_say_the_same_of_the_same(spec):
    assert spec.bands == ("red", "green", "blue")
    assert spec.preprocessing.startswith(f"{STRETCHED}; ")
    assert spec.preprocessing.count(STANDARDISED) == 1
    assert "pooled: " in spec.preprocessing


def test_stretch_is_what_the_words_say():
    found = stretched(row([-1.0, 0.0, WHITE / 2, WHITE, 9.0]))
    assert found[0, 0, 0].tolist() == [0, 0, 128, 255, 255]
    steps = (torch.arange(255) + 0.5) / 255 * WHITE
    exact = (steps / WHITE * 255) % 1 == 0.5
    assert exact.sum() > 100
    rounded = stretched(steps.expand(1, 3, 1, -1))[0, 0, 0]
    assert (rounded[exact] % 2 == 0).all()
    assert f"0..{WHITE} stretched to 0..255, clipped, rounded half to even" in STRETCHED


def test_standard_scale_is_what_the_words_say():
    found = standardised(row([0.0, 255.0]))[0, :, 0].tolist()
    for pair, mean, std in zip(found, IMAGENET_MEAN, IMAGENET_STD, strict=True):
        assert pair == pytest.approx([-mean / std, (1 - mean) / std], abs=1e-6)
    assert f"/ 255, minus {IMAGENET_MEAN}, / {IMAGENET_STD}" == STANDARDISED
