"""SAM's image encoder against the outputs of the official code."""

import numpy as np
import pytest
import torch
from PIL import Image
from safetensors.torch import load_file

from terradrift.embed.models.sam import VITB
from terradrift.errors import WeightsError
from tests.embed.models.given import apart, given, loaded, run
from tests.embed.models.small_sam import SMALL

pytestmark = pytest.mark.shared

SAME = 1e-5
WHITE = 0.3
HEADS, WHOLE = 3, (1, 3)
MEAN, STD = (123.675, 116.28, 103.53), (58.395, 57.12, 57.375)


@pytest.fixture(scope="module")
def state(shared):
    return load_file(shared("parity/sam_vit/weights.safetensors"))


@pytest.fixture(scope="module")
def file(shared):
    with np.load(shared("parity/sam_vit/small.npz")) as opened:
        return dict(opened)


@pytest.fixture(scope="module")
def reflectance(file):
    """(n, 1, 3, y, x): what such photographs are read as here."""
    return file["rgb"][:, None].astype(np.float32) / 255 * WHITE


def sizes(state):
    """Of the file; what its shapes do not tell is in its README."""
    blocks = {key.split(".")[2] for key in state if ".blocks." in key}
    positions = state["image_encoder.pos_embed"]
    return {
        "side": 16 * positions.shape[1],
        "width": positions.shape[-1],
        "depth": len(blocks),
        "heads": HEADS,
        "window": (len(state["image_encoder.blocks.0.attn.rel_pos_h"]) + 1) // 2,
        "whole": WHOLE,
        "neck": len(state["image_encoder.neck.0.weight"]),
    }


@pytest.fixture(scope="module")
def tokens(state):
    return loaded(VITB, state, output="tokens", **sizes(state))


@pytest.fixture(scope="module")
def pooled(state):
    return loaded(VITB, state, output="pooled", **sizes(state))


def test_parity_of_the_prepared_tensor(tokens, file, reflectance):
    (found,) = tokens.prepare(given(reflectance))
    assert apart(found.numpy(), file["x"]) <= 1e-6


def test_parity_of_both_outputs(tokens, pooled, file, reflectance):
    wanted = np.moveaxis(file["embedding"], 1, -1)
    assert apart(run(tokens, [torch.from_numpy(file["x"])]), wanted) <= SAME
    prepared = tokens.prepare(given(reflectance))
    assert apart(run(tokens, prepared), wanted) <= SAME
    assert apart(run(pooled, prepared), wanted.mean(axis=(1, 2), dtype=float)) <= SAME


@pytest.mark.parametrize("side", [64, 96, 200, 256])
def test_parity_of_a_chip_that_is_resized(tokens, file, side):
    """As Pillow does, which the official code uses, but for its rounding after each axis."""
    photograph = np.resize(np.moveaxis(file["rgb"][0], 0, -1), (side, side, 3))
    to = (tokens.side, tokens.side)
    wanted = np.asarray(
        Image.fromarray(photograph).resize(to, Image.Resampling.BILINEAR)
    )
    chip = np.moveaxis(photograph, -1, 0)[None, None].astype(np.float32) / 255 * WHITE
    (found,) = tokens.prepare(given(chip))
    found = found[0].movedim(0, -1).numpy() * STD + MEAN
    assert apart(found, wanted.astype(np.float64)) <= 1 + 1e-3


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
def test_parity_is_lost_with_wrong_numbers(tokens, pooled, file, reflectance, wrong):
    wanted = np.moveaxis(file["embedding"], 1, -1)
    prepared = tokens.prepare(given(wrong(reflectance)))
    assert apart(run(tokens, prepared), wanted) > 100 * SAME
    assert apart(run(pooled, prepared), wanted.mean(axis=(1, 2))) > 100 * SAME


def test_parity_file_of_another_model_is_refused(state):
    ours = sizes(state)
    for name in ("width", "window", "side"):
        with pytest.raises(WeightsError, match="not the weights of sam-vitb"):
            loaded(VITB, state, output="pooled", **ours | {name: 2 * ours[name]})
    for depth in (ours["depth"] - 1, ours["depth"] + 1):
        with pytest.raises(WeightsError, match="not the weights of sam-vitb"):
            loaded(VITB, state, output="pooled", **ours | {"depth": depth})
    with pytest.raises(WeightsError, match=r"are not of it \(queue\)"):
        loaded(VITB, state | {"queue": torch.ones(1)}, output="pooled", **ours)
    with pytest.raises(WeightsError, match=r"keys begin with 'image_encoder\.'"):
        loaded(VITB, {"blocks.0.norm1.bias": torch.ones(1)}, output="pooled", **ours)


def test_parity_of_the_layout_at_full_size():
    """Shapes of the released ViT-B, and its number of parameters, from the README."""
    with torch.device("meta"):
        state = VITB.build(output="pooled").state_dict()
    assert sum(value.numel() for value in state.values()) == 89_670_912
    assert state["encoder.pos_embed"].shape == (1, 64, 64, 768)
    reach = {i: len(state[f"encoder.blocks.{i}.attn.rel_pos_h"]) for i in range(12)}
    assert reach == {i: 127 if i in (2, 5, 8, 11) else 27 for i in range(12)}
    assert state["encoder.blocks.0.attn.rel_pos_h"].shape[1] == 768 // 12
    assert state["encoder.neck.2.weight"].shape == (256, 256, 3, 3)
    assert SMALL.keys() == {VITB.name}
