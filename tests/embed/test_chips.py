import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from terradrift.embed import chips
from terradrift.embed.protocol import ModelCard
from tests.embed.images import BANDS10, landscape, tile_image, vectors


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
    """An image whose two bands hold the row and column of every pixel."""
    y = np.arange(rows * patch_px + 2 * halo_px) - halo_px
    x = np.arange(cols * patch_px + 2 * halo_px) - halo_px
    pixels = np.stack(np.meshgrid(y, x, indexing="ij")).astype(np.float32)
    return tile_image(
        pixels, bands=("red", "nir"), patch_px=patch_px, halo_px=halo_px, **given
    )


class Means:
    """Gives the mean of a token's own pixels."""

    def __init__(self, **given):
        self.card = card(**given)

    def embed(self, chips):
        stride = self.card.token_stride
        n, band, y, x = chips.pixels.shape
        blocks = chips.pixels.reshape(n, band, y // stride, stride, x // stride, stride)
        return blocks.mean(axis=(3, 5)).transpose(0, 2, 3, 1)


def middles(image):
    """(n, 2) row and column in pixels of the patches' middles, from the image's corner."""
    place = np.column_stack([image.rows, image.cols])
    return ((place + 0.5) * image.patch_px - 0.5).astype(np.float32)


def places_of(image, model):
    """By patch, the chips that it lies in, by its place in each."""
    found = {}
    stride = image.patch_px // model.token_stride
    for cut in chips.cut(image, model, every(image)):
        size = cut.chips.pixels.shape[-1] // model.token_stride
        for y, x in cut.places.first:
            for name, row, col in zip(
                image.patch_ids, image.rows, image.cols, strict=True
            ):
                place = row * stride - y, col * stride - x
                if all(-stride < at < size for at in place):
                    found.setdefault(name, set()).add(place)
    return found


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
    seen = [place for cut in cuts for place in cut.places.first.tolist()]
    assert seen == np.column_stack([image.rows[wanted], image.cols[wanted]]).tolist()
    for cut in cuts:
        for pixels_, (row, col) in zip(cut.chips.pixels, cut.places.first, strict=True):
            top = row * patch_px + spare
            left = col * patch_px + spare
            size = patch_px + 2 * context
            twin = image.pixels[:, top : top + size, left : left + size]
            np.testing.assert_array_equal(pixels_, twin)


@settings(max_examples=100, deadline=None)
@given(
    stride=st.integers(1, 3),
    tokens=st.integers(1, 3),
    chip=st.integers(1, 70),
    overlap=st.floats(0, 1, exclude_max=True),
    halo=st.integers(0, 5),
    first=st.tuples(st.integers(0, 31), st.integers(0, 31)),
    batch=st.integers(1, 9),
    seed=st.integers(0, 99),
)
def test_every_patch_gets_the_tokens_that_lie_on_it(  # noqa: PLR0917 - drawn together
    stride, tokens, chip, overlap, halo, first, batch, seed
):
    first_row, first_col = first
    rows, cols = min(32 - first_row, 9), min(32 - first_col, 11)
    image = coordinates(
        rows, cols, stride * tokens, halo, first_row=first_row, first_col=first_col
    )
    model = Means(
        chip_size=chip * stride,
        token_stride=stride,
        overlap_px=int(overlap * min(chip, 32)) * stride,
        batch=batch,
    )
    wanted = np.flatnonzero(np.random.default_rng(seed).random(rows * cols) < 0.7)
    for cut in chips.cut(image, model.card, wanted):
        assert len(cut.chips) <= batch
    np.testing.assert_allclose(
        vectors(model, image, wanted), middles(image)[wanted], atol=2e-4
    )


def test_a_patch_keeps_its_chips_when_less_of_the_tile_is_there():
    model = card(chip_size=16, token_stride=2, overlap_px=6)
    whole = coordinates(32, 32, 4, 0)
    part = coordinates(10, 9, 4, 0, first_row=13, first_col=6)
    places = [places_of(image, model) for image in (whole, part)]
    assert len(places[0]) == 32 * 32
    assert len(places[1]) == 10 * 9
    assert all(places[0][patch] == found for patch, found in places[1].items())
    assert max(len(found) for found in places[0].values()) > 1


def test_chips_are_centred_on_the_tiles_borders_where_they_overlap():
    image = coordinates(32, 32, 2, 14)
    model = card(chip_size=28, token_stride=2, overlap_px=4, context_px=14)
    (cut,) = chips.cut(image, model, every(image))
    # 32 tokens in three steps, chips of 14 centred on their ends.
    assert sorted(set(cut.places.first[:, 0].tolist())) == [-7, 4, 14, 25]
    assert len(cut.chips) == 16
    assert np.isfinite(cut.chips.pixels).all()


def test_a_chip_larger_than_the_tile_is_nan_beyond_it():
    image = coordinates(3, 3, 2, 0, first_row=0, first_col=0)
    (cut,) = chips.cut(image, card(chip_size=80, token_stride=2), every(image))
    assert len(cut.chips) == 1
    assert np.isfinite(cut.chips.pixels).sum() == 2 * 6 * 6


def test_chips_without_a_wanted_patch_are_not_cut():
    image = coordinates(32, 32, 2, 0)
    model = card(chip_size=16, token_stride=2)
    (cut,) = chips.cut(image, model, np.array([0, 33, 1023]))
    assert cut.places.first.tolist() == [[0, 0], [24, 24]]


def test_a_chip_is_dated_and_placed_by_its_middle():
    image = coordinates(8, 8, 4, 0, first_row=3, first_col=6)
    image.times[:] = np.datetime64("2020-01-01", "us") + np.arange(64)
    model = card(chip_size=12, token_stride=4, batch=1)
    # The shares of eleven chips are a little less than three patches; one begins at 9, 9.
    cuts = {
        tuple(cut.places.first[0].tolist()): cut.chips
        for cut in chips.cut(image, model, every(image))
    }
    assert all(len(chip) == 1 for chip in cuts.values())
    row, col = next(place for place in cuts if min(place) >= 0 and max(place) <= 5)
    middle = (row + 1) * 8 + col + 1
    assert cuts[row, col].times == image.times[middle]
    np.testing.assert_allclose(
        cuts[row, col].centers[0], image.centers[middle], rtol=0, atol=1e-5
    )


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
        ({"chip_size": 16, "token_stride": 8}, "whole number of them, got 4 pixels"),
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


def test_batches_are_of_about_one_size():
    image = coordinates(6, 6, 4, 0)
    cuts = list(chips.cut(image, card(batch=32), every(image)))
    assert [len(cut.chips) for cut in cuts] == [18, 18]


def test_a_gpu_gets_as_many_chips_at_once_as_a_gigabyte_holds():
    image = tile_image(landscape(bands=2), bands=("red", "nir"))
    sizes = {
        cuda: [
            len(cut.chips)
            for cut in chips.cut(image, card(batch=7), every(image), cuda=cuda)
        ]
        for cuda in (False, True)
    }
    assert max(sizes[False]) == 7
    assert sum(sizes[False]) == 64
    assert sizes[True] == [64]
    large = card(batch=4096)
    assert chips._most(large, 100 << 20, cuda=True) == 10
    assert chips._most(large, 16 << 20, cuda=False) == 4
