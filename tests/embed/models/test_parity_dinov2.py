"""DINOv2 against the outputs of the official code, with and without register tokens."""

import re

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from terradrift.embed.models import dinov2
from terradrift.embed.networks.positions import DINO, DINOV2_REGISTERS
from terradrift.embed.vision import library
from terradrift.errors import WeightsError
from tests.embed.models.given import apart, count, given, restored, run, vectors
from tests.embed.models.small_dinov2 import SMALL
from tests.embed.procedural import dn, fill

pytestmark = pytest.mark.shared

SAME = 1e-5
WHITE = 0.3
PATCH = 14
HEADS = 3  # README
SPECS = {
    "noreg": (dinov2.S, dinov2.B),
    "reg4": (dinov2.S_REG, dinov2.B_REG),
}
"""By the names of the files."""
EACH = [(name, spec) for name, specs in SPECS.items() for spec in specs]
each = pytest.mark.parametrize(("name", "spec"), EACH, ids=[s.name for _, s in EACH])


@pytest.fixture(scope="module")
def states(shared):
    folder = shared("parity/dinov2_vit")
    return {name: load_file(folder / f"{name}.safetensors") for name in SPECS}


@pytest.fixture(scope="module")
def file(shared):
    with np.load(shared("parity/dinov2_vit/small.npz")) as opened:
        return dict(opened)


@pytest.fixture(scope="module")
def reflectance(file):
    """(n, 3, y, x): what such photographs are read as here."""
    return file["rgb"].astype(np.float32) / 255 * WHITE


def cut_sides(file):
    """Sides of the part whose outputs are in the file too, and how its arrays end."""
    found = {key.rpartition("_")[2] for key in file if re.search(r"_\d+x\d+$", key)}
    (ending,) = found
    height, width = map(int, ending.split("x"))
    return ending, height, width


def sizes(state):
    """Of the file; what its shapes do not tell is in its README."""
    registers = state.get("register_tokens")
    return {
        "width": state["cls_token"].shape[-1],
        "depth": count(state, r"^blocks\.(\d+)\."),
        "heads": HEADS,
        "registers": 0 if registers is None else registers.shape[1],
    }


def network(states, name, spec=None, **kwargs):
    state, spec = states[name], spec or SPECS[name][0]
    return restored(spec.build(**sizes(state) | kwargs), spec, state)


def rows(tokens):
    """(n, tokens, d) of (n, y, x, d)."""
    return tokens.reshape(len(tokens), -1, tokens.shape[-1])


@pytest.mark.parametrize("name", SPECS)
def test_parity_of_what_is_prepared(states, file, reflectance, name):
    image, _ = network(states, name).prepare(given(reflectance))
    assert image.dtype == torch.float32
    assert apart(image.numpy(), file["x"]) <= 1e-6


@each
def test_parity_of_both_outputs(states, file, reflectance, name, spec):
    pooled = network(states, name, spec)
    tokens = network(states, name, spec, output="tokens")
    official = torch.from_numpy(file["x"])
    for found, wanted in (
        (run(pooled, pooled.prepared(official)), "cls"),
        (vectors(pooled, reflectance), "cls"),
        (rows(run(tokens, tokens.prepared(official))), "patch"),
        (rows(vectors(tokens, reflectance)), "patch"),
    ):
        assert apart(found, file[f"{name}_{wanted}"]) <= SAME


