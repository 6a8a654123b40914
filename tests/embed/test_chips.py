import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from terradrift.embed import chips
from terradrift.embed.protocol import ModelCard
from tests.embed.images import BANDS10, landscape, tile_image


def card(**given):
    return ModelCard(
        **{
            "name": "test",
            "revision": "1",
            "licence": "MIT",
            "bands": ("red", "nir"),
            "dimensions": 2,
            "preprocessing": "none",
            "source": "here",
            "weights_sha256": "",
            **given,
        }
    )


def every(image):
    return np.arange(len(image.patch_ids))


def coordinates(rows, cols, patch_px, halo_px, **given):
    """An image whose two bands hold the patch row and column of every pixel."""
    y = (np.arange(rows * patch_px + 2 * halo_px) - halo_px) // patch_px
    x = (np.arange(cols * patch_px + 2 * halo_px) - halo_px) // patch_px
    pixels = np.stack(np.meshgrid(y, x, indexing="ij")).astype(np.float32)
    return tile_image(
        pixels, bands=("red", "nir"), patch_px=patch_px, halo_px=halo_px, **given
    )


def mean_tokens(pixels, stride):
    """What a model would give whose token is the mean of its own pixels."""
    n, band, y, x = pixels.shape
    blocks = pixels.reshape(n, band, y // stride, stride, x // stride, stride)
    return blocks.mean(axis=(3, 5)).transpose(0, 2, 3, 1)


@settings(max_examples=30, deadline=None)
@given(
    patch_px=st.integers(1, 5),
    context=st.integers(0, 3),
    spare=st.integers(0, 2),
    batch=st.integers(1, 40),
    seed=st.integers(0, 99),
)
def test_pooled_chips_are_the_patches_with_their_surroundings(
    patch_px, context, spare, batch, seed
):
    halo = context + spare
    rng = np.random.default_rng(seed)
    pixels = rng.random((2, 3 * patch_px + 2 * halo, 4 * patch_px + 2 * halo))
    image = tile_image(pixels, bands=("red", "nir"), patch_px=patch_px, halo_px=halo)
    wanted = np.flatnonzero(rng.random(12) < 0.6)
    cuts = list(chips.cut(image, card(context_px=context, batch=batch), wanted))
    assert all(len(cut.chips) <= batch for cut in cuts)
    seen = [index for cut in cuts for index in cut.patches]
    assert seen == wanted.tolist()
    for cut in cuts:
        for pixels_, index in zip(cut.chips.pixels, cut.patches, strict=True):
            top = image.rows[index] * patch_px + spare
            left = image.cols[index] * patch_px + spare
            size = patch_px + 2 * context
            twin = image.pixels[:, top : top + size, left : left + size]
            np.testing.assert_array_equal(pixels_, twin)


@settings(max_examples=60, deadline=None)
@given(
    stride=st.integers(1, 3),
    tokens=st.integers(1, 3),
    per_chip=st.integers(1, 40),
    margin=st.integers(0, 2),
    first=st.tuples(st.integers(0, 31), st.integers(0, 31)),
    batch=st.integers(1, 9),
    seed=st.integers(0, 99),
)
def test_every_patch_gets_the_tokens_that_lie_on_it(  # noqa: PLR0917 - drawn together
    stride, tokens, per_chip, margin, first, batch, seed
):
    patch_px, context = stride * tokens, stride * margin
    first_row, first_col = first
    rows, cols = min(32 - first_row, 9), min(32 - first_col, 11)
    image = coordinates(
        rows, cols, patch_px, context, first_row=first_row, first_col=first_col
    )
    model = card(
        chip_size=per_chip * patch_px + 2 * context,
        token_stride=stride,
        context_px=context,
        batch=batch,
    )
    wanted = np.flatnonzero(np.random.default_rng(seed).random(rows * cols) < 0.7)
    found = np.full((rows * cols, 2), np.nan, np.float32)
    for cut in chips.cut(image, model, wanted):
        found[cut.patches] = cut.vectors(mean_tokens(cut.chips.pixels, stride))
    np.testing.assert_array_equal(found[wanted, 0], image.rows[wanted])
    np.testing.assert_array_equal(found[wanted, 1], image.cols[wanted])
    assert np.isnan(np.delete(found, wanted, axis=0)).all()


def test_a_patch_keeps_its_place_in_its_chip_when_less_of_the_tile_is_there():
    model = card(chip_size=16, token_stride=2)
    whole = coordinates(32, 32, 2, 0)
    part = coordinates(10, 9, 2, 0, first_row=13, first_col=6)
    places = {}
    for image in (whole, part):
        for cut in chips.cut(image, model, every(image)):
            for index, y, x in zip(cut.patches, cut.y, cut.x, strict=True):
                places.setdefault(image.patch_ids[index], set()).add((y, x))
    assert len(places) == 32 * 32
    assert all(len(place) == 1 for place in places.values())


def test_the_last_chips_of_a_tile_end_with_it():
    image = coordinates(32, 32, 2, 0)
    (cut,) = chips.cut(image, card(chip_size=28, token_stride=2), every(image))
    assert len(cut.chips) == 9
    assert np.isfinite(cut.chips.pixels).all()
    assert cut.chips.pixels[-1, :, -1, -1].tolist() == [31, 31]


def test_a_chip_larger_than_the_tile_is_nan_beyond_it():
    image = coordinates(3, 3, 2, 0, first_row=0, first_col=0)
    (cut,) = chips.cut(image, card(chip_size=80, token_stride=2), every(image))
    assert len(cut.chips) == 1
    assert np.isfinite(cut.chips.pixels).sum() == 2 * 6 * 6


def test_a_chip_is_dated_by_its_middle_patch():
    image = coordinates(8, 8, 2, 0)
    image.times[:] = np.datetime64("2020-01-01", "us") + np.arange(64)
    model = card(chip_size=6, token_stride=2, batch=1)
    first = next(iter(chips.cut(image, model, every(image))))
    assert first.chips.times == image.times[9]
    np.testing.assert_array_equal(first.chips.centers[0], image.centers[9])


def test_bands_come_in_the_order_of_the_card():
    image = tile_image(landscape(), bands=BANDS10)
    (cut,) = chips.cut(image, card(bands=("nir", "blue")), every(image)[:1])
    np.testing.assert_array_equal(cut.chips.pixels[0, 0], image.pixels[6, 1:5, 1:5])
    np.testing.assert_array_equal(cut.chips.pixels[0, 1], image.pixels[0, 1:5, 1:5])
    assert cut.chips.wavelengths.tolist() == pytest.approx([0.842, 0.49])
    assert cut.chips.bands == ("nir", "blue")


def test_missing_bands_are_refused_by_name():
    image = tile_image(landscape(bands=2), bands=("red", "green"))
    with pytest.raises(
        ValueError, match=r"test needs bands red, nir; the images lack nir"
    ):
        list(chips.cut(image, card(), every(image)))


def test_missing_bands_are_zero_where_the_card_says_so():
    image = tile_image(landscape(bands=2), bands=("red", "green"))
    model = card(bands=("red", "cirrus"), missing="zero")
    (cut,) = chips.cut(image, model, every(image))
    assert (cut.chips.pixels[:, 1] == 0).all()
    assert cut.chips.wavelengths[1] == pytest.approx(1.375)
    assert chips.missing_bands(model, image.bands) == ("cirrus",)
    assert image.pixels[1].any()


def test_a_model_without_any_of_its_bands_is_refused_even_if_zero_is_allowed():
    with pytest.raises(ValueError, match="lack red, nir"):
        chips.missing_bands(card(missing="zero"), ("green",))


def test_a_halo_smaller_than_the_context_is_refused():
    image = tile_image(landscape(bands=2), bands=("red", "nir"))
    with pytest.raises(ValueError, match=r"looks 2 pixels past .* halo of 1"):
        list(chips.cut(image, card(context_px=2), every(image)))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"chip_size": 8}, "takes patches of 8 pixels, got 4; pass --patch-size 80"),
        ({"chip_size": 9, "token_stride": 3}, "pass --patch-size 30"),
        ({"chip_size": 2, "token_stride": 2}, "must be a multiple of that and fit"),
    ],
)
def test_patches_that_do_not_fit_the_chips_are_refused(given, message):
    image = tile_image(landscape(bands=2), bands=("red", "nir"))
    with pytest.raises(ValueError, match=message):
        list(chips.cut(image, card(**given), every(image)))


def test_no_wanted_patch_gives_no_chip():
    image = tile_image(landscape(bands=2), bands=("red", "nir"))
    assert list(chips.cut(image, card(), np.array([], int))) == []


def test_batches_of_large_chips_are_smaller(monkeypatch):
    monkeypatch.setattr(chips, "_BATCH_BYTES", 3 * 4 * 2 * 16)
    image = coordinates(4, 5, 4, 0)
    cuts = list(chips.cut(image, card(batch=8), every(image)))
    assert [len(cut.chips) for cut in cuts] == [3] * 6 + [2]
