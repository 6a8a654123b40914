"""SatlasPretrain against the outputs of the official code."""

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from terradrift.embed.models import satlas
from terradrift.embed.networks.satlas import TCI_WHITE
from terradrift.errors import WeightsError
from tests.embed.models.given import apart, given, loaded, run
from tests.embed.procedural import dn, fill

pytestmark = pytest.mark.shared

SAME = 1e-5
HEADS = (1, 2, 4, 8)
STRIDES = (4, 8, 16, 32)
SI, SI_FPN = satlas.SWINB_SI_MS, satlas.SWINB_SI_MS_FPN
MI, MI_FPN = satlas.SWINB_MI_MS, satlas.SWINB_MI_MS_FPN


@pytest.fixture(scope="module")
def state(shared):
    return load_file(shared("parity/satlas_swin_v2/single_image.safetensors"))


@pytest.fixture(scope="module")
def series_state(state):
    """The file of a multi-image model: one more prefix before the backbone."""
    return {
        f"backbone.{key}" if key.startswith("backbone.") else key: value
        for key, value in state.items()
    }


@pytest.fixture(scope="module")
def file(shared):
    with np.load(shared("parity/satlas_swin_v2/small.npz")) as opened:
        return dict(opened)


def scaled_officially(images):
    """float32 of (..., band, y, x): an 8-bit true-colour image, then digital numbers."""
    x = images.astype(np.float32)
    x[:, :3] /= 255
    x[:, 3:] = np.clip(x[:, 3:] / 8160, 0, 1)
    return torch.from_numpy(x)


@pytest.fixture(scope="module")
def official(file):
    """(t, band, y, x): what the official network was given."""
    return scaled_officially(file["dn"])


@pytest.fixture(scope="module")
def reflectance(file):
    """(1, t, band, y, x): what such images are read as here."""
    x = file["dn"].astype(np.float32)
    x[:, :3] *= TCI_WHITE / 255
    x[:, 3:] /= 10000
    return x[None]


def sizes(state):
    """Of the file; what its shapes do not tell is in its README."""
    blocks = {
        tuple(key.split("features.")[1].split(".")[:2])
        for key in state
        if "features." in key
    }
    depths = [
        sum(stage == str(odd) and block.isdigit() for stage, block in blocks)
        for odd in (1, 3, 5, 7)
    ]
    first = next(v for k, v in state.items() if k.endswith("features.0.0.weight"))
    return {"width": len(first), "depths": tuple(depths), "heads": HEADS}


def tokens(spec, state, stride):
    return loaded(spec, state, output="tokens", token_size=stride, **sizes(state))


def pooled(spec, state):
    return loaded(spec, state, output="pooled", **sizes(state))


def channels_last(found):
    return np.moveaxis(found, 1, -1)


def test_parity_of_the_prepared_tensor(state, series_state, official, reflectance):
    (single,) = pooled(SI, state).prepare(given(reflectance))
    series, there = pooled(MI, series_state).prepare(given(reflectance))
    # The colours are rounded to the steps of the 8-bit image, so they are the same; the
    # other bands differ by what two float32 divisions do.
    assert apart(single[0, :3].numpy(), official[-1, :3].numpy()) == 0
    assert apart(single[0].numpy(), official[-1].numpy()) <= 1.2e-7
    assert apart(series[0].numpy(), official.numpy()) <= 1.2e-7
    assert there.all()


@pytest.mark.parametrize("stage", [1, 2, 3, 4])
def test_parity_of_one_date(state, file, official, reflectance, stage):
    network = tokens(SI, state, STRIDES[stage - 1])
    wanted = channels_last(file[f"si_map{stage}"])
    assert apart(run(network, [official[:1]]), wanted) <= SAME
    ours = network.prepare(given(reflectance[:, :1]))
    assert apart(run(network, ours), wanted) <= SAME


@pytest.mark.parametrize("stage", [1, 2, 3, 4])
def test_parity_of_one_date_cut(state, file, official, stage):
    """Windows that are padded, and a map no larger than a window."""
    side = 4 * file["crop96_map1"].shape[-1]
    network = tokens(SI, state, STRIDES[stage - 1])
    found = run(network, [official[:1, :, :side, :side]])
    assert apart(found, channels_last(file[f"crop96_map{stage}"])) <= SAME


@pytest.mark.parametrize("stage", [1, 2, 3, 4])
def test_parity_of_the_pyramid(state, file, official, stage):
    network = tokens(SI_FPN, state, STRIDES[stage - 1])
    found = run(network, [official[:1]])
    assert apart(found, channels_last(file[f"si_fpn_map{stage}"])) <= SAME


@pytest.mark.parametrize("stage", [1, 2, 3, 4])
def test_parity_of_several_dates(series_state, file, official, stage):
    network = tokens(MI, series_state, STRIDES[stage - 1])
    found = run(network, [official[None], torch.ones(1, len(official)).bool()])
    assert apart(found, channels_last(file[f"mi_map{stage}"])) <= SAME


def test_parity_of_the_pyramid_of_several_dates(series_state, file, reflectance):
    network = tokens(MI_FPN, series_state, 32)
    found = run(network, network.prepare(given(reflectance)))
    assert apart(found, channels_last(file["mi_fpn_map4"])) <= SAME


