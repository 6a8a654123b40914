from dataclasses import replace

import numpy as np
import pytest

from terradrift.embed import chips, run
from terradrift.embed.past import with_past
from tests.embed.images import landscape, tile_image, vectors
from tests.embed.test_chips import card, coordinates, every

BANDS = ("red", "nir")


def on(day, seed=0, *, tile=None, hour=10, **given):
    pixels = landscape(bands=2, seed=seed)
    image = tile_image(
        pixels, bands=BANDS, day=f"2020-06-{day:02d}T{hour}:00:00", **given
    )
    return image if tile is None else replace(image, tile=tile)


def dated(images, dates=3, wanted=None, visits=None):
    return list(
        with_past(iter(images), dates=dates, wanted=wanted, visits=visits or {})
    )


class Series:
    """Gives the mean of each date's red in a chip and its day, 0 for one not there."""

    def __init__(self, dates=3, **given):
        self.card = card(dimensions=2 * dates, dates=dates, **given)

    def embed(self, chips):
        dates, n = self.card.dates, len(chips)
        pixels, times = chips.pixels[:, None], chips.times[:, None]
        if chips.past is not None:
            pixels = np.concatenate([chips.past, pixels], axis=1)
            times = np.concatenate([chips.past_times, times], axis=1)
        red = pixels[:, :, 0].reshape(n, pixels.shape[1], -1)
        clear = np.isfinite(red)
        mean = np.where(clear, red, 0).sum(axis=2) / np.maximum(clear.sum(axis=2), 1)
        days = (times - np.datetime64("2020-06-01")) / np.timedelta64(1, "D")
        found = np.zeros((n, 2 * dates), np.float32)
        found[:, dates - pixels.shape[1] : dates] = mean
        found[:, 2 * dates - pixels.shape[1] :] = np.nan_to_num(days)
        if self.card.token_stride is None:
            return found
        side = chips.pixels.shape[-1] // self.card.token_stride
        return found[:, None, None].repeat(side, axis=1).repeat(side, axis=2)


def table(images, model, **given):
    parts = run.embed(iter(images), model, run_id="r", threads=2, **given)
    rows = {}
    for part in parts:
        for row in part.batch.to_pylist():
            rows[row["patch_id"], row["datetime"]] = row["embedding"]
    return rows


def test_an_image_comes_with_the_last_ones_of_its_tile():
    images = [on(day, tile=tile) for day in range(1, 6) for tile in ("a", "b")]
    for one in dated(images):
        days = [past.times[0] for past in one.past]
        assert (
            days
            == [
                image.times[0]
                for image in images
                if image.tile == one.image.tile and image.times[0] < one.image.times[0]
            ][-2:]
        )
        assert all(past.tile == one.image.tile for past in one.past)


def test_images_of_one_day_are_not_the_past_of_each_other():
    images = [on(1), on(2, hour=10), on(2, hour=12), on(3)]
    found = dated(images, dates=4)
    assert [len(one.past) for one in found] == [0, 1, 1, 3]


def test_a_model_of_one_date_keeps_nothing():
    assert [one.past for one in dated([on(2), on(1)], dates=1)] == [(), ()]


def test_images_out_of_order_are_refused():
    with pytest.raises(ValueError, match=r"got 2020-06-01 after 2020-06-02 for tile"):
        dated([on(2), on(1)])


def test_a_tile_that_has_had_its_visits_is_let_go():
    images = [on(1, tile="a"), on(2, tile="a"), on(3, tile="a")]
    found = dated(images, visits={"a": 2})
    assert [len(one.past) for one in found] == [0, 1, 0]


def test_images_that_are_not_wanted_are_past_only():
    images = [on(day) for day in range(1, 5)]
    found = dated(images, wanted=lambda image: image is images[3])
    assert [one.image for one in found] == [images[3]]
    assert found[0].past == tuple(images[1:3])


@pytest.mark.parametrize(
    "geometry",
    [{}, {"chip_size": 16, "token_stride": 4, "overlap_px": 4, "batch": 3}],
)
def test_what_is_embedded_later_is_what_would_have_been_at_once(geometry):
    images = [on(day, seed=day) for day in range(1, 7)]
    images[2].pixels[:, :20] = np.nan
    model = Series(**geometry)
    whole = table(images, model)
    first = table(images[:4], model)
    later = table(
        images, model, wanted=lambda image: image.times[0] > images[3].times[0]
    )
    assert {**first, **later} == whole
    assert len(later) == 2 * 64
    assert len(first) + len(later) == len(whole)
    # Without its past the same image has other vectors: the test would see a loss.
    alone = table(images[4:], model)
    assert alone != later


def test_chips_see_the_same_ground_on_days_of_other_extent():
    model = card(dates=2, chip_size=12, context_px=4)
    now = coordinates(6, 5, 4, 4, first_row=7, first_col=9)
    before = coordinates(9, 9, 4, 6, first_row=4, first_col=8)
    (cut,) = chips.cut(now, model, every(now), [before])
    shift = np.array([3, 1]) * 4
    there = np.isfinite(cut.chips.past[:, 0])
    assert there.all()
    np.testing.assert_array_equal(
        cut.chips.past[:, 0] - shift[:, None, None], cut.chips.pixels
    )


def test_ground_that_was_not_seen_then_is_a_date_that_is_not_there():
    model = card(dates=3)
    now = coordinates(4, 4, 4, 0, day="2020-06-03T10:00:00")
    half = coordinates(4, 2, 4, 0, day="2020-06-02T10:00:00")
    cloudy = coordinates(4, 4, 4, 0, day="2020-06-01T10:00:00")
    cloudy.pixels[:, :8] = np.nan
    (cut,) = chips.cut(now, model, every(now), [cloudy, half])
    assert cut.chips.past.shape == (16, 2, 2, 4, 4)
    times = cut.chips.past_times.reshape(4, 4, 2)
    there = ~np.isnat(times)
    np.testing.assert_array_equal(there[..., 0], now.rows.reshape(4, 4) >= 2)
    np.testing.assert_array_equal(there[..., 1], now.cols.reshape(4, 4) < 2)
    assert (times[..., 1][there[..., 1]] == half.times[0]).all()
    seen = np.isfinite(cut.chips.past).any(axis=(2, 3, 4)).reshape(4, 4, 2)
    np.testing.assert_array_equal(seen, there)


def test_a_past_date_is_that_of_the_nearest_patch():
    model = card(dates=2)
    now = coordinates(4, 4, 4, 0, day="2020-06-03")
    before = coordinates(4, 4, 4, 0, day="2020-06-02")
    before.times[:] += np.arange(16)
    (cut,) = chips.cut(now, model, every(now), [before])
    np.testing.assert_array_equal(cut.chips.past_times[:, 0], before.times)


def test_the_first_image_of_a_tile_has_no_past():
    image = on(1)
    (cut,) = chips.cut(image, card(dates=3), every(image))
    assert cut.chips.past is None
    assert cut.chips.past_times is None
    assert np.isfinite(vectors(Series(), image)).all()


def test_batches_of_series_hold_as_many_bytes(monkeypatch):
    monkeypatch.setattr(chips, "_BATCH_BYTES", 12 * 4 * 2 * 16)
    image = on(3)
    cuts = list(chips.cut(image, card(dates=3), every(image), [on(1), on(2)]))
    assert [len(cut.chips) for cut in cuts] == [4] * 16
