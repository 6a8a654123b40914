"""AnySat against the outputs of the official code on Sentinel-2 series."""

from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from terradrift.embed.models.anysat import ANYSAT, normalised
from terradrift.embed.network import Input
from terradrift.embed.networks.anysat_sentinel2 import BANDS
from terradrift.errors import WeightsError
from tests.embed.models.given import apart
from tests.embed.models.small_anysat import SMALL
from tests.embed.procedural import dn, fill

pytestmark = pytest.mark.shared

SAME = 1e-5
HEADS = 4
SIZES = [1, 2, 4]
DAYS = [15, 100, 200, 300]  # README: of the full network's input


def expected(network):
    return {key: tuple(value.shape) for key, value in network.state_dict().items()}


def built(state, file, token_size, output="tokens"):
    """The network of the file's size, with its weights and constants."""
    blocks = {key.split(".")[1] for key in state if key.startswith("blocks.")}
    network = ANYSAT.build(
        output=output,
        token_size=token_size,
        mean=file["mean"].tolist(),
        std=file["std"].tolist(),
        dim=state["cls_token"].shape[-1],
        depth=len(blocks) - 1,
        heads=HEADS,
    )
    others = {"projector_s1.pad_parameter": torch.ones(()), "projector_l8.x": 1}
    found = ANYSAT.layout.unwrapped({"state_dict": {**state, **others}})
    network.load_state_dict(
        ANYSAT.layout.pick(found, expected(network), model="anysat")
    )
    return network.eval()


def given(dns, days):
    """Chips of 2021, whose days of the year count from 0."""
    reflectance = torch.from_numpy(dns.astype(np.float32) / 10000)
    n, t, _, height, width = reflectance.shape
    year = np.datetime64("2021-01-01T10:30", "us")
    return Input(
        pixels=reflectance,
        clear=torch.ones((n, t, height, width), dtype=torch.bool),
        times=year + days * np.timedelta64(1, "D"),
        centers=np.zeros((n, 2)),
        gsd=10.0,
        wavelengths=np.full(len(BANDS), np.nan, np.float32),
    )


@pytest.fixture(scope="module")
def state(shared):
    return load_file(shared("parity/anysat/weights.safetensors"))


@pytest.fixture(scope="module")
def file(shared):
    with np.load(shared("parity/anysat/small.npz")) as opened:
        return dict(opened)


@pytest.fixture(scope="module")
def chips(file):
    return given(file["dn"], file["dates"])


def run(network, what):
    with torch.inference_mode():
        return network(*network.prepare(what)).numpy()


@pytest.mark.parametrize("size", SIZES)
def test_parity_of_both_outputs(state, file, chips, size):
    tokens = run(built(state, file, size), chips)
    assert apart(tokens, file[f"patch_ps{10 * size}"]) <= SAME
    pooled = run(built(state, file, size, "pooled"), chips)
    assert apart(pooled, file[f"tile_ps{10 * size}"]) <= SAME


def test_parity_of_all_tokens_and_of_the_dense_map(state, file):
    """From the official input: single pixels magnify what reflectance in float32 rounds off
    by a hundred and more, where a group of channels hardly varies; tokens do not."""
    network = built(state, file, 2)
    with torch.inference_mode():
        official = torch.from_numpy(file["x"]), torch.from_numpy(file["dates"])
        whole = network.encoded(*official)[0].numpy()
        dense = network.dense(*official).numpy()
    assert apart(whole, file["all_ps20"]) <= SAME
    assert apart(dense, file["dense_ps20"]) <= SAME


def test_parity_of_what_is_prepared(state, file, chips):
    x, days = built(state, file, 1).prepare(chips)
    assert apart(x.numpy(), file["x"]) <= SAME
    np.testing.assert_array_equal(days.numpy(), file["dates"])