def test_parity_of_pooled_vectors(state, series_state, file, reflectance):
    for spec, weights, name, dates in (
        (SI, state, "si_map4", 1),
        (SI_FPN, state, "si_fpn_map4", 1),
        (MI, series_state, "mi_map4", None),
        (MI_FPN, series_state, "mi_fpn_map4", None),
    ):
        network = pooled(spec, weights)
        found = run(network, network.prepare(given(reflectance[:, :dates])))
        assert apart(found, file[name].mean(axis=(2, 3), dtype=float)) <= SAME


def test_parity_without_the_dates_that_are_absent(series_state, file, reflectance):
    """A date that is not there is as if it had not been given, also beside a fuller chip."""
    network = tokens(MI, series_state, 32)
    several = np.concatenate([reflectance, np.full_like(reflectance, 9.0)])
    several[1, -1] = reflectance[0, 0]
    clear = torch.ones(several.shape[:2] + several.shape[-2:], dtype=torch.bool)
    clear[1, :-1] = False
    found = run(network, network.prepare(given(several, clear)))
    assert apart(found[:1], channels_last(file["mi_map4"])) <= SAME
    assert apart(found[1:], channels_last(file["si_map4"])) <= SAME


def test_parity_network_gives_numbers_where_nothing_is_clear(series_state, reflectance):
    """No infinity, which would spoil the matrix products of the pyramid."""
    network = tokens(MI_FPN, series_state, 4)
    clear = torch.zeros(reflectance.shape[:2] + reflectance.shape[-2:]).bool()
    assert np.isfinite(run(network, network.prepare(given(reflectance, clear)))).all()


def swapped(pixels):
    return pixels[:, :, [2, 1, 0, *range(3, 9)]]


@pytest.mark.parametrize(
    "wrong",
    [
        swapped,
        lambda x: x[:, :, [0, 1, 2, 3, 4, 5, 6, 8, 7]],
        lambda x: x + 0.1,
        lambda x: 10000 * x,
        lambda x: x / 10000,
    ],
    ids=["blue first", "two bands swapped", "offset left in", "DN", "unit forgotten"],
)
@pytest.mark.parametrize("spec", [SI, SI_FPN], ids=["maps", "pyramid"])
def test_parity_is_lost_with_wrong_numbers(state, file, reflectance, wrong, spec):
    network = pooled(spec, state)
    name = "si_map4" if spec is SI else "si_fpn_map4"
    bad = network.prepare(given(wrong(reflectance[:, :1])))
    assert apart(run(network, bad), file[name].mean(axis=(2, 3))) > 100 * SAME


def test_parity_file_of_a_mirror_has_the_same_weights(state, file, official):
    """torchgeo keeps torchvision's keys without a prefix."""
    bare = {
        key.removeprefix("backbone.backbone."): value
        for key, value in state.items()
        if key.startswith("backbone.")
    }
    for spec in (SI, MI):
        network = tokens(spec, bare, 32)
        prepared = (
            [official[:1]]
            if spec is SI
            else [official[None, :1], torch.ones(1, 1).bool()]
        )
        assert apart(run(network, prepared), channels_last(file["si_map4"])) <= SAME
    with pytest.raises(WeightsError, match=r"keys are missing \(fpn\."):
        pooled(SI_FPN, bare)


def test_parity_file_of_another_model_is_refused(state, series_state):
    for spec, other in ((SI, series_state), (MI, state)):
        with pytest.raises(WeightsError, match="not the weights of satlas-swinb"):
            pooled(spec, other)
    ours = sizes(state)
    *depths, last = ours["depths"]
    for sized in (
        {"width": 2 * ours["width"]},
        {"depths": (*depths, last + 1)},
        {"bands": 3},
    ):
        with pytest.raises(WeightsError, match="not the weights of satlas-swinb-si-ms"):
            loaded(SI, state, output="pooled", **ours | sized)
    with pytest.raises(WeightsError, match=r"are not of it \(queue\)"):
        pooled(SI, state | {"queue": torch.ones(1)})


def test_parity_at_full_size(shared):
    seed = int(shared("parity/SEED").read_text())
    with np.load(shared("parity/satlas_swin_v2/full_procedural.npz")) as opened:
        wanted = dict(opened)
    network = SI.build(output="tokens", token_size=32).eval()
    fill(network.backbone, seed)
    with torch.no_grad():
        for name, parameter in network.named_parameters():
            if name.endswith("logit_scale"):
                parameter.fill_(2.0)
    n, _, *cells = wanted["map4"].shape
    shape = (n, len(SI.bands), *(32 * side for side in cells))
    x = dn(shape, seed, lo=0, hi=9000)
    x[:, :3] = np.floor(x[:, :3] / 9000 * 255)
    prepared = [scaled_officially(x)]
    assert apart(run(network, prepared), channels_last(wanted["map4"])) <= SAME
    for stage, stride in enumerate(STRIDES):
        network.level = stage
        found = run(network, prepared).mean(axis=(1, 2), dtype=float)
        assert apart(found, wanted[f"map{stage + 1}_mean"]) <= SAME, stride
