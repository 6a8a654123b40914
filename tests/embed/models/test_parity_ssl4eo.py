"""SSL4EO-S12 against the outputs of its official code."""

import re

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from terradrift.embed.models import ssl4eo
from terradrift.errors import WeightsError
from tests.embed.models.given import apart, count, given, restored, vectors
from tests.embed.procedural import dn, fill

pytestmark = pytest.mark.shared

TOLERANCE = 1e-5
HALF = 1e-3  # rounding of what is stored as float16
PATCH = 16
HEADS = 6  # README: all three methods, also in the small files
RESNETS = [ssl4eo.RESNET50_MOCO, ssl4eo.RESNET50_DINO]
VITS = {
    "moco": (ssl4eo.VITS16_MOCO, "moco_v3", "module.base_encoder.", "state_dict"),
    "dino": (ssl4eo.VITS16_DINO, "dino_teacher", "module.backbone.", "teacher"),
    "mae": (ssl4eo.VITS16_MAE, "mae", "", "model"),
}


def by_name(spec):
    return spec.name


def grid(tokens):
    """(n, y, x, d) of the tokens of a square, without that of its class, which is first."""
    side = int(np.sqrt(tokens.shape[1] - 1))
    return tokens[:, 1:].reshape(len(tokens), side, side, -1)


@pytest.fixture(scope="module")
def resnet(shared):
    """The official file's tensors, its arrays, and sizes that fit them."""
    folder = shared("parity/ssl4eo_resnet50")
    state = load_file(folder / "weights.safetensors")
    part = "module.encoder_q."
    sizes = {
        "blocks": [
            count(state, rf"{re.escape(part)}layer{k}\.(\d+)\.") for k in (1, 2, 3, 4)
        ],
        "planes": [
            state[f"{part}layer{k}.0.conv1.weight"].shape[0] for k in (1, 2, 3, 4)
        ],
        "stem": state[f"{part}conv1.weight"].shape[0],
    }
    with np.load(folder / "small.npz") as file:
        return state, dict(file), sizes


def small_resnet(resnet, **kwargs):
    state, _, sizes = resnet
    network = ssl4eo.RESNET50_MOCO.build(**sizes, **kwargs)
    return restored(network, ssl4eo.RESNET50_MOCO, {"state_dict": state})


@pytest.fixture(scope="module")
def vits(shared):
    """By method: the official file's tensors and sizes that fit them; and the arrays."""
    folder = shared("parity/ssl4eo_vit_small16")
    found = {}
    for method, (_, file, prefix, _) in VITS.items():
        state = load_file(folder / f"{file}.safetensors")
        sizes = {
            "width": state[f"{prefix}cls_token"].shape[-1],
            "depth": count(state, r"(?:^|\.)blocks\.(\d+)\."),
            "heads": HEADS,
        }
        found[method] = (state, sizes)
    with np.load(folder / "small.npz") as file:
        return found, dict(file)


def small_vit(vits, method, **kwargs):
    spec, _, _, wrapper = VITS[method]
    state, sizes = vits[0][method]
    network = spec.build(**(sizes | kwargs))
    return restored(network, spec, {wrapper: state, "epoch": 99})


def test_parity_resnet_pooled(resnet):
    arrays = resnet[1]
    found = vectors(small_resnet(resnet), arrays["dn"] / 10000)
    assert apart(found, arrays["pooled"]) <= TOLERANCE


@pytest.mark.parametrize(("size", "layer"), [(16, "layer3"), (32, "layer4")])
def test_parity_resnet_tokens(resnet, size, layer):
    arrays = resnet[1]
    network = small_resnet(resnet, output="tokens", token_size=size)
    found = vectors(network, arrays["dn"] / 10000)
    assert apart(found, arrays[layer].transpose(0, 2, 3, 1)) <= TOLERANCE


def test_parity_resnet_tokens_are_the_fine_ones_unless_told(resnet):
    arrays = resnet[1]
    network = small_resnet(resnet, output="tokens")
    found = vectors(network, arrays["dn"] / 10000)
    assert apart(found, arrays["layer3"].transpose(0, 2, 3, 1)) <= TOLERANCE
    assert next(iter(ssl4eo.RESNET50_MOCO.tokens)) == 16


def test_parity_resnet_maps_on_the_way(resnet):
    arrays = resnet[1]
    network = small_resnet(resnet)
    maps = {}
    for name in ("layer1", "layer2"):
        layer = getattr(network, name)
        layer.register_forward_hook(lambda *a, name=name: maps.update({name: a[2]}))
    vectors(network, arrays["dn"] / 10000)
    for name, found in maps.items():
        assert apart(found.numpy(), arrays[name]) <= TOLERANCE
    assert len(maps) == 2


