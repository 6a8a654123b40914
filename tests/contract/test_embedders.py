"""What every registered embedder keeps, ours and others'."""

from dataclasses import replace

import numpy as np
import pytest

from terradrift import plugins
from terradrift.chip import Chips
from terradrift.embed import chips
from terradrift.embed.run import metadata
from terradrift.embed.sample import sample
from tests.embed.images import BANDS10, landscape, tile_image

pytestmark = pytest.mark.parametrize("name", plugins.names(plugins.EMBEDDERS))

_MODELS = {}


def made(name):
    """The plugin as an archive of ten bands would make it."""
    if name not in _MODELS:
        plugin = plugins.load(plugins.EMBEDDERS, name)
        if plugin.needs_fit:
            halo = plugin.sample_context_px
            image = tile_image(landscape((32 + 2 * halo,) * 2), halo_px=halo)
            _MODELS[name] = plugin.fit(sample(iter([image]), context_px=halo))
        else:
            _MODELS[name] = plugin.for_bands(BANDS10)
    return _MODELS[name]


def some_chips(model, seed=1):
    """Chips of the model's bands, size and context; the last has no clear pixel."""
    card = model.card
    halo = card.context_px
    patch_px = card.token_stride or (card.chip_size or 4 + 2 * halo) - 2 * halo
    pixels = landscape((4 * patch_px + 2 * halo,) * 2, seed=seed)
    image = tile_image(pixels, patch_px=patch_px, halo_px=halo)
    (cut,) = chips.cut(image, card, np.arange(16))
    pixels = cut.chips.pixels.copy()
    pixels[0, :, halo, halo] = np.nan
    pixels[-1] = np.nan
    return replace(cut.chips, pixels=pixels)


def taken(batch, rows):
    return Chips(
        pixels=batch.pixels[rows],
        bands=batch.bands,
        wavelengths=batch.wavelengths,
        times=batch.times[rows],
        centers=batch.centers[rows],
        gsd=batch.gsd,
        level=batch.level,
    )


def test_the_card_is_complete(name):
    card = made(name).card
    assert card.name == name
    for field in ("revision", "licence", "preprocessing", "source"):
        assert getattr(card, field), field
    assert card.bands
    assert card.weights_sha256 if card.weights else not card.weights_sha256
    assert all(isinstance(text, str) for text in metadata(card, card.bands).values())


def test_vectors_have_the_shape_and_type_of_the_card(name):
    model = made(name)
    batch = some_chips(model)
    found = model.embed(batch)
    assert found.dtype == np.float32
    assert found.shape[0] == len(batch)
    assert found.shape[-1] == model.card.dimensions
    assert found.ndim == (2 if model.card.token_stride is None else 4)
    assert np.abs(found[:-1]).max() < np.finfo(np.float16).max
    assert np.isfinite(found[:-1]).all()


def test_a_chip_without_a_clear_pixel_gives_nan(name):
    model = made(name)
    assert np.isnan(model.embed(some_chips(model))[-1]).all()


def test_a_batch_gives_what_its_chips_give_alone(name):
    model = made(name)
    batch = some_chips(model)
    together = model.embed(batch)
    alone = np.concatenate(
        [model.embed(taken(batch, slice(k, k + 1))) for k in range(len(batch))]
    )
    scale = np.nanmax(np.abs(together))
    np.testing.assert_allclose(alone, together, rtol=1e-3, atol=1e-3 * scale)


def test_the_order_of_chips_does_not_matter(name):
    model = made(name)
    batch = some_chips(model)
    backwards = model.embed(taken(batch, slice(None, None, -1)))[::-1]
    np.testing.assert_allclose(backwards, model.embed(batch), rtol=1e-3, atol=1e-5)


def test_the_same_chips_give_the_same_vectors(name):
    model = made(name)
    batch = some_chips(model)
    np.testing.assert_array_equal(model.embed(batch), model.embed(batch))


def test_chips_are_left_as_they_are(name):
    model = made(name)
    batch = some_chips(model)
    before = batch.pixels.copy()
    batch.pixels.flags.writeable = False
    model.embed(batch)
    np.testing.assert_array_equal(batch.pixels, before)


def test_bands_in_another_order_are_brought_into_the_models(name):
    model = made(name)
    halo = model.card.context_px
    size = model.card.token_stride or (model.card.chip_size or 4 + 2 * halo) - 2 * halo
    pixels = landscape((4 * size + 2 * halo,) * 2, seed=3)
    given = {"patch_px": size, "halo_px": halo}
    image = tile_image(pixels, bands=BANDS10, **given)
    other = tile_image(pixels[::-1], bands=BANDS10[::-1], **given)
    every = np.arange(16)
    (one,), (two,) = (chips.cut(i, model.card, every) for i in (image, other))
    np.testing.assert_array_equal(model.embed(one.chips), model.embed(two.chips))


def test_missing_bands_are_treated_as_the_card_says(name):
    card = made(name).card
    left = card.bands[1:]
    if card.missing == "zero":
        assert chips.missing_bands(card, left) == card.bands[:1]
        assert card.bands[0] in metadata(card, left)["preprocessing"]
    else:
        with pytest.raises(ValueError, match=f"lack {card.bands[0]}"):
            chips.missing_bands(card, left)


def test_what_was_fitted_is_saved_without_pickle_and_loads_the_same(name, tmp_path):
    model = made(name)
    if not model.needs_fit:
        pytest.skip(f"{name} is not fitted")
    path = tmp_path / "model.safetensors"
    model.save(path)
    header = path.read_bytes()
    assert header[8:9] == b"{", "a safetensors header"
    again = type(model).load(path)
    assert again.card == model.card
    batch = some_chips(model)
    np.testing.assert_array_equal(again.embed(batch), model.embed(batch))
