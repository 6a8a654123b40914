"""What every registered embedder keeps, ours and others'."""

import numpy as np
import pytest

from terradrift.embed import chips
from terradrift.embed.run import metadata
from terradrift.embed.spec import Spec
from tests.contract.embedders import (
    REGISTERED,
    embedded,
    every_output,
    made,
    outputs,
    plugin,
    some_chips,
    taken,
)
from tests.embed.images import landscape, tile_image

every = pytest.mark.parametrize("name", every_output(REGISTERED))


@pytest.mark.parametrize("name", REGISTERED)
def test_an_embedder_has_the_name_of_its_entry_point(name):
    assert outputs(name)
    given = plugin(name)
    if isinstance(given, Spec):
        assert given.name == name
    else:
        assert made(name).card.name == name


@every
def test_the_card_is_complete(name):
    card = made(name).card
    assert card.name == name
    for field in ("revision", "licence", "preprocessing", "source"):
        assert getattr(card, field), field
    assert card.bands
    assert card.weights_sha256 if card.weights else not card.weights_sha256
    assert all(isinstance(text, str) for text in metadata(card, card.bands).values())


@every
def test_vectors_have_the_shape_and_type_of_the_card(name):
    card, found = made(name).card, embedded(name)
    given = plugin(name.removesuffix("-tokens"))
    assert found.dtype == np.float32
    if card.token_stride is None:
        assert found.shape[:-1] == (5,)
    elif given.resized:
        assert found.shape[0] == 5
        assert found.shape[1] == found.shape[2], "tiny networks resize to other sides"
    else:
        assert found.shape[:-1] == (5, *[card.chip_size // card.token_stride] * 2)
    if not isinstance(given, Spec):
        assert found.shape[-1] == card.dimensions, "tiny networks have other dimensions"


@every
def test_vectors_are_finite_numbers_that_float16_holds(name):
    found = embedded(name)
    assert np.isfinite(found[1:-1]).all()
    assert np.abs(found[1:-1]).max() < np.finfo(np.float16).max
    assert np.isfinite(found[0]).any(), "a chip with a hole"
    if found.ndim == 2:
        assert np.isfinite(found[0]).all()


@every
def test_a_chip_without_a_clear_pixel_gives_nan(name):
    assert np.isnan(embedded(name)[-1]).all()


@every
def test_chips_that_differ_have_vectors_that_differ(name):
    found = embedded(name)[1:-1].reshape(3, -1)
    assert np.ptp(found, axis=0).max() > 1e-4 * np.abs(found).max()


@every
def test_a_batch_gives_what_its_chips_give_alone(name):
    model, together = made(name), embedded(name)
    batch = some_chips(model)
    alone = np.concatenate(
        [model.embed(taken(batch, slice(k, k + 1))) for k in range(len(batch))]
    )
    scale = np.nanmax(np.abs(together))
    np.testing.assert_allclose(alone, together, rtol=1e-4, atol=1e-4 * scale)


@every
def test_the_order_of_chips_does_not_matter(name):
    model, forwards = made(name), embedded(name)
    backwards = model.embed(taken(some_chips(model), slice(None, None, -1)))[::-1]
    scale = np.nanmax(np.abs(forwards))
    np.testing.assert_allclose(backwards, forwards, rtol=1e-4, atol=1e-4 * scale)


@every
def test_the_same_chips_give_the_same_vectors(name):
    model = made(name)
    np.testing.assert_array_equal(model.embed(some_chips(model)), embedded(name))


@every
def test_chips_are_left_as_they_are(name):
    model = made(name)
    batch = some_chips(model)
    before = batch.pixels.copy()
    batch.pixels.flags.writeable = False
    model.embed(batch)
    np.testing.assert_array_equal(batch.pixels, before)


@every
def test_a_pixel_unclear_in_one_band_is_unclear(name):
    model = made(name)
    batch = some_chips(model)
    batch.pixels[0, 1:][np.isnan(batch.pixels[0, 1:])] = 0.77
    assert np.isnan(batch.pixels[0, 0]).any()
    np.testing.assert_array_equal(model.embed(batch), embedded(name))


@every
def test_bands_in_another_order_are_brought_into_the_models(name):
    card = made(name).card
    size = card.token_stride or (card.chip_size or 4 + 2 * card.context_px)
    size -= 0 if card.token_stride else 2 * card.context_px
    halo = card.context_px
    pixels = landscape((size + 2 * halo,) * 2, bands=len(card.bands), seed=3)
    given = {"patch_px": size, "halo_px": halo}
    image = tile_image(pixels, bands=card.bands, **given)
    other = tile_image(pixels[::-1], bands=card.bands[::-1], **given)
    (one, *_), (two, *_) = (
        list(chips.cut(i, card, np.arange(1))) for i in (image, other)
    )
    assert np.isfinite(one.chips.pixels).any()
    np.testing.assert_array_equal(one.chips.pixels, two.chips.pixels)
    np.testing.assert_array_equal(one.chips.wavelengths, two.chips.wavelengths)


@every
def test_missing_bands_are_treated_as_the_card_says(name):
    card = made(name).card
    may = set(card.optional or card.bands) if card.missing != "refuse" else set()
    for band in card.bands:
        left = tuple(other for other in card.bands if other != band)
        if band in may and left:
            assert chips.missing_bands(card, left) == (band,)
            done = metadata(card, left)["preprocessing"]
            assert done.endswith(
                f"{'left out' if card.missing == 'drop' else 'zero'}: {band}"
            )
        else:
            with pytest.raises(ValueError, match=f"lack {band}"):
                chips.missing_bands(card, left)


@pytest.mark.parametrize("name", [n for n in REGISTERED if n == "mosaiks"])
def test_what_was_fitted_is_saved_without_pickle_and_loads_the_same(name, tmp_path):
    model = made(name)
    path = tmp_path / "model.safetensors"
    model.save(path)
    header = path.read_bytes()
    assert header[8:9] == b"{", "a safetensors header"
    again = type(model).load(path)
    assert again.card == model.card
    np.testing.assert_array_equal(again.embed(some_chips(model)), embedded(name))