@pytest.mark.parametrize("method", VITS)
def test_parity_vit_pooled(vits, method):
    arrays = vits[1]
    expected = arrays["mae_mean_patch" if method == "mae" else f"{method}_cls"]
    found = vectors(small_vit(vits, method), arrays["dn"] / 10000)
    assert apart(found, expected) <= TOLERANCE


@pytest.mark.parametrize("method", VITS)
def test_parity_vit_tokens(vits, method):
    arrays = vits[1]
    network = small_vit(vits, method, output="tokens")
    expected = grid(arrays[f"{method}_tokens"])
    found = vectors(network, arrays["dn"][: len(expected)] / 10000)
    assert apart(found, expected) <= TOLERANCE


def test_parity_mae_class_token(vits):
    state, sizes = vits[0]["mae"]
    arrays = vits[1]
    network = ssl4eo.vits16(pool="class", **sizes)
    network = restored(network, ssl4eo.VITS16_MAE, {"model": state})
    found = vectors(network, arrays["dn"] / 10000)
    assert apart(found, arrays["mae_cls"]) <= TOLERANCE


def test_parity_dino_positions_of_another_grid(vits):
    arrays = vits[1]
    expected = grid(arrays["dino_tokens_crop128"])
    side = PATCH * expected.shape[1]
    crop = arrays["dn"][:, :, :side, :side] / 10000
    assert crop.shape[-1] < arrays["dn"].shape[-1]
    pooled = vectors(small_vit(vits, "dino"), crop)
    assert apart(pooled, arrays["dino_cls_crop128"]) <= TOLERANCE
    network = small_vit(vits, "dino", output="tokens")
    tokens = vectors(network, crop[: len(expected)])
    assert apart(tokens, expected) <= TOLERANCE


def test_parity_vit_needs_the_right_number_of_heads(vits):
    arrays = vits[1]
    network = small_vit(vits, "moco", heads=2 * HEADS)
    assert apart(vectors(network, arrays["dn"] / 10000), arrays["moco_cls"]) > 0.1


@pytest.mark.parametrize("spec", RESNETS, ids=by_name)
def test_parity_resnet_of_full_size(shared, spec):
    seed = int(shared("parity/SEED").read_text())
    with np.load(shared("parity/ssl4eo_resnet50/full_procedural.npz")) as file:
        expected = dict(file)
    network = spec.build(output="tokens", token_size=32).eval()
    fill(network, seed)
    maps = {}
    for name in ("layer2", "layer3"):
        layer = getattr(network, name)
        layer.register_forward_hook(lambda *a, name=name: maps.update({name: a[2]}))
    with torch.no_grad():
        for name, weight in network.named_parameters():
            if name.endswith("bn3.weight"):
                weight.mul_(0.25)
    n, _, *cells = expected["layer4"].shape
    shape = (n, len(spec.bands), *(32 * side for side in cells))
    found = vectors(network, dn(shape, seed) / 10000)
    assert apart(found, expected["layer4"].transpose(0, 2, 3, 1)) <= TOLERANCE
    assert apart(found.mean(axis=(1, 2)), expected["pooled"]) <= TOLERANCE
    for name, values in maps.items():
        means = values.mean(dim=(2, 3)).numpy()
        assert apart(means, expected[f"{name}_mean"]) <= TOLERANCE
    assert len(maps) == 2


def test_parity_vit_of_full_size(shared):
    seed = int(shared("parity/SEED").read_text())
    with np.load(shared("parity/ssl4eo_vit_small16/full_procedural.npz")) as file:
        expected = dict(file)
    wanted = grid(expected["tokens"])
    side = PATCH * wanted.shape[1]
    shape = (len(wanted), len(ssl4eo.BANDS), side, side)
    image = dn(shape, seed) / 10000
    found = {}
    for spec in (ssl4eo.VITS16_DINO, ssl4eo.VITS16_MAE):
        network = spec.build().eval()
        fill(network, seed)
        found[spec.name] = vectors(network, image)
    of_class = found["ssl4eo-vits16-dino"]
    assert apart(of_class, expected["cls"]) <= TOLERANCE
    assert apart(of_class, expected["WRONG_cls_if_12_heads"]) > 0.1
    mean = found["ssl4eo-vits16-mae"]
    assert apart(mean, expected["mean_patch"]) <= TOLERANCE
    network.output = "tokens"
    assert apart(vectors(network, image), wanted) <= HALF + TOLERANCE


