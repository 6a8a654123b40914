"""Presto against the outputs of the official code on real series, with real weights."""

import numpy as np
import pytest
import torch

from terradrift.embed.models.presto import PRESTO
from terradrift.embed.network import Input
from terradrift.embed.networks.galileo_codes import on_sphere
from terradrift.embed.networks.presto_encoder import LAND_COVER
from terradrift.errors import WeightsError
from tests.embed.models.given import apart

pytestmark = pytest.mark.shared

SAME = 1e-5
HEADS = 8
COLUMNS = {
    "S1": slice(0, 2),
    "S2_RGB": slice(2, 5),
    "S2_Red_Edge": slice(5, 8),
    "S2_NIR_10m": slice(8, 9),
    "S2_NIR_20m": slice(9, 10),
    "S2_SWIR": slice(10, 12),
    "ERA5": slice(12, 14),
    "SRTM": slice(14, 16),
    "NDVI": slice(16, 17),
}
"""README: the 17 columns of the official input."""
GIVEN = [*range(2, 12), 16]
"""Those that come from Sentinel-2."""


@pytest.fixture(scope="module")
def state(shared):
    file = shared("weights/presto/default_model.pt")
    return torch.load(file, map_location="cpu", weights_only=True)


@pytest.fixture(scope="module")
def golden(shared):
    with np.load(shared("weights/presto/golden_presto.npz")) as file:
        return dict(file)


def shapes(network):
    return {key: tuple(value.shape) for key, value in network.state_dict().items()}


def built(state, **kwargs):
    """The network of the file's size, with its weights."""
    blocks = [key.split(".")[2] for key in state if key.startswith("encoder.blocks.")]
    _, dates, half = state["encoder.pos_embed"].shape
    sizes = {"width": 2 * half, "depth": len(set(blocks)), "dates": dates}
    network = PRESTO.build(**sizes, heads=HEADS, **kwargs)
    picked = PRESTO.layout.pick(
        PRESTO.layout.unwrapped(state), shapes(network), model=PRESTO.name
    )
    network.load_state_dict(picked)
    return network.eval()


def every(golden):
    """All steps of the series."""
    return range(golden["s2_raw"].shape[1])


def given(golden, steps, change=lambda reflectance: reflectance):
    """The square of pixels as reflectance, at these steps of its series."""
    raw = golden["s2_raw"].astype(np.float32) / 10000
    side = int(len(raw) ** 0.5)
    raw = change(raw[:, steps]).reshape(side, side, len(steps), -1)
    pixels = torch.from_numpy(raw.transpose(2, 3, 0, 1).copy())[None]
    days = [f"2020-{month + 1:02d}-15" for month in golden["s2_month"][0, steps]]
    lat, lon = golden["s2_latlon"][0].astype(float)
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


def test_parity_with_everything_visible(state, golden):
    """All groups, weather, terrain and land cover too, and every token of them."""
    encoder = built(state).encoder
    x = torch.from_numpy(golden["full_x"])
    groups = {name: x[..., columns] for name, columns in COLUMNS.items()}
    groups["SRTM"] = groups["SRTM"][:, :1]
    groups[LAND_COVER] = torch.from_numpy(golden["full_dw"])
    place = on_sphere(golden["full_latlon"][:, ::-1].astype(float), torch.device("cpu"))
    months = torch.from_numpy(golden["full_month"])
    steps = torch.arange(months.shape[1]).expand_as(months)
    with torch.inference_mode():
        tokens = encoder(groups, months, steps, place)
        pooled = encoder.pooled(tokens)
        tokens = encoder.norm(tokens)
    assert apart(pooled.numpy(), golden["full_pooled"]) <= SAME
    assert apart(tokens.numpy(), golden["full_tokens"]) <= SAME


def test_parity_of_a_series_of_every_pixel(state, golden):
    network = built(state, output="tokens", token_size=1)
    found = run(network, given(golden, every(golden)))
    assert apart(found.reshape(-1, found.shape[-1]), golden["s2_pooled"]) <= SAME


def test_parity_of_tokens_of_a_series(state, golden):
    network = built(state, output="tokens", token_size=1)
    caught = []
    network.encoder.blocks[-1].register_forward_hook(
        lambda *call: caught.append(call[2])
    )
    run(network, given(golden, every(golden)))
    wanted = golden["s2_tokens_first4"]
    with torch.inference_mode():
        found = network.encoder.norm(torch.cat(caught)[: len(wanted)]).numpy()
    assert apart(found, wanted) <= SAME


def test_parity_of_one_date(state, golden):
    network = built(state, output="tokens", token_size=1)
    found = run(network, given(golden, [6]))
    assert apart(found.reshape(-1, found.shape[-1]), golden["t1_pooled"]) <= SAME


