"""What the vision transformers and ResNets keep beside their numbers."""

import numpy as np
import pytest
import torch

from terradrift.embed.models import dinov2, ssl4eo
from terradrift.embed.networks.positions import DINO, DINOV2_REGISTERS, resized
from terradrift.embed.spec import Spec
from tests.embed.models import small_dinov2, small_ssl4eo
from tests.embed.models.given import given, vectors

SPECS = {
    spec.name: spec
    for module in (ssl4eo, dinov2)
    for spec in vars(module).values()
    if isinstance(spec, Spec)
}
SMALL = small_ssl4eo.SMALL | small_dinov2.SMALL
VITS = [name for name in SPECS if "resnet" not in name]

both_outputs = pytest.mark.parametrize("output", ["pooled", "tokens"])
every = pytest.mark.parametrize("name", SPECS)


def small(name, output="pooled"):
    torch.manual_seed(0)
    return SPECS[name].build(output=output, **SMALL[name]).eval()


def reflectance(name, count=2, side=None):
    spec = SPECS[name]
    side = side or 2 * spec.chip_multiple
    rng = np.random.default_rng(1)
    return rng.uniform(0, 0.3, (count, len(spec.bands), side, side))


def test_every_name_has_a_small_size():
    assert SMALL.keys() == SPECS.keys()


@every
def test_the_number_of_parameters_is_as_stated(name):
    with torch.device("meta"):
        network = SPECS[name].build()
    assert sum(p.numel() for p in network.parameters()) == SPECS[name].parameters


@every
@both_outputs
@pytest.mark.filterwarnings("ignore:.*torch.jit.trace.*:DeprecationWarning")
def test_the_network_can_be_traced_and_then_takes_other_batches(name, output):
    network = small(name, output)
    with torch.no_grad():
        two = network.prepare(given(reflectance(name)))
        traced = torch.jit.trace(network, two)
        five = network.prepare(given(reflectance(name, count=5)))
        torch.testing.assert_close(traced(*five), network(*five))


@every
@both_outputs
def test_bfloat16_stays_near(name, output):
    network = small(name, output)
    with torch.no_grad():
        prepared = network.prepare(given(reflectance(name)))
        exact = network(*prepared).flatten()
        with torch.autocast("cpu", torch.bfloat16):
            near = network(*prepared).float().flatten()
    assert torch.nn.functional.cosine_similarity(exact, near, dim=0) > 0.999


@every
def test_sides_that_do_not_fit_are_refused(name):
    side = SPECS[name].chip_multiple * 2 + 1
    image = given(reflectance(name, side=side))
    with pytest.raises(ValueError, match=rf"multiples of \d+ pixels, got {side} x"):
        small(name).prepare(image)


@every
def test_tokens_of_a_size_that_is_not_there_are_refused(name):
    with pytest.raises(ValueError, match=r"expected tokens of .* pixels, got 7"):
        SPECS[name].build(output="tokens", token_size=7)


@pytest.mark.parametrize("name", VITS)
def test_positions_are_interpolated_once_a_grid(name):
    network = small(name)
    tables = [network.prepare(given(reflectance(name)))[1] for _ in range(2)]
    assert tables[0].data_ptr() == tables[1].data_ptr()


@pytest.mark.parametrize("name", VITS)
def test_positions_follow_the_weights(name):
    network = small(name)
    image = reflectance(name)
    before = vectors(network, image)
    state = {key: value.clone() for key, value in network.state_dict().items()}
    state["pos_embed"] += 1.0 * torch.randn(state["pos_embed"].shape)
    network.load_state_dict(state)
    after = vectors(network, image)
    fresh = small(name)
    fresh.load_state_dict(state)
    np.testing.assert_array_equal(after, vectors(fresh, image))
    assert np.abs(after - before).max() > 1e-3


@pytest.mark.parametrize("how", [DINO, DINOV2_REGISTERS])
def test_the_trained_grid_keeps_its_positions(how):
    table = torch.randn(1, 1 + 14 * 14, 8)
    assert resized(table, (14, 14), how) is table


@pytest.mark.parametrize("how", [DINO, DINOV2_REGISTERS])
def test_positions_keep_class_token_and_directions(how):
    y = torch.arange(14.0)[:, None].expand(14, 14)
    patches = torch.stack([y, y.T], dim=-1).reshape(1, 196, 2)
    table = torch.cat([torch.full((1, 1, 2), 99.0), patches], dim=1)
    found = resized(table, (5, 8), how)
    assert found.shape == (1, 41, 2)
    assert (found[0, 0] == 99).all()
    rows = found[0, 1:].reshape(5, 8, 2)
    assert (rows[1:, :, 0] > rows[:-1, :, 0]).all(), "y grows southwards"
    assert (rows[:, 1:, 1] > rows[:, :-1, 1]).all(), "x grows eastwards"
