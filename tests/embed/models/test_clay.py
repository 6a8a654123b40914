"""What Clay does about odd chips, missing bands, unknown times, batches and precision."""

import copy
from dataclasses import replace

import numpy as np
import pytest
import torch

from terradrift.embed.models.clay import V1_0, V1_5
from terradrift.embed.network import Input
from terradrift.embed.networks.clay_conditions import place_of, time_of
from terradrift.embed.networks.clay_sentinel2 import BANDS, WAVELENGTH
from tests.embed.models.small_clay import SMALL
from tests.embed.procedural import dn, fill


def small(output="pooled", seed=5):
    network = V1_5.build(output=output, **SMALL["clay-v1.5"]).eval()
    fill(network, seed)
    return network


def chips(n=3, side=32, seed=2):
    pixels = dn((n, 1, len(BANDS), side, side), seed).astype(np.float32) / 10000
    days = np.datetime64("2020-12-28T10:59", "us") + 7 * np.arange(n) * 86_400_000_000
    return Input(
        pixels=torch.from_numpy(pixels),
        clear=torch.ones((n, 1, side, side), dtype=torch.bool),
        times=days[:, None],
        centers=np.stack([np.linspace(3, 170, n), np.linspace(-50, 51, n)], axis=1),
        gsd=10.0,
        wavelengths=np.array(WAVELENGTH, np.float32),
    )


def run(network, given):
    with torch.inference_mode():
        return network(*network.prepare(given))


def part(given, which):
    return replace(
        given,
        pixels=given.pixels[which],
        clear=given.clear[which],
        times=given.times[which],
        centers=given.centers[which],
    )


def without(given, *bands):
    wavelengths, pixels = given.wavelengths.copy(), given.pixels.clone()
    for band in bands:
        wavelengths[BANDS.index(band)] = np.nan
        pixels[:, :, BANDS.index(band)] = 0
    return replace(given, wavelengths=wavelengths, pixels=pixels)


@pytest.mark.parametrize("spec", [V1_5, V1_0], ids=lambda spec: spec.name)
def test_the_card_tells_the_size_of_the_network(spec):
    with torch.device("meta"):
        network = spec.build(output="pooled")
    assert sum(value.numel() for value in network.parameters()) == spec.parameters
    assert network.cls_token.shape[-1] == spec.dimensions == spec.tokens[8]


@pytest.mark.parametrize("output", ["pooled", "tokens"])
def test_a_batch_gives_what_its_chips_give_alone(output):
    network, given = small(output), chips()
    whole = run(network, given)
    for index in range(3):
        alone = run(network, part(given, [index]))
        torch.testing.assert_close(whole[[index]], alone, atol=2e-6, rtol=0)


def test_what_lies_in_a_missing_band_does_not_matter():
    network, given = small(), without(chips(), "rededge071", "nir08")
    filled = given.pixels.clone()
    filled[:, :, BANDS.index("nir08")] = 0.7
    torch.testing.assert_close(
        run(network, given), run(network, replace(given, pixels=filled)), atol=0, rtol=0
    )


def test_leaving_a_band_out_is_not_the_same_as_zeros():
    network, given = small(), chips()
    zeros = replace(given, pixels=without(given, "nir").pixels)
    apart = (run(network, without(given, "nir")) - run(network, zeros)).abs().max()
    assert apart > 1e-2


def test_the_wavelengths_of_a_scene_are_those_of_training():
    network, given = small(), chips()
    nominal = replace(given, wavelengths=given.wavelengths + np.float32(0.003))
    torch.testing.assert_close(run(network, given), run(network, nominal))


def test_chips_must_be_square_and_whole_tokens():
    given = chips()
    with pytest.raises(ValueError, match=r"square chips of a multiple of 8 .*32 x 24"):
        small().prepare(replace(given, pixels=given.pixels[..., :24]))
    with pytest.raises(ValueError, match=r"got 28 x 28; choose another chip size"):
        small().prepare(replace(given, pixels=given.pixels[..., :28, :28]))


def test_a_band_is_needed():
    with pytest.raises(ValueError, match="needs a band at least"):
        small().prepare(without(chips(), *BANDS))


def test_tokens_have_one_size():
    assert V1_5.build(output="tokens", token_size=8, **SMALL["clay-v1.5"])
    with pytest.raises(ValueError, match="tokens of 8 pixels, got 16"):
        V1_5.build(output="tokens", token_size=16, **SMALL["clay-v1.5"])


def test_kernels_of_other_weights_are_not_kept():
    network, other, given = small(), small(seed=6), chips()
    run(network, given)
    network.load_state_dict(other.state_dict())
    torch.testing.assert_close(run(network, given), run(other, given), atol=0, rtol=0)


def test_kernels_follow_the_bands_of_each_call():
    network, given = small(), chips()
    few = without(given, "swir16", "swir22")
    first = run(network, given), run(network, few)
    again = run(network, given), run(network, few)
    torch.testing.assert_close(first, again, atol=0, rtol=0)
    torch.testing.assert_close(first[1], run(small(), few), atol=0, rtol=0)


def test_a_network_in_use_can_be_copied_and_trained():
    network, given = small(), chips()
    wanted = run(network, given)
    double = copy.deepcopy(network)
    torch.testing.assert_close(run(double, given), wanted, atol=0, rtol=0)
    double(*double.prepare(given)).sum().backward()
    assert double.patch_embedding.fclayer.l1.weight.grad.abs().sum() > 0


def test_forward_can_be_exported():
    network, given = small("tokens"), chips()
    with torch.no_grad():
        prepared = network.prepare(given)
        exported = torch.export.export(network, prepared).module()
        torch.testing.assert_close(exported(*prepared), network(*prepared))


@pytest.mark.parametrize("output", ["pooled", "tokens"])
def test_bfloat16_keeps_the_direction(output):
    network, given = small(output), chips()
    wanted = run(network, given)
    with torch.autocast("cpu", torch.bfloat16):
        found = run(network, given).float()
    cosine = torch.nn.functional.cosine_similarity(found, wanted, dim=-1)
    assert cosine.min() >= 0.9999


def test_weeks_are_those_of_iso_8601():
    times = np.array(["2021-01-03T23:59", "2021-01-04T00:00", "NaT"], "datetime64[us]")
    last, first, unknown = time_of(times)
    week, hour = 2 * np.pi * 53 / 52, 2 * np.pi * 23 / 24
    wanted = [np.sin(week), np.cos(week), np.sin(hour), np.cos(hour)]
    np.testing.assert_allclose(last, wanted, atol=1e-6)
    week = 2 * np.pi / 52
    np.testing.assert_allclose(first, [np.sin(week), np.cos(week), 0, 1], atol=1e-6)
    assert unknown.tolist() == [0, 0, 0, 0]


def test_places_are_latitude_then_longitude():
    found = place_of(np.array([[90.0, 30.0], [np.nan, 30.0]]))
    np.testing.assert_allclose(found[0], [0.5, np.sqrt(0.75), 1, 0], atol=1e-6)
    assert found[1].tolist() == [0, 0, 0, 0]
