"""A network behind the protocol: holes, batches, memory, devices."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from terradrift.embed.foundation import Foundation, gathered
from tests.embed import networks
from tests.embed.networks import card, chips

CPU = torch.device("cpu")


class Full(networks.Dense):
    """Reads numbers, so that it runs as it is; memory holds `most` chips."""

    def __init__(self, most=5):
        super().__init__()
        self.most = most

    def forward(self, pixels):
        if len(pixels) > self.most:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 2 GiB")
        assert bool(torch.isfinite(pixels).all())
        return super().forward(pixels)


def model(kind=networks.Dense, precision="fp32", output="pooled", **given):
    torch.manual_seed(0)
    network = kind(output=output).eval()
    return Foundation(network=network, card=card(**given), precision=precision)


def test_clear_chips_are_gathered_as_they_are():
    given = chips()
    found = gathered(given, CPU)
    np.testing.assert_array_equal(found.pixels[:, 0].numpy(), given.pixels)
    assert found.clear.all()
    assert found.clear.shape == (5, 1, 16, 16)
    np.testing.assert_array_equal(found.times[:, 0], given.times)
    assert found.gsd == 10.0


def test_holes_hold_the_mean_of_the_clear_pixels_of_chip_and_band():
    given = chips()
    given.pixels[1, 2, :4, :4] = np.nan
    given.pixels[2] = np.nan
    given.pixels[3, :, :, 1:] = np.nan
    found = gathered(given, CPU)
    assert np.isfinite(found.pixels.numpy()).all()
    there = found.clear[:, 0].numpy()
    assert not there[1, :4, :4].any(), "unclear in one band is unclear"
    assert there[1].sum() == 256 - 16
    assert not there[2].any()
    assert (found.pixels[2].numpy() == 0).all()
    for chip in (1, 3):
        for band in range(3):
            mean = given.pixels[chip, band][there[chip]].mean()
            holes = found.pixels[chip, 0, band].numpy()[~there[chip]]
            np.testing.assert_allclose(holes, mean, rtol=1e-5)
            np.testing.assert_array_equal(
                found.pixels[chip, 0, band].numpy()[there[chip]],
                given.pixels[chip, band][there[chip]],
            )


def test_a_missing_band_stays_zero_in_holes():
    given = chips()
    given.pixels[:, 1] = 0
    given.pixels[:, :, :3] = np.nan
    assert (gathered(given, CPU).pixels[:, :, 1] == 0).all()


def test_dates_before_stand_before_the_chips_own():
    given = chips(dates=2)
    given.past[0, 0] = np.nan
    given.past_times[0, 0] = np.datetime64("NaT")
    found = gathered(given, CPU)
    assert found.pixels.shape == (5, 3, 3, 16, 16)
    np.testing.assert_array_equal(found.pixels[:, 2].numpy(), given.pixels)
    np.testing.assert_array_equal(found.pixels[1:, :2].numpy(), given.past[1:])
    assert not found.clear[0, 0].any()
    assert (found.pixels[0, 0] == 0).all()
    assert np.isnat(found.times[0, 0])
    assert (found.times[1:, 0] < found.times[1:, 2]).all()


@pytest.mark.parametrize(("output", "shape"), [("pooled", (8,)), ("tokens", (4, 4, 8))])
def test_vectors_have_the_shape_of_the_output_and_dark_chips_are_nan(output, shape):
    given = chips()
    given.pixels[4] = np.nan
    given.pixels[0, :, :4] = np.nan
    found = model(output=output).embed(given)
    assert found.shape == (5, *shape)
    assert found.dtype == np.float32
    assert np.isfinite(found[:4]).all()
    assert np.isnan(found[4]).all()


def test_a_chip_that_was_clear_before_but_not_on_its_own_date_is_dark():
    given = chips(dates=2)
    given.pixels[1] = np.nan
    assert np.isnan(model().embed(given)).all(axis=1).tolist() == [0, 1, 0, 0, 0]


def test_no_chips_give_no_vectors():
    assert model().embed(chips(n=0)).shape == (0, 8)


def test_chips_are_left_as_they_are_even_when_they_cannot_be_written():
    given = chips()
    given.pixels[0, 0, 0, 0] = np.nan
    before = given.pixels.copy()
    given.pixels.flags.writeable = False
    model().embed(given)
    np.testing.assert_array_equal(given.pixels, before)


def test_other_bands_are_refused():
    given = chips()
    turned = replace(given, bands=given.bands[::-1])
    with pytest.raises(
        ValueError, match="test takes bands red, nir, swir16, got swir16, nir, red"
    ):
        model().embed(turned)


def test_chips_of_many_calls_come_together_in_order():
    one = model()
    given = chips(n=40)
    together = one.embed(given)
    again = model()
    alone = [
        again.embed(
            replace(
                given,
                pixels=given.pixels[k : k + 1],
                times=given.times[:1],
                centers=given.centers[:1],
            )
        )
        for k in range(40)
    ]
    np.testing.assert_allclose(together, np.concatenate(alone), rtol=1e-5, atol=1e-6)


def test_bfloat16_keeps_near_to_float32_and_says_so():
    given = chips()
    exact, quick = model(), model(precision="bf16")
    a, b = exact.embed(given), quick.embed(given)
    cosine = (a * b).sum(1) / np.linalg.norm(a, axis=1) / np.linalg.norm(b, axis=1)
    assert cosine.min() > 0.9999
    assert not np.array_equal(a, b)
    assert exact.how_run.startswith("cpu, float32")
    assert quick.how_run.startswith("cpu, bfloat16")


def test_bfloat16_is_not_used_where_the_card_calls_it_unsafe():
    assert "float32" in model(precision="auto", bf16=False).how_run


def test_preparation_is_exact_in_every_precision():
    given = chips()
    one = model(precision="bf16")
    with torch.autocast("cpu", torch.bfloat16):
        one.embed(given)
    assert one.network.given.pixels.dtype == torch.float32


def test_batches_that_memory_does_not_hold_are_halved_once_and_said(capsys):
    given = chips(n=11)
    full = Foundation(network=Full().eval(), card=card(), precision="fp32")
    full.network.load_state_dict(model().network.state_dict())
    found = full.embed(given)
    np.testing.assert_allclose(found, model().embed(given), rtol=1e-5, atol=1e-6)
    said = capsys.readouterr().err.splitlines()
    assert len(said) == 1
    assert said[0] == (
        "embed: the memory of cpu does not hold 11 chips at a time; going on with 5"
    )


def test_memory_that_runs_out_twice_is_an_error_that_says_what_to_do():
    full = Foundation(network=Full(most=3).eval(), card=card(), precision="fp32")
    with pytest.raises(
        ValueError, match=r"does not hold 5 chips at a time; choose smaller chips"
    ):
        full.embed(chips(n=11))


def test_another_error_comes_through():
    class Broken(networks.Dense):
        def forward(self, *_):
            raise RuntimeError("the network broke")

    with pytest.raises(RuntimeError, match="the network broke"):
        model(Broken).embed(chips())


@pytest.mark.gpu
def test_cuda_gives_what_the_cpu_gives():
    given = chips(n=9)
    given.pixels[1, :, :5] = np.nan
    exact = model().embed(given)
    found = model().to("cuda").embed(given)
    np.testing.assert_allclose(found, exact, rtol=1e-4, atol=1e-5)
