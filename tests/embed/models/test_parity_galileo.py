"""Galileo against the outputs of the official code on a real series, with real weights."""

import re

import numpy as np
import pytest
import torch

from terradrift.embed.models import galileo, presto
from terradrift.embed.network import Input
from terradrift.embed.networks.galileo import CHANNELS
from terradrift.errors import WeightsError
from tests.embed.models.given import apart

pytestmark = pytest.mark.shared

SAME = 1e-5
RESIZED = 2e-5
"""README: kernels of another size than 8 go through a pseudo-inverse."""
HEADS = 8
CASES = {
    "a_ps3": ("s2_dn", "months", 3, {}),
    "b_ps2_latlon": ("s2_dn", "months", 2, {"location": True}),
    "c_ps1_nondvi": ("s2_dn", "months", 1, {"ndvi": False}),
    "d_ps6": ("s2_dn", "months", 6, {}),
    "e_t1_ps2": ("e_t1_s2_dn", "e_t1_month", 2, {}),
    "f_ps8": ("f_ps8_s2_dn", "f_ps8_months", 8, {}),
}
"""By the names of the outputs: images, months, patch size, and what else is given."""


@pytest.fixture(scope="module")
def state(shared):
    file = shared("weights/galileo_nano/encoder.pt")
    return torch.load(file, map_location="cpu", weights_only=True)


@pytest.fixture(scope="module")
def golden(shared):
    with np.load(shared("weights/galileo_nano/golden_galileo_nano.npz")) as file:
        return dict(file)


def shapes(network):
    return {key: tuple(value.shape) for key, value in network.state_dict().items()}


def built(state, **kwargs):
    """The network of the file's size, with its weights."""
    blocks = (re.search(r"blocks\.(?:backbone\.)?(\d+)\.", key) for key in state)
    depth = {found[1] for found in blocks if found}
    dates, quarter = state["pos_embed"].shape
    sizes = {"width": 4 * quarter, "depth": len(depth), "heads": HEADS, "dates": dates}
    spec = galileo.NANO
    network = spec.build(**(sizes | kwargs))
    picked = spec.layout.pick(
        spec.layout.unwrapped(state), shapes(network), model=spec.name
    )
    network.load_state_dict(picked)
    return network.eval()


def given(golden, dn, months, pixels=None):
    """The series as reflectance; `dn` (y, x, t, band)."""
    if pixels is None:
        pixels = golden[dn].astype(np.float32) / 10000
    pixels = torch.from_numpy(pixels.transpose(2, 3, 0, 1).copy())[None]
    days = [f"2020-{month + 1:02d}-15" for month in golden[months]]
    lat, lon = golden["latlon"].astype(float)
    return Input(
        pixels=pixels,
        clear=torch.ones_like(pixels[:, :, 0], dtype=torch.bool),
        times=np.array([days], "datetime64[us]"),
        centers=np.array([[lon, lat]]),
        gsd=10.0,
        wavelengths=np.linspace(0.44, 2.2, pixels.shape[2], dtype=np.float32),
    )


def run(network, what):
    with torch.inference_mode():
        return network(*network.prepare(what)).numpy()


@pytest.mark.parametrize("case", CASES)
def test_parity_of_both_outputs(state, golden, case):
    dn, months, patch, options = CASES[case]
    what = given(golden, dn, months)
    bound = SAME if patch == 8 else RESIZED
    dense = built(state, output="tokens", token_size=patch, **options)
    found = run(dense, what)
    side = golden[dn].shape[0] // patch
    assert found.shape[:3] == (1, side, side)
    assert apart(found.reshape(1, side * side, -1), golden[f"{case}_dense"]) <= bound
    pooled = built(state, output="pooled", token_size=patch, **options)
    assert apart(run(pooled, what), golden[f"{case}_pooled"]) <= bound


def test_parity_of_what_is_prepared(state, golden):
    network = built(state, token_size=2, location=True)
    bands, visible, months, steps, _, point = network.prepare(
        given(golden, "s2_dn", "months")
    )
    wanted = golden["a_ps3_in_s_t_x"][..., 2:].transpose(0, 3, 4, 1, 2)
    assert apart(bands.numpy(), wanted) <= 1e-6
    # DW, WC, ... stand before and after; the mask says that only the place is given.
    assert apart(point.numpy(), golden["b_ps2_latlon_in_st_x"][:, 1:4]) <= 1e-6
    assert golden["b_ps2_latlon_in_st_m"].tolist() == [[1, 0, 1, 1]]
    assert visible.all()
    assert months.tolist() == [golden["months"].tolist()]
    assert steps.tolist() == [list(range(len(golden["months"])))]


