"""Clay against the outputs of the official encoder."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from terradrift.embed.models.clay import V1_0, V1_5
from terradrift.embed.network import Input
from terradrift.errors import WeightsError
from tests.embed.models.given import apart
from tests.embed.models.small_clay import SMALL
from tests.embed.procedural import dn, fill

pytestmark = pytest.mark.shared

SAME = 1e-5
HEADS = 3


def built(output, state, spec=V1_5):
    """The network of the file's size, with its weights."""
    dim = state["model.encoder.cls_token"].shape[-1]
    qkv = state["model.encoder.transformer.layers.0.0.to_qkv.weight"]
    blocks = {key.split(".")[4] for key in state if ".transformer.layers." in key}
    network = spec.build(
        output=output,
        dim=dim,
        depth=len(blocks),
        heads=HEADS,
        dim_head=len(qkv) // 3 // HEADS,
    )
    expected = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    network.load_state_dict(
        spec.layout.pick(
            spec.layout.unwrapped({"state_dict": state, "epoch": 3}),
            expected,
            model=spec.name,
        )
    )
    return network.eval()


def instant(week, hour, year=2021):
    monday = datetime.fromisocalendar(year, int(week), 1).replace(tzinfo=UTC)
    return np.datetime64((monday + timedelta(hours=int(hour))).replace(tzinfo=None))


def given(file, **changes):
    times = [instant(w, h) for w, h in zip(file["week"], file["hour"], strict=True)]
    reflectance = torch.from_numpy(file["dn"].astype(np.float32) / 10000)[:, None]
    whole = Input(
        pixels=reflectance,
        clear=torch.ones_like(reflectance[:, :, 0], dtype=torch.bool),
        times=np.array(times, "datetime64[us]")[:, None],
        centers=np.stack([file["lon"], file["lat"]], axis=1),
        gsd=float(file["gsd"]),
        wavelengths=file["waves"],
    )
    return replace(whole, **changes)


@pytest.fixture(scope="module")
def state(shared):
    return load_file(shared("parity/clay_v1_5/weights.safetensors"))


@pytest.fixture(scope="module")
def file(shared):
    with np.load(shared("parity/clay_v1_5/small.npz")) as opened:
        return dict(opened)


@pytest.fixture(scope="module")
def pooled(state):
    return built("pooled", state)


@pytest.fixture(scope="module")
def tokens(state):
    return built("tokens", state)


def run(network, what):
    with torch.inference_mode():
        return network(*network.prepare(what)).numpy()


@pytest.mark.parametrize("spec", [V1_5, V1_0], ids=lambda spec: spec.name)
def test_parity_of_both_outputs(state, file, spec):
    whole = given(file)
    assert apart(run(built("pooled", state, spec), whole), file["cls"]) <= SAME
    found = run(built("tokens", state, spec), whole)
    n, _, dim = file["tokens"].shape
    side = file["dn"].shape[-1] // 8
    assert apart(found, file["tokens"][:, 1:].reshape(n, side, side, dim)) <= SAME
    assert apart(found.mean(axis=(1, 2)), file["mean_patch"]) <= SAME


def test_parity_of_what_is_prepared(pooled, file):
    pixels, _, _, conditions, gsd = pooled.prepare(given(file))
    assert apart(pixels.numpy(), file["pixels"]) <= SAME
    wanted = np.hstack([file["time"], file["latlon"]])
    assert apart(conditions.numpy(), wanted) <= 1e-6
    assert gsd.tolist() == [file["gsd"]] * len(pixels)


def test_parity_of_the_kernels(pooled, file):
    with torch.inference_mode():
        pixels, kernels, bias, *_ = pooled.prepare(given(file))
        found = torch.nn.functional.conv2d(pixels, kernels[0], bias[0], stride=8)
    found = found.flatten(2).transpose(1, 2).numpy()
    assert apart(found, file["patch_embed_only"]) <= SAME


def test_parity_without_time_and_place(pooled, file):
    n = len(file["dn"])
    unknown = given(
        file,
        times=np.full((n, 1), np.datetime64("NaT", "us")),
        centers=np.full((n, 2), np.nan),
    )
    found = run(pooled, unknown)
    assert apart(found, file["cls_zero_meta"]) <= SAME
    assert apart(found, file["cls"]) > 100 * SAME


