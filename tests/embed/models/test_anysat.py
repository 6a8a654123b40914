"""What AnySat does about odd chips, absent dates, batches and precision."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from terradrift.embed.models.anysat import ANYSAT, normalised
from terradrift.embed.network import Input
from terradrift.embed.networks.anysat import day_of_year
from terradrift.embed.networks.anysat_positions import code, distance_class
from terradrift.embed.networks.anysat_sentinel2 import BANDS, MEAN, STD
from terradrift.embed.networks.ltae import day_code
from tests.embed.models.small_anysat import SMALL
from tests.embed.procedural import dn, fill

NEVER = np.datetime64("NaT", "us")


def small(output="tokens", token_size=4, seed=5):
    network = ANYSAT.build(output=output, token_size=token_size, **SMALL["anysat"])
    fill(network, seed)
    return network.eval()


def chips(n=3, t=3, side=16, seed=2):
    pixels = dn((n, t, len(BANDS), side, side), seed).astype(np.float32) / 10000
    days = np.datetime64("2021-01-20T10:30", "us") + np.timedelta64(
        40, "D"
    ) * np.arange(n * t)
    return Input(
        pixels=torch.from_numpy(pixels),
        clear=torch.ones((n, t, side, side), dtype=torch.bool),
        times=days.reshape(n, t),
        centers=np.zeros((n, 2)),
        gsd=10.0,
        wavelengths=np.ones(len(BANDS), np.float32),
    )


def run(network, given):
    with torch.inference_mode():
        return network(*network.prepare(given))


def part(given, rows, dates=slice(None)):
    return replace(
        given,
        pixels=given.pixels[rows][:, dates],
        clear=given.clear[rows][:, dates],
        times=given.times[rows][:, dates],
        centers=given.centers[rows],
    )


def absent(given, row, date):
    """`date` of the chip `row` as the streaming runner pads it, but with odd pixels."""
    pixels, clear, times = given.pixels.clone(), given.clear.clone(), given.times.copy()
    pixels[row, date], clear[row, date], times[row, date] = 0.4, False, NEVER
    return replace(given, pixels=pixels, clear=clear, times=times)


def test_the_card_tells_the_size_of_the_network():
    with torch.device("meta"):
        network = ANYSAT.build(output="pooled")
    assert sum(value.numel() for value in network.parameters()) == ANYSAT.parameters
    assert network.cls_token.shape[-1] == ANYSAT.dimensions == ANYSAT.tokens[4]
    assert network.token_size == next(iter(ANYSAT.tokens))


@pytest.mark.parametrize("output", ["pooled", "tokens"])
def test_a_batch_gives_what_its_chips_give_alone(output):
    network, given = small(output), chips()
    whole = run(network, given)
    for row in range(3):
        alone = run(network, part(given, [row]))
        torch.testing.assert_close(whole[[row]], alone, atol=1e-5, rtol=0)


@pytest.mark.parametrize("output", ["pooled", "tokens"])
def test_dates_that_are_absent_take_no_part(output):
    network, given = small(output), chips()
    padded = absent(absent(absent(given, 0, 0), 0, 1), 2, 1)
    found = run(network, padded)
    wanted = torch.cat(
        [
            run(network, part(given, [0], [2])),
            run(network, part(given, [1])),
            run(network, part(given, [2], [0, 2])),
        ]
    )
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=0)
    assert (found - run(network, given))[[0, 2]].abs().amax() > 1e-2


def test_a_date_all_under_cloud_takes_no_part():
    network, given = small(), chips(n=1)
    clear = given.clear.clone()
    clear[0, 1] = False
    found = run(network, replace(given, clear=clear))
    torch.testing.assert_close(found, run(network, part(given, [0], [0, 2])))


def test_a_chip_without_any_date_does_not_disturb_the_others():
    network, given = small(), chips()
    dark = absent(absent(absent(given, 1, 0), 1, 1), 1, 2)
    found = run(network, dark)
    wanted = run(network, given)
    torch.testing.assert_close(found[[0, 2]], wanted[[0, 2]], atol=1e-5, rtol=0)
    assert torch.isfinite(found).all()


def test_dates_matter_but_not_their_year():
    network, given = small(), chips(n=1)
    later = replace(given, times=given.times + np.timedelta64(365, "D"))
    torch.testing.assert_close(run(network, given), run(network, later))
    shifted = replace(given, times=given.times + np.timedelta64(30, "D"))
    assert (run(network, given) - run(network, shifted)).abs().max() > 1e-2


@pytest.mark.parametrize("size", [1, 2, 4, 8, 16])
def test_tokens_cover_the_chip(size):
    found = run(small(token_size=size), chips(n=1, t=1))
    assert found.shape == (1, 16 // size, 16 // size, SMALL["anysat"]["dim"])


def test_pixels_of_the_dense_map_see_their_own_token_alone():
    network, given = small(), chips(n=1, t=1)
    pixels = given.pixels.clone()
    pixels[..., 4:8, 8:12] = 0.9
    with torch.inference_mode():
        before = network.dense(*network.prepare(given))
        after = network.dense(*network.prepare(replace(given, pixels=pixels)))
    moved = (before - after)[0, ..., SMALL["anysat"]["dim"] :].abs().amax(dim=-1)
    inside = torch.zeros(16, 16, dtype=torch.bool)
    inside[4:8, 8:12] = True
    torch.testing.assert_close(moved > 1e-5, inside)


def test_chips_must_be_square_of_whole_tokens_and_not_too_many():
    network, given = small(), chips(n=1, t=1)
    with pytest.raises(ValueError, match=r"square chips of whole tokens .*got 16 x 12"):
        network.prepare(replace(given, pixels=given.pixels[..., :12]))
    with pytest.raises(ValueError, match="tokens of 4 pixels, got 14 x 14"):
        network.prepare(replace(given, pixels=given.pixels[..., :14, :14]))
    large = chips(n=1, t=1, side=33)
    with pytest.raises(ValueError, match=r"at most 1024 tokens .* got 1089; choose"):
        small(token_size=1).prepare(large)


def test_tokens_have_the_sizes_of_the_card():
    with pytest.raises(ValueError, match="tokens of 1, 2, 4, 8, 16 pixels, got 3"):
        small(token_size=3)


def test_other_constants_are_another_model():
    assert normalised(MEAN, STD).preprocessing == ANYSAT.preprocessing
    clear = normalised([1100] * 10, [900] * 10)
    assert clear.preprocessing != ANYSAT.preprocessing
    given = chips(n=1, t=1)
    network = clear.build(output="pooled", **SMALL["anysat"])
    (x, _) = network.prepare(given)
    wanted = (10000 * given.pixels - 1100) / 900
    torch.testing.assert_close(x, wanted, atol=1e-5, rtol=0)


def test_forward_can_be_exported():
    network, given = small(), chips()
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


def test_days_count_from_new_year():
    times = np.array(
        ["2021-01-01T23:59", "2021-12-31T00:00", "2020-12-31T00:00", "NaT"],
        "datetime64[us]",
    )
    assert day_of_year(times).tolist() == [0, 364, 365, 0]


def test_days_are_written_as_sines_and_cosines_by_turns():
    found = day_code(torch.tensor([[0, 90]]), 4)
    slow = 90 / 367**0.5
    wanted = [[0, 1, 0, 1], [np.sin(90), np.cos(90), np.sin(slow), np.cos(slow)]]
    np.testing.assert_allclose(found[0], wanted, atol=1e-6)


def test_positions_hold_x_before_y():
    found = code(3, 8, 10.0, torch.device("cpu")).view(3, 3, 8)
    x = [np.sin(20), np.sin(0.2), np.cos(20), np.cos(0.2)]
    np.testing.assert_allclose(found[0, 2], [*x, 0, 0, 1, 1], atol=1e-6)
    np.testing.assert_allclose(found[2, 0], [0, 0, 1, 1, *x], atol=1e-6)


def test_distances_fall_into_four_classes_and_that_of_the_class_token():
    found = distance_class(16, torch.device("cpu"))
    assert (found[0] == 7).all()
    assert (found[:, 0] == 7).all()
    first_row = found[1, 1:17].tolist()
    assert first_row == [3, 4, 5, 5, *[6] * 12]
    assert found[1, 1 + 16 + 1] == 4  # next along the diagonal
    assert (found == found.T).all()