@pytest.mark.parametrize("size", SIZES)
def test_parity_beside_dates_that_are_absent(state, file, chips, size):
    """The official series, with nothing where two further dates might be."""
    n, t, *rest = chips.pixels.shape
    pixels = torch.full((n, t + 2, *rest), 0.3)
    clear = torch.zeros((n, t + 2, *rest[1:]), dtype=torch.bool)
    times = np.full((n, t + 2), np.datetime64("NaT"), "datetime64[us]")
    for row in range(n):
        gaps = (0, t - 1) if row % 2 else (0, 1)
        there = [date for date in range(t + 2) if date not in gaps]
        pixels[row, there], clear[row, there] = chips.pixels[row], True
        times[row, there] = chips.times[row]
    padded = replace(chips, pixels=pixels, clear=clear, times=times)
    found = run(built(state, file, size), padded)
    assert apart(found, file[f"patch_ps{10 * size}"]) <= SAME


def swapped(pixels):
    order = [0, 1, 2, 3, 4, 5, 7, 6, 8, 9]  # B8 and B8A, the likeliest to be confused
    return pixels[:, :, order]


@pytest.mark.parametrize(
    "wrong",
    [swapped, lambda x: x + 0.1, lambda x: 10000 * x, lambda x: x / 10000],
    ids=["two bands swapped", "offset left in", "DN", "unit forgotten"],
)
@pytest.mark.parametrize("output", ["pooled", "tokens"])
def test_parity_is_lost_with_wrong_numbers(state, file, chips, wrong, output):
    wanted = file["tile_ps20" if output == "pooled" else "patch_ps20"]
    bad = replace(chips, pixels=wrong(chips.pixels))
    assert apart(run(built(state, file, 2, output), bad), wanted) > 100 * SAME


def test_parity_is_lost_with_other_days_or_constants(state, file, chips):
    network = built(state, file, 2)
    late = replace(chips, times=chips.times - np.timedelta64(1, "D"))
    assert apart(run(network, late), file["patch_ps20"]) > 100 * SAME
    network.normal = ((0.0,) * len(BANDS), (10000.0,) * len(BANDS))
    assert apart(run(network, chips), file["patch_ps20"]) > 100 * SAME


def test_parity_file_of_another_size_or_model_is_refused(state):
    network = ANYSAT.build(output="pooled", **SMALL["anysat"])
    with pytest.raises(WeightsError, match="are not of it"):
        ANYSAT.layout.pick(state, expected(network), model="anysat")
    shallow = {k: v for k, v in state.items() if k.split(".")[-1] != "Q"}
    network = ANYSAT.build(output="pooled", **SMALL["anysat"] | {"depth": 2})
    with pytest.raises(WeightsError, match=r"1 keys are missing .*heads\.Q"):
        ANYSAT.layout.pick(shallow, expected(network), model="anysat")
    with pytest.raises(WeightsError, match="not the weights of anysat"):
        ANYSAT.layout.pick(
            {"conv1.weight": torch.ones(1)}, expected(network), model="anysat"
        )


@pytest.fixture(scope="module")
def full(shared):
    seed = int(shared("parity/SEED").read_text())
    even = normalised([2500] * len(BANDS), [1500] * len(BANDS))
    network = even.build(output="tokens", token_size=1).eval()
    fill(network, seed)
    with np.load(shared("parity/anysat/full_procedural.npz")) as opened:
        wanted = dict(opened)
    n, height, width, _ = wanted["patch"].shape
    dns = dn((n, len(DAYS), len(BANDS), height, width), seed, lo=100)
    return network, given(dns, np.tile(DAYS, (n, 1))), wanted


def test_parity_at_full_size(full):
    network, chips, wanted = full
    network.output = "tokens"
    assert apart(run(network, chips), wanted["patch"]) <= SAME
    network.output = "pooled"
    assert apart(run(network, chips), wanted["tile"]) <= SAME


@pytest.mark.parametrize("output", ["pooled", "tokens"])
def test_parity_of_bfloat16_in_direction_at_full_size(full, output):
    network, chips, _ = full
    network.output = output
    wanted = torch.from_numpy(run(network, chips))
    with torch.inference_mode(), torch.autocast("cpu", torch.bfloat16):
        found = network(*network.prepare(chips)).float()
    cosine = torch.nn.functional.cosine_similarity(found, wanted, dim=-1)
    assert cosine.min() >= 0.9999