def test_parity_of_three_bands_at_another_resolution(tokens, file):
    """Missing bands are left out; the network does not care about their order."""
    n, _, height, width = file["rgb_pixels"].shape
    waves = file["waves"].copy()
    waves[3:] = np.nan
    whole = given(file)
    rgb = replace(
        whole,
        pixels=whole.pixels[..., :height, :width],
        gsd=float(file["rgb_gsd"]),
        wavelengths=waves,
    )
    prepared = tokens.prepare(rgb)[0].numpy()
    assert apart(prepared[:, ::-1], file["rgb_pixels"]) <= SAME
    found = run(tokens, rgb)
    wanted = file["rgb_tokens"][:, 1:].reshape(n, height // 8, width // 8, -1)
    assert apart(found, wanted) <= SAME
    coarse = run(tokens, replace(rgb, gsd=whole.gsd))
    assert apart(coarse, wanted) > 100 * SAME


def swapped(pixels):
    order = [0, 1, 2, 3, 4, 5, 7, 6, 8, 9]  # B8 and B8A, the likeliest to be confused
    return pixels[:, :, order]


@pytest.mark.parametrize(
    "wrong",
    [swapped, lambda x: x + 0.1, lambda x: 10000 * x, lambda x: x / 10000],
    ids=["two bands swapped", "offset left in", "DN", "unit forgotten"],
)
def test_parity_is_lost_with_wrong_numbers(pooled, tokens, file, wrong):
    whole = given(file)
    bad = replace(whole, pixels=wrong(whole.pixels))
    assert apart(run(pooled, bad), file["cls"]) > 10 * SAME
    side = file["dn"].shape[-1] // 8
    wanted = file["tokens"][:, 1:].reshape(len(whole.pixels), side, side, -1)
    assert apart(run(tokens, bad), wanted) > 10 * SAME


def test_parity_is_lost_with_another_time_place_or_gsd(pooled, file):
    whole = given(file)
    for changed in (
        replace(whole, times=whole.times[::-1]),
        replace(whole, centers=whole.centers[:, ::-1]),
        replace(whole, gsd=20.0),
    ):
        assert apart(run(pooled, changed), file["cls"]) > 10 * SAME


def test_parity_file_of_another_size_or_model_is_refused(state):
    small = V1_5.build(output="pooled", **SMALL["clay-v1.5"] | {"depth": 1})
    expected = {key: tuple(value.shape) for key, value in small.state_dict().items()}
    with pytest.raises(WeightsError, match="are not of it"):
        V1_5.layout.pick(state, expected, model="clay-v1.5")
    whole = {k: v for k, v in state.items() if not k.endswith("fc_bias.bias")}
    network = V1_5.build(output="pooled", **SMALL["clay-v1.5"])
    expected = {key: tuple(value.shape) for key, value in network.state_dict().items()}
    with pytest.raises(WeightsError, match=r"1 keys are missing .*fc_bias\.bias"):
        V1_5.layout.pick(whole, expected, model="clay-v1.5")
    with pytest.raises(WeightsError, match="not the weights of clay"):
        V1_5.layout.pick({"conv1.weight": torch.ones(1)}, expected, model="clay-v1.5")


@pytest.fixture(scope="module")
def full(shared, file):
    seed = int(shared("parity/SEED").read_text())
    with np.load(shared("parity/clay_v1_5/full_procedural.npz")) as opened:
        wanted = dict(opened)
    network = V1_5.build(output="tokens").eval()
    fill(network, seed)
    side = int(np.sqrt(wanted["tokens"].shape[1] - 1))
    n = len(wanted["tokens"])
    shape = (n, len(V1_5.bands), 8 * side, 8 * side)
    pixels = dn(shape, seed).astype(np.float32) / 10000
    whole = given(file)
    first = replace(
        whole,
        pixels=torch.from_numpy(pixels)[:, None],
        times=whole.times[:n],
        centers=whole.centers[:n],
    )
    return network, first, wanted


def test_parity_at_full_size(full):
    network, first, wanted = full
    network.output = "tokens"
    found = run(network, first)
    assert apart(found.mean(axis=(1, 2)), wanted["mean_patch"]) <= SAME
    dense = wanted["tokens"][:, 1:].astype(np.float32).reshape(found.shape)
    assert apart(found, dense) <= SAME + 1e-3  # stored as float16
    network.output = "pooled"
    assert apart(run(network, first), wanted["cls"]) <= SAME


@pytest.mark.parametrize("output", ["pooled", "tokens"])
def test_parity_of_bfloat16_in_direction_at_full_size(full, output):
    network, first, _ = full
    network.output = output
    wanted = torch.from_numpy(run(network, first))
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        found = network(*network.prepare(first)).float()
    cosine = torch.nn.functional.cosine_similarity(found, wanted, dim=-1)
    assert cosine.min() >= 0.9999