@each
def test_parity_of_a_cut_that_is_no_square(states, file, reflectance, name, spec):
    ending, height, width = cut_sides(file)
    assert height != width
    cut = reflectance[..., :height, :width]
    found = vectors(network(states, name, spec), cut)
    assert apart(found, file[f"{name}_cls_{ending}"]) <= SAME
    found = vectors(network(states, name, spec, output="tokens"), cut)
    assert found.shape[1:3] == (height // PATCH, width // PATCH)
    assert apart(rows(found), file[f"{name}_patch_{ending}"]) <= SAME


def test_parity_of_the_registers(states, file, reflectance):
    """They are no output, but stand between the class and the patches."""
    ours = network(states, "reg4")
    caught = []
    ours.blocks.register_forward_hook(lambda *call: caught.append(call[2]))
    vectors(ours, reflectance)
    wanted = file["reg4_reg"]
    with torch.inference_mode():
        found = ours.norm(caught[0])[:, 1 : 1 + wanted.shape[1]].numpy()
    assert apart(found, wanted) <= SAME


@pytest.mark.parametrize("name", SPECS)
def test_parity_is_lost_with_the_positions_of_the_other(
    states, file, reflectance, name
):
    """Shapes do not tell that models with registers resize their table in another way."""
    tokens = network(states, name, output="tokens")
    right = DINOV2_REGISTERS if name == "reg4" else DINO
    assert tokens.interpolation == right
    tokens.interpolation = DINO if name == "reg4" else DINOV2_REGISTERS
    found = rows(vectors(tokens, reflectance))
    assert apart(found, file[f"{name}_patch"]) > 100 * SAME


@pytest.mark.parametrize("name", SPECS)
def test_parity_needs_the_right_number_of_heads(states, file, reflectance, name):
    wrong = network(states, name, heads=2 * HEADS)
    assert apart(vectors(wrong, reflectance), file[f"{name}_cls"]) > 100 * SAME


@pytest.mark.parametrize(
    "wrong",
    [
        lambda x: x[:, [2, 1, 0]],
        lambda x: x[:, [0, 2, 1]],
        lambda x: x + 0.1,
        lambda x: 10000 * x,
        lambda x: x / 10000,
    ],
    ids=["blue first", "two bands swapped", "offset left in", "DN", "unit forgotten"],
)
@pytest.mark.parametrize("name", SPECS)
def test_parity_is_lost_with_wrong_numbers(states, file, reflectance, name, wrong):
    found = vectors(network(states, name), wrong(reflectance))
    assert apart(found, file[f"{name}_cls"]) > 100 * SAME
    found = vectors(network(states, name, output="tokens"), wrong(reflectance))
    assert apart(rows(found), file[f"{name}_patch"]) > 100 * SAME


@each
def test_parity_file_of_another_model_is_refused(states, shared, name, spec):
    state = states[name]
    ours = sizes(state)
    assert "mask_token" in state, "the official file has more than the network"

    def refused(match, state=state, **other):
        with pytest.raises(WeightsError, match=match):
            restored(spec.build(**ours | other), spec, state)

    refused(f"weights of {spec.name}", states["reg4" if name == "noreg" else "noreg"])
    if ours["registers"]:
        less = {key: value for key, value in state.items() if key != "register_tokens"}
        refused(r"1 keys are missing \(register_tokens\)", less)
    else:
        more = state | {"register_tokens": torch.ones(1, 4, ours["width"])}
        refused(r"1 are not of it \(register_tokens\)", more)
    refused(r"1[0-9] keys are missing \(blocks\.", depth=ours["depth"] + 1)
    refused(r"are not of it \(blocks\.", depth=ours["depth"] - 1)
    refused("has the shape", width=2 * ours["width"])
    refused(r"1 are not of it \(head\.weight\)", state | {"head.weight": torch.ones(1)})
    cut = {key: value for key, value in state.items() if key != "norm.bias"}
    refused(r"1 keys are missing \(norm\.bias\)", cut)
    teacher = load_file(shared("parity/ssl4eo_vit_small16/dino_teacher.safetensors"))
    refused(rf"not the weights of {spec.name}", teacher)


@pytest.mark.parametrize(
    ("spec", "official", "side"),
    [
        (dinov2.S, "vit_small_patch14_dinov2", 518),
        (dinov2.B, "vit_base_patch14_dinov2", 518),
        (dinov2.S_REG, "vit_small_patch14_reg4_dinov2", 224),
        (dinov2.B_REG, "vit_base_patch14_reg4_dinov2", 224),
    ],
    ids=lambda value: getattr(value, "name", None),
)
def test_parity_at_full_size(shared, spec, official, side):
    """With timm's models of these names, and its own conversion of official keys.

    timm resizes positions as the official code does only where there are registers, so the
    others are compared on images of the trained side.
    """
    seed = int(shared("parity/SEED").read_text())
    ours = spec.build().eval()
    fill(ours, seed)
    theirs = library("timm").create_model(official, dynamic_img_size=True).eval()
    convert = library("timm.models.vision_transformer").checkpoint_filter_fn
    width = ours.cls_token.shape[-1]
    state = ours.state_dict() | {"mask_token": torch.zeros(1, width)}
    theirs.load_state_dict(convert(state, theirs))
    pixels = dn((1, len(spec.bands), side, side), seed) / 10000
    prepared = ours.prepare(given(pixels))
    with torch.inference_mode():
        wanted = theirs.forward_features(prepared[0]).numpy()
    assert apart(run(ours, prepared), wanted[:, 0]) <= SAME
    ours.output = "tokens"
    patches = wanted[:, theirs.num_prefix_tokens :]
    assert apart(rows(run(ours, prepared)), patches) <= SAME


def test_parity_of_every_model_of_the_family():
    assert SMALL.keys() == {spec.name for _, spec in EACH}