def test_parity_of_every_token(state, golden):
    """Group by group, before any mean: a mean hides groups that are exchanged."""
    network = built(state, output="tokens", token_size=3)
    caught = []
    network.norm.register_forward_hook(lambda *call: caught.append(call[2]))
    run(network, given(golden, "s2_dn", "months"))
    wanted = golden["a_ps3_tokens_s_t"][..., 1:, :].transpose(0, 4, 3, 1, 2, 5)
    assert CHANNELS[0] == "S1"
    found = caught[0].reshape(wanted.shape).numpy()
    assert apart(found, wanted) <= RESIZED


def test_parity_of_tables_that_are_computed(state):
    """What a checkpoint brings is what the description says."""
    network = galileo.NANO.build()
    assert apart(network.pos_embed.numpy(), state["pos_embed"].numpy()) <= SAME
    months = network.month_embed.weight.detach().numpy()
    assert apart(months, state["month_embed.weight"].numpy()) <= SAME


def test_parity_is_lost_by_wrong_numbers(state, golden):
    network = built(state, output="tokens", token_size=3)
    wanted = golden["a_ps3_dense"]
    right = golden["s2_dn"].astype(np.float32) / 10000
    swapped = right.copy()
    swapped[..., [6, 7]] = right[..., [7, 6]]
    wrong = {
        "two bands exchanged": swapped,
        "offset forgotten": right + np.float32(0.1),
        "digital numbers for reflectance": right * 10000,
        "reflectance divided twice": right / 10000,
    }
    for name, pixels in wrong.items():
        what = given(golden, "s2_dn", "months", pixels)
        found = run(network, what).reshape(wanted.shape)
        assert apart(found, wanted) > 100 * RESIZED, name


def test_parity_is_lost_by_wrong_months_and_resolution(state, golden):
    network = built(state, output="tokens", token_size=3)
    what = given(golden, "s2_dn", "months")
    right = network.prepare(what)
    for index, name in ((2, "months"), (4, "places")):
        wrong = list(right)
        wrong[index] = right[index].roll(1, dims=1)
        with torch.inference_mode():
            found = network(*wrong).numpy().reshape(golden["a_ps3_dense"].shape)
        assert apart(found, golden["a_ps3_dense"]) > 100 * RESIZED, name


def test_parity_of_releases_with_wrapped_modules(state):
    wrapped = {}
    for key, value in state.items():
        head, dot, rest = key.partition(".")
        wrapped[f"{head}.backbone.{rest}" if dot else key] = value
    assert wrapped.keys() != state.keys()
    plain, other = built(state).state_dict(), built(wrapped).state_dict()
    assert all(torch.equal(plain[key], other[key]) for key in plain)


def test_parity_needs_the_right_file(state, shared):
    other = torch.load(
        shared("weights/presto/default_model.pt"), map_location="cpu", weights_only=True
    )
    with pytest.raises(WeightsError, match="keys are missing"):
        built(state, depth=len(built(state).blocks) + 1)
    with pytest.raises(WeightsError, match="are not of it"):
        galileo.NANO.layout.pick(other, shapes(galileo.NANO.build()), model="galileo")
    with pytest.raises(WeightsError, match="another model or size"):
        galileo.TINY.layout.pick(state, shapes(galileo.TINY.build()), model="tiny")
    with pytest.raises(WeightsError, match="keys are missing"):
        presto.PRESTO.layout.pick(state, shapes(presto.PRESTO.build()), model="presto")
    cut = {key: value for key, value in state.items() if key != "norm.bias"}
    with pytest.raises(WeightsError, match=r"norm\.bias"):
        built(cut)


@pytest.mark.parametrize("options", [{}, {"location": True}])
def test_parity_of_hidden_tokens_with_dropped_ones(state, golden, options):
    """The mask of attention is the official way, which takes tokens out."""
    network = built(state, output="tokens", token_size=2, **options)
    what = given(golden, "s2_dn", "months")
    rng = np.random.default_rng(3)
    side = what.clear.shape[-1] // 2
    there = rng.random((1, what.clear.shape[1], side, side)) < 0.4
    there[:, :, 0, 1] = False
    tokens = torch.from_numpy(there)
    what.clear[:] = tokens.repeat_interleave(2, dim=2).repeat_interleave(2, dim=3)
    caught = []
    network.blocks[0].register_forward_pre_hook(lambda _, given: caught.append(given))
    found = run(network, what)[0]
    whole, mask = caught[0]
    kept = mask[0, 0, 0].nonzero()[:, 0]
    with torch.inference_mode():
        x = whole[:, kept]
        for block in network.blocks:
            x = block(x, None)
        x = network.norm(x)[0]
    ground = len(kept) - len(options)
    patch = kept[:ground] % side**2
    for row in range(side):
        for column in range(side):
            mine = x[:ground][patch == row * side + column]
            if len(mine) == 0:
                assert np.isnan(found[row, column]).all()
                assert (row, column) == (0, 1)
                continue
            wanted = torch.cat([mine, x[ground:]]).mean(dim=0).numpy()
            assert apart(found[row, column], wanted) <= RESIZED
