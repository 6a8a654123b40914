"""Galileo with random weights: what it does with clouds, absent dates and odd chips."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from terradrift.embed.models.galileo import BASE, NANO, TINY
from terradrift.embed.networks import galileo_codes as codes
from terradrift.embed.networks.galileo import normalised
from tests.embed.models.given import apart, given, run
from tests.embed.models.small_galileo import SMALL
from tests.embed.procedural import dn, fill

SAME = 1e-5


def network(output="tokens", **options):
    torch.manual_seed(0)
    made = NANO.build(**SMALL["galileo-nano"], output=output, **options)
    fill(made, 7)
    return made.eval()


def chips(n=2, t=3, side=8):
    raw = dn((n * t, 10, side, side), 5).reshape(n, t, 10, side, side)
    return given(raw / np.float32(10000))


def vectors(model, what):
    return run(model, model.prepare(what))


@pytest.mark.parametrize("output", ["pooled", "tokens"])
@pytest.mark.parametrize("location", [False, True])
def test_each_chip_is_as_if_it_were_alone(output, location):
    model, what = network(output, location=location), chips()
    what.clear[0, 1, :5] = False
    what.clear[1, 0] = False
    whole = vectors(model, what)
    for i in range(2):
        one = replace(
            what,
            pixels=what.pixels[i : i + 1],
            clear=what.clear[i : i + 1],
            times=what.times[i : i + 1],
            centers=what.centers[i : i + 1],
        )
        assert apart(vectors(model, one), whole[i : i + 1]) <= SAME


@pytest.mark.parametrize("output", ["pooled", "tokens"])
def test_absent_dates_are_as_if_not_given(output):
    model, what = network(output), chips(t=2)
    blank = torch.zeros_like(what.pixels)
    nothing = torch.zeros_like(what.clear)
    absent = np.full_like(what.times, "NaT")
    longer = replace(
        what,
        pixels=torch.cat([blank, what.pixels], dim=1),
        clear=torch.cat([nothing, what.clear], dim=1),
        times=np.concatenate([absent, what.times], axis=1),
    )
    assert apart(vectors(model, longer), vectors(model, what)) <= SAME


def test_dates_and_their_order_matter():
    model, what = network(), chips(t=2)
    later = replace(what, times=what.times + np.timedelta64(60, "D"))
    assert apart(vectors(model, what), vectors(model, later)) > 100 * SAME
    turned = replace(what, pixels=what.pixels.flip(1))
    assert apart(vectors(model, what), vectors(model, turned)) > 100 * SAME


def test_what_is_under_a_cloud_does_not_matter():
    model, what = network(), chips()
    what.clear[:, 1, 4:, :4] = False
    other = what.pixels.clone()
    other[:, 1, :, 4:, :4] = 0.7
    assert apart(vectors(model, replace(what, pixels=other)), vectors(model, what)) == 0


def test_a_token_is_hidden_only_where_nothing_of_it_is_clear():
    what = chips(n=1, t=1)
    what.clear[:] = False
    what.clear[0, 0, 0, 7] = True
    found = vectors(network(), what)
    assert np.isnan(found).all(axis=-1).tolist() == [[[True, False], [True, True]]]


@pytest.mark.parametrize("location", [False, True])
def test_a_chip_without_a_clear_pixel_is_nan_and_harms_no_other(location):
    what = chips()
    what.clear[0] = False
    for output in ("pooled", "tokens"):
        found = vectors(network(output, location=location), what)
        assert np.isnan(found[0]).all()
        assert np.isfinite(found[1]).all()


def test_the_place_on_earth_is_given_only_if_wanted():
    what = chips()
    moved = replace(what, centers=what.centers + 30)
    plain, placed = network(), network(location=True)
    assert apart(vectors(plain, what), vectors(plain, moved)) == 0
    assert apart(vectors(placed, what), vectors(placed, moved)) > 100 * SAME


def test_resolution_moves_the_places_of_patches():
    model, what = network(), chips()
    found = vectors(model, replace(what, gsd=20.0))
    assert apart(found, vectors(model, what)) > 100 * SAME


def test_rows_run_from_north_and_columns_from_west():
    model, what = network(), chips(n=1, t=1)
    dark = what.pixels.clone()
    dark[..., :4, 4:] = 0
    what.clear[..., :4, 4:] = True
    before, after = vectors(model, what), vectors(model, replace(what, pixels=dark))
    moved = np.abs(before - after).max(axis=-1)[0]
    assert moved.argmax() == 1


@pytest.mark.parametrize("size", range(1, 9))
def test_tokens_of_every_size(size):
    found = vectors(network(token_size=size), chips(n=1, t=1, side=2 * size))
    assert found.shape == (1, 2, 2, 32)
    assert np.isfinite(found).all()


def test_odd_chips_are_refused():
    model = network()
    with pytest.raises(ValueError, match=r"square chips .* got 8 x 12;"):
        model.prepare(given(np.zeros((1, 1, 10, 8, 12))))
    with pytest.raises(ValueError, match="multiple of 4 pixels, got 10 x 10"):
        model.prepare(chips(side=10))
    with pytest.raises(ValueError, match="at most 24 dates, got 25"):
        model.prepare(given(np.zeros((1, 25, 10, 4, 4))))
    with pytest.raises(ValueError, match="1 to 8 pixels, got 9"):
        network(token_size=9)


def test_ndvi_is_within_its_range_whatever_comes():
    pixels = torch.tensor([0.0, 0.3, -0.02, 1e-3]).view(4, 1, 1, 1).repeat(1, 10, 2, 2)
    pixels[3, 2] = -9e-4  # dark water once the offset is off
    ndvi = normalised(pixels)[:, 10, 0, 0]
    assert ndvi.tolist() == [0, 0, 0, 1]
    assert torch.equal(normalised(pixels)[2], normalised(pixels)[0])


def test_a_resized_kernel_answers_to_smaller_pictures_as_the_kernel_did():
    """For kernels that see no more of a picture than its smaller version shows."""
    random = torch.Generator().manual_seed(1)
    small = torch.rand(16, generator=random)
    one_by_one = torch.eye(64).view(64, 1, 8, 8)
    smaller = torch.nn.functional.interpolate(
        one_by_one, (4, 4), mode="bicubic", antialias=True
    )
    kernel = smaller.flatten(1) @ small
    assert torch.allclose(kernel @ codes.kernel_resize(8, 4), small, atol=1e-5)
    assert torch.allclose(codes.kernel_resize(8, 8), torch.eye(64), atol=1e-5)


@pytest.mark.parametrize("spec", [NANO, TINY, BASE], ids=lambda spec: spec.name)
def test_official_sizes(spec):
    made = spec.build()
    assert sum(p.numel() for p in made.parameters()) == spec.parameters
    assert made.norm.weight.shape == (spec.dimensions,)


def lacking(what, *columns, value=0.0):
    """The same chips without some bands."""
    wavelengths, pixels = what.wavelengths.copy(), what.pixels.clone()
    wavelengths[list(columns)] = np.nan
    pixels[:, :, list(columns)] = value
    return replace(what, wavelengths=wavelengths, pixels=pixels)


@pytest.mark.parametrize("output", ["pooled", "tokens"])
def test_a_group_that_lacks_a_band_is_as_if_it_were_not_of_the_model(output):
    model, what = network(output), chips()
    without = network(output)
    without.groups = [name for name in model.groups if name != "S2_Red_Edge"]
    found = vectors(model, lacking(what, 4))
    assert apart(found, vectors(without, what)) <= SAME
    assert apart(found, vectors(model, what)) > 1e-2
    assert apart(found, vectors(model, lacking(what, 3, 4, 5, value=0.7))) <= SAME


def test_without_red_there_is_no_ndvi_either():
    model, what = network(), chips()
    without = network()
    without.groups = [n for n in model.groups if n not in ("S2_RGB", "NDVI")]
    assert apart(vectors(model, lacking(what, 2)), vectors(without, what)) <= SAME
