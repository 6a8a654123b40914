"""Presto with random weights: what it does with clouds, absent dates and squares."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from terradrift.embed.models.presto import PRESTO
from terradrift.embed.networks import presto
from tests.embed.models.given import apart, given, run
from tests.embed.models.small_presto import SMALL
from tests.embed.procedural import dn, fill

SAME = 1e-5


def network(output="tokens", **options):
    torch.manual_seed(0)
    made = PRESTO.build(**SMALL["presto"], output=output, **options)
    fill(made, 7)
    return made.eval()


def chips(n=2, t=3, side=8):
    raw = dn((n * t, 10, side, side), 5).reshape(n, t, 10, side, side)
    return given(raw / np.float32(10000))


def vectors(model, what):
    return run(model, model.prepare(what))


@pytest.mark.parametrize("output", ["pooled", "tokens"])
def test_absent_dates_are_as_if_not_given(output):
    model, what = network(output), chips(t=2)
    longer = replace(
        what,
        pixels=torch.cat([torch.zeros_like(what.pixels), what.pixels], dim=1),
        clear=torch.cat([torch.zeros_like(what.clear), what.clear], dim=1),
        times=np.concatenate([np.full_like(what.times, "NaT"), what.times], axis=1),
    )
    assert apart(vectors(model, longer), vectors(model, what)) <= SAME


@pytest.mark.parametrize("output", ["pooled", "tokens"])
def test_each_chip_is_as_if_it_were_alone(output):
    model, what = network(output), chips(n=3)
    what.clear[0, 1, :5] = False
    what.clear[1, 0] = False
    whole = vectors(model, what)
    for i in range(3):
        one = replace(
            what,
            pixels=what.pixels[i : i + 1],
            clear=what.clear[i : i + 1],
            times=what.times[i : i + 1],
            centers=what.centers[i : i + 1],
        )
        assert apart(vectors(model, one), whole[i : i + 1]) <= SAME


def test_a_token_is_the_vector_of_the_mean_of_its_clear_pixels():
    what = chips(n=1)
    what.clear[0, 1, :2, 1] = False
    found = vectors(network(token_size=4), what)
    wanted = np.zeros((1, 3, 10, 1, 1), np.float32)
    pixels, clear = what.pixels.numpy(), what.clear.numpy()
    for date in range(3):
        there = clear[0, date, :4, :4]
        wanted[0, date, :, 0, 0] = pixels[0, date, :, :4, :4][:, there].mean(axis=1)
    alone = vectors(network(token_size=1), given(wanted))
    assert apart(found[:, 0, 0], alone[:, 0, 0]) <= SAME


def test_pixels_do_not_look_at_each_other():
    model, what = network(token_size=1), chips()
    other = what.pixels.clone()
    other[..., :, 1:] = 0.9
    found = vectors(model, replace(what, pixels=other))
    assert apart(found[:, :, 0], vectors(model, what)[:, :, 0]) <= SAME


def test_pooled_is_the_mean_of_squares_that_were_seen():
    what = chips(n=1)
    what.clear[0, :, :2, 2:4] = False
    parts = vectors(network(token_size=2), what)[0]
    assert np.isnan(parts[0, 1]).all()
    assert np.isnan(parts).all(axis=-1).sum() == 1
    wanted = np.nanmean(parts, axis=(0, 1))
    assert apart(vectors(network("pooled"), what)[0], wanted) <= SAME


def test_pooled_of_an_odd_chip_takes_every_pixel():
    what = chips(side=5)
    wanted = vectors(network(token_size=1), what).mean(axis=(1, 2))
    assert apart(vectors(network("pooled"), what), wanted) <= SAME


@pytest.mark.parametrize("output", ["pooled", "tokens"])
def test_a_chip_without_a_clear_pixel_is_nan_and_harms_no_other(output):
    what = chips()
    what.clear[0] = False
    found = vectors(network(output), what)
    assert np.isnan(found[0]).all()
    assert np.isfinite(found[1]).all()


def test_what_is_under_a_cloud_does_not_matter():
    model, what = network(), chips()
    what.clear[:, 1, 3:, :4] = False
    other = what.pixels.clone()
    other[:, 1, :, 3:, :4] = 0.7
    assert apart(vectors(model, replace(what, pixels=other)), vectors(model, what)) == 0


def test_month_and_place_matter():
    model, what = network(), chips()
    right = vectors(model, what)
    later = replace(what, times=what.times + np.timedelta64(60, "D"))
    assert apart(vectors(model, later), right) > 100 * SAME
    moved = replace(what, centers=what.centers + 30)
    assert apart(vectors(model, moved), right) > 100 * SAME


def test_many_series_are_as_few(monkeypatch):
    model, what = network(token_size=1), chips()
    few = vectors(model, what)
    monkeypatch.setattr(presto, "_TOKENS", 1)
    assert apart(vectors(model, what), few) <= SAME


def test_tokens_of_every_size():
    for size in PRESTO.tokens:
        found = vectors(network(token_size=size), chips(n=1, t=1, side=16))
        assert found.shape == (1, 16 // size, 16 // size, 16)
    assert vectors(network(), chips(n=1, t=1, side=16)).shape[1] == 4


def test_odd_chips_are_refused():
    with pytest.raises(ValueError, match="token size, 4 pixels, got 10 x 10"):
        network().prepare(chips(side=10))
    with pytest.raises(ValueError, match="at most 24 dates, got 25"):
        network().prepare(given(np.zeros((1, 25, 10, 4, 4))))


def test_ndvi_is_within_its_range_whatever_comes():
    pixels = np.zeros((1, 1, 10, 1, 4))
    pixels[..., :] = [0.0, 0.3, -0.02, 1e-3]
    pixels[:, :, 2, :, 3] = -9e-4  # dark water once the offset is off
    values = network(token_size=1).prepare(given(pixels))[0]
    assert values[0, 0, :, 0, 10].tolist() == [0, 0, 0, 1]
    assert values.min() == 0


def test_official_size():
    made = PRESTO.build()
    assert sum(p.numel() for p in made.parameters()) == PRESTO.parameters


def test_a_group_that_lacks_a_band_is_as_if_it_were_not_given():
    model, what = network(token_size=4), chips()
    wavelengths, pixels = what.wavelengths.copy(), what.pixels.clone()
    wavelengths[9] = np.nan
    pixels[:, :, 9] = 0.6
    found = vectors(model, replace(what, wavelengths=wavelengths, pixels=pixels))
    values, seen, *of_chip = model.prepare(what)
    n, rows, columns = seen.shape[:3]
    groups = {
        name: values.flatten(0, 2)[..., part]
        for name, part in presto.GROUPS.items()
        if name != "S2_SWIR"
    }
    of_series = [each.repeat_interleave(rows * columns, 0) for each in of_chip]
    with torch.inference_mode():
        alone = model.encoder.pooled(model.encoder(groups, *of_series))
    assert apart(found, alone.view(n, rows, columns, -1).numpy()) <= SAME
    assert apart(found, vectors(model, what)) > 1e-2
