"""SAM 2.1's image encoders against the official package, on the same procedural weights."""

from importlib import import_module

import numpy as np
import pytest
import torch

from terradrift.embed.models.sam2 import HIERA_BPLUS, HIERA_T
from terradrift.embed.vision import library
from terradrift.errors import WeightsError
from tests.embed.models.given import apart, given, loaded, run
from tests.embed.models.small_sam2 import SMALL
from tests.embed.procedural import dn, fill

build_sam = pytest.importorskip(
    "sam2.build_sam", reason="no sam2, which is what SAM 2.1 is compared with"
)

SAME = 1e-5
SEED = 23
WHITE = 0.3
CONFIGS = {
    HIERA_T.name: "sam2.1_hiera_t.yaml",
    HIERA_BPLUS.name: "sam2.1_hiera_b+.yaml",
}


def official_model(spec):
    model = build_sam.build_sam2(f"configs/sam2.1/{CONFIGS[spec.name]}", device="cpu")
    fill(model, SEED)
    return model


@pytest.fixture(scope="module")
def tiny():
    return official_model(HIERA_T)


@pytest.fixture(scope="module")
def tokens(tiny):
    return converted(HIERA_T, tiny, output="tokens")


def converted(spec, model, **sizes):
    return loaded(spec, {"model": model.state_dict()}, **sizes)


def features(model, x):
    """The official 1/16 map, channels last."""
    with torch.inference_mode():
        return model.image_encoder(x)["vision_features"].movedim(1, -1).numpy()


def photograph(side):
    """(y, x, 3) uint8."""
    return np.moveaxis(dn((3, side, side), SEED, lo=0, hi=255), 0, -1).astype(np.uint8)


def reflectance(image):
    """(1, 1, 3, y, x): what such a photograph is read as here."""
    return np.moveaxis(image, -1, 0)[None, None].astype(np.float32) / 255 * WHITE


def official_input(model, image):
    """(1, 3, 1024, 1024), by the transforms of the package."""
    library("torchvision.transforms")  # which the package imports without our shim
    transforms = import_module("sam2.utils.transforms")
    return transforms.SAM2Transforms(model.image_size, mask_threshold=0.0)(image)[None]


@pytest.mark.parametrize("side", [256, 384])
@pytest.mark.parametrize("spec", [HIERA_T, HIERA_BPLUS], ids=lambda spec: spec.name)
def test_parity_of_the_map(spec, side):
    """Smaller than in use, which moves the table of positions and the windows' padding."""
    model = official_model(spec)
    x = torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(SEED))
    wanted = features(model, x)
    assert wanted.shape == (2, side // 16, side // 16, 256)
    assert apart(run(converted(spec, model, output="tokens"), [x]), wanted) <= SAME
    pooled = run(converted(spec, model, output="pooled"), [x])
    assert apart(pooled, wanted.mean(axis=(1, 2), dtype=float)) <= SAME


@pytest.mark.filterwarnings(  # by the package's transforms, which compile themselves
    "ignore:.torch.jit.script. is deprecated:DeprecationWarning"
)
@pytest.mark.parametrize("side", [1024, 320])
def test_parity_from_reflectance_at_full_size(tiny, tokens, side):
    image = photograph(side)
    wanted = official_input(tiny, image)
    (found,) = prepared = tokens.prepare(given(reflectance(image)))
    assert apart(found.numpy(), wanted.numpy()) <= SAME
    if side == 1024:
        assert apart(run(tokens, prepared), features(tiny, wanted)) <= SAME


@pytest.mark.parametrize(
    "wrong",
    [
        lambda x: x[:, :, [2, 1, 0]],
        lambda x: x[:, :, [0, 2, 1]],
        lambda x: x + 0.1,
        lambda x: 10000 * x,
        lambda x: x / 10000,
    ],
    ids=["blue first", "two bands swapped", "offset left in", "DN", "unit forgotten"],
)
def test_parity_is_lost_with_wrong_numbers(tiny, wrong):
    network = converted(HIERA_T, tiny, output="pooled", side=256)
    pixels = reflectance(photograph(256))
    (right,) = network.prepare(given(pixels))
    wanted = features(tiny, right).mean(axis=(1, 2))
    bad = network.prepare(given(wrong(pixels)))
    assert apart(run(network, bad), wanted) > 100 * SAME


def test_parity_uses_every_key_of_the_image_encoder(tiny):
    """All but the convolutions of the two finer maps, which the 1/16 map does not need."""
    with torch.device("meta"):
        ours = HIERA_T.build(output="pooled").state_dict()
    expected = {key: tuple(value.shape) for key, value in ours.items()}
    state = tiny.state_dict()
    found = HIERA_T.layout.pick(state, expected, model=HIERA_T.name)
    used = {id(value) for value in found.values()}
    left = {
        key
        for key in state
        if key.startswith("image_encoder.") and id(state[key]) not in used
    }
    assert left == {
        f"image_encoder.neck.convs.{level}.conv.{part}"
        for level in (2, 3)
        for part in ("weight", "bias")
    }


def test_parity_file_of_another_model_is_refused(tiny):
    state = tiny.state_dict()
    with pytest.raises(WeightsError, match=r"not the weights of sam2\.1-hiera-b\+"):
        loaded(HIERA_BPLUS, {"model": state}, output="pooled")
    with pytest.raises(WeightsError, match=r"1 are not of it \(teacher\)"):
        loaded(HIERA_T, {"model": state | {"teacher": torch.ones(1)}}, output="pooled")
    less = {k: v for k, v in state.items() if not k.endswith("convs.1.conv.bias")}
    with pytest.raises(WeightsError, match=r"1 keys are missing \(neck\.fine\.bias"):
        loaded(HIERA_T, {"model": less}, output="pooled")
    with pytest.raises(WeightsError, match=r"keys begin with 'image_encoder\.'"):
        loaded(HIERA_T, {"model": {"blocks.0": torch.ones(1)}}, output="pooled")
    assert SMALL.keys() == CONFIGS.keys()