def test_parity_of_pooled_with_the_mean_of_pixels(state, golden):
    network = built(state, output="pooled", token_size=1)
    found = run(network, given(golden, every(golden)))
    assert apart(found[0], golden["s2_pooled"].mean(axis=0)) <= SAME


def test_parity_of_what_is_prepared(state, golden):
    network = built(state, output="tokens", token_size=1)
    values, seen, months, steps, _ = network.prepare(given(golden, every(golden)))
    wanted = golden["s2_x"][..., GIVEN]
    assert apart(values.reshape(wanted.shape).numpy(), wanted) <= 1e-7
    assert not golden["s2_mask"][..., GIVEN].any()
    assert (
        golden["s2_mask"].sum() == golden["s2_mask"][..., [0, 1, 12, 13, 14, 15]].sum()
    )
    assert seen.all()
    assert months.tolist() == [golden["s2_month"][0].tolist()]
    assert steps.tolist() == [list(every(golden))]
    values = network.prepare(given(golden, [6]))[0]
    wanted = golden["t1_x"][..., GIVEN]
    assert apart(values.reshape(wanted.shape).numpy(), wanted) <= 1e-7


def test_parity_of_tables_that_are_computed(state):
    """What a checkpoint brings is what the description says."""
    made = PRESTO.build().state_dict()
    for key in ("encoder.pos_embed", "encoder.month_embed.weight"):
        assert apart(made[key].numpy(), state[key].numpy()) <= SAME


def swap(pixels):
    return pixels[..., [0, 1, 2, 3, 4, 5, 7, 6, 8, 9]]


@pytest.mark.parametrize(
    "change",
    [
        swap,
        lambda pixels: pixels + np.float32(0.1),
        lambda pixels: pixels * 10000,
        lambda pixels: pixels / 10000,
    ],
    ids=["swapped", "offset", "digital numbers", "divided twice"],
)
def test_parity_is_lost_by_wrong_numbers(state, golden, change):
    network = built(state, output="tokens", token_size=1)
    found = run(network, given(golden, every(golden), change))
    wanted = golden["s2_pooled"]
    assert apart(found.reshape(wanted.shape), wanted) > 100 * SAME


def test_parity_is_lost_by_another_month_or_place(state, golden):
    network = built(state, output="tokens", token_size=1)
    right = network.prepare(given(golden, [6]))
    for index in (2, 4):
        wrong = list(right)
        wrong[index] = 11 - right[index] if index == 2 else -right[index]
        with torch.inference_mode():
            found = network(*wrong).numpy().reshape(golden["t1_pooled"].shape)
        assert apart(found, golden["t1_pooled"]) > 100 * SAME


def test_parity_needs_the_right_file(state, shared):
    other = torch.load(
        shared("weights/galileo_nano/encoder.pt"), map_location="cpu", weights_only=True
    )
    expected = shapes(PRESTO.build())
    with pytest.raises(WeightsError, match="keys are missing"):
        PRESTO.layout.pick(other, expected, model="presto")
    cut = {key: value for key, value in state.items() if key != "encoder.norm.bias"}
    with pytest.raises(WeightsError, match=r"encoder\.norm\.bias"):
        PRESTO.layout.pick(cut, expected, model="presto")
    more = state | {"encoder.extra.weight": torch.zeros(2)}
    with pytest.raises(WeightsError, match=r"encoder\.extra\.weight"):
        PRESTO.layout.pick(more, expected, model="presto")
    wide = len(state["encoder.norm.bias"])
    with pytest.raises(WeightsError, match="has the shape"):
        PRESTO.layout.pick(state, shapes(PRESTO.build(width=wide // 2)), model="presto")


def test_parity_of_ragged_clouds_with_each_pixel_alone(state, golden):
    """Hidden dates differ from pixel to pixel; the official code takes them one by one."""
    network = built(state, output="tokens", token_size=1)
    what = given(golden, every(golden))
    there = np.random.default_rng(5).random(what.clear.shape) < 0.5
    there[0, :, 2, 3] = False
    what.clear[:] = torch.from_numpy(there)
    found = run(network, what)[0]
    values, seen, months, steps, place = network.prepare(what)
    for row, column in np.ndindex(found.shape[:2]):
        kept = seen[0, row, column, 0].nonzero()[:, 0]
        if len(kept) == 0:
            assert (row, column) == (2, 3)
            assert np.isnan(found[row, column]).all()
            continue
        mine = [
            values[:, row : row + 1, column : column + 1, kept],
            seen[:, row : row + 1, column : column + 1, :, kept],
            months[:, kept],
            steps[:, kept],
            place,
        ]
        with torch.inference_mode():
            alone = network(*mine)[0, 0, 0].numpy()
        assert apart(found[row, column], alone) <= SAME