@pytest.mark.parametrize("method", ["resnet", *VITS])
def test_parity_of_what_the_network_is_given(resnet, vits, method):
    network = small_resnet(resnet) if method == "resnet" else small_vit(vits, method)
    stored = (resnet[1] if method == "resnet" else vits[1])["dn"]
    image = network.prepare(given(stored / 10000))[0]
    assert image.dtype == torch.float32
    assert apart(image.numpy(), stored.astype(np.float32) / 10000) <= 1e-7
    bright = network.prepare(given(stored / 10000 * 3 - 0.5))[0]
    assert bright.min() == 0
    assert bright.max() == 1


@pytest.mark.parametrize("method", ["resnet", *VITS])
@pytest.mark.parametrize(
    "mistake",
    [
        lambda dn: dn[:, [0, 3, 2, 1, *range(4, 13)]] / 10000,
        lambda dn: dn[:, ::-1] / 10000,
        lambda dn: dn / 10000 + 0.1,
        lambda dn: dn,
        lambda dn: dn / 10000 / 10000,
    ],
    ids=["blue for red", "backwards", "offset left in", "numbers", "divided twice"],
)
def test_parity_is_lost_by_every_mistake(resnet, vits, method, mistake):
    network = small_resnet(resnet) if method == "resnet" else small_vit(vits, method)
    arrays = resnet[1] if method == "resnet" else vits[1]
    name = {"resnet": "pooled", "mae": "mae_mean_patch"}.get(method, f"{method}_cls")
    found = vectors(network, mistake(arrays["dn"]))
    assert apart(found, arrays[name]) > 100 * TOLERANCE


@pytest.mark.parametrize("spec", RESNETS, ids=by_name)
def test_parity_resnet_of_the_hosted_layout(resnet, spec):
    state, arrays, sizes = resnet
    part = "module.encoder_q."
    hosted = {
        key.removeprefix(part): value
        for key, value in state.items()
        if key.startswith(part) and ".fc." not in key
    }
    network = restored(spec.build(**sizes), spec, hosted)
    found = vectors(network, arrays["dn"] / 10000)
    assert apart(found, arrays["pooled"]) <= TOLERANCE


@pytest.mark.parametrize("prefix", ["module.backbone.", "backbone."])
def test_parity_resnet_of_the_dino_layout(resnet, prefix):
    state, arrays, sizes = resnet
    part = "module.encoder_q."
    spec = ssl4eo.RESNET50_DINO
    teacher = {
        key.replace(part, prefix): value
        for key, value in state.items()
        if key.startswith(part) and ".fc." not in key
    }
    teacher["module.head.mlp.0.weight"] = torch.zeros(8, 8)
    student = {key: torch.zeros_like(value) for key, value in teacher.items()}
    checkpoint = {"student": student, "teacher": teacher, "epoch": 99}
    found = vectors(
        restored(spec.build(**sizes), spec, checkpoint), arrays["dn"] / 10000
    )
    assert apart(found, arrays["pooled"]) <= TOLERANCE


@pytest.mark.parametrize("method", VITS)
def test_parity_vit_of_the_hosted_layout(vits, method):
    spec, _, prefix, _ = VITS[method]
    state, sizes = vits[0][method]
    network = spec.build(**sizes)
    own = network.state_dict().keys()
    hosted = {
        key.removeprefix(prefix): value
        for key, value in state.items()
        if key.removeprefix(prefix) in own
    }
    assert len(hosted) < len(state), "the official file has more than the network"
    expected = vits[1]["mae_mean_patch" if method == "mae" else f"{method}_cls"]
    found = vectors(restored(network, spec, hosted), vits[1]["dn"] / 10000)
    assert apart(found, expected) <= TOLERANCE


@pytest.mark.parametrize(
    ("method", "other"),
    [(m, o) for m in VITS for o in ("resnet", *VITS) if m != o],
)
def test_parity_files_of_other_methods_are_refused(resnet, vits, method, other):
    spec = VITS[method][0]
    network = spec.build(**vits[0][method][1])
    state = resnet[0] if other == "resnet" else vits[0][other][0]
    with pytest.raises(WeightsError, match=rf"weights of {spec.name}"):
        restored(network, spec, state)


@pytest.mark.parametrize("method", VITS)
def test_parity_files_of_another_size_are_refused(vits, method):
    spec = VITS[method][0]
    state, sizes = vits[0][method]
    deeper = spec.build(**(sizes | {"depth": sizes["depth"] + 1}))
    with pytest.raises(WeightsError, match=r"12 keys are missing \(blocks\."):
        restored(deeper, spec, state)
    wider = spec.build(**(sizes | {"width": 2 * sizes["width"]}))
    with pytest.raises(WeightsError, match="has the shape"):
        restored(wider, spec, state)
