from dataclasses import replace

import numpy as np
import pytest

from terradrift.embed import chips, weights
from terradrift.embed.mosaiks import Mosaiks
from terradrift.embed.sample import sample
from terradrift.errors import ArchiveError
from tests.embed.images import BANDS10, landscape, tile_image, vectors


def pixels_of(*images, **given):
    return sample(iter(images), context_px=1, **given)


@pytest.fixture(scope="module")
def fitted():
    return Mosaiks.fit(pixels_of(tile_image(landscape())))


def test_vectors_have_unit_length_and_fit_float16(fitted):
    found = vectors(fitted, tile_image(landscape(seed=5)))
    assert found.shape == (64, 256)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-5)


def test_the_same_sample_and_seed_give_the_same_model():
    chosen = pixels_of(tile_image(landscape()))
    first, again = Mosaiks.fit(chosen), Mosaiks.fit(chosen)
    other = Mosaiks.fit(chosen, seed=1)
    assert first.card == again.card
    assert first.card.weights_sha256 != other.card.weights_sha256


def test_a_model_that_was_saved_gives_the_same_vectors(fitted, tmp_path):
    path = tmp_path / "mosaiks.safetensors"
    fitted.save(path)
    again = Mosaiks.load(path)
    image = tile_image(landscape(seed=9))
    np.testing.assert_array_equal(vectors(fitted, image), vectors(again, image))
    assert again.card == fitted.card
    assert [file.name for file in tmp_path.iterdir()] == ["mosaiks.safetensors"]


def test_what_is_no_safetensors_file_is_refused(tmp_path):
    path = tmp_path / "mosaiks.safetensors"
    path.write_bytes(b"no such thing")
    with pytest.raises(
        ArchiveError, match=r"expected a mosaiks/1 model in .*safetensors"
    ):
        Mosaiks.load(path)


def test_a_model_of_another_kind_is_refused(tmp_path):
    path = tmp_path / "other.safetensors"
    weights.save(path, {"a": np.ones(1, np.float32)}, {}, "other/1")
    with pytest.raises(ArchiveError, match="got other/1"):
        Mosaiks.load(path)


def test_a_patch_has_the_same_vector_wherever_it_lies_in_the_image(fitted):
    pixels = landscape((42, 42))
    whole = tile_image(pixels)
    part = tile_image(pixels[:, 8:34, 12:38], first_row=2, first_col=3)
    everywhere = dict(zip(whole.patch_ids, vectors(fitted, whole), strict=True))
    for patch, vector in zip(part.patch_ids, vectors(fitted, part), strict=True):
        np.testing.assert_allclose(vector, everywhere[patch], atol=2e-6)


def test_a_few_masked_pixels_move_the_vector_little(fitted):
    pixels = landscape()
    masked = pixels.copy()
    masked[:, np.random.default_rng(0).random(pixels.shape[1:]) < 0.1] = np.nan
    clear, partly = (vectors(fitted, tile_image(image)) for image in (pixels, masked))
    cosine = (clear * partly).sum(axis=1)
    unlike = (clear * clear[::-1]).sum(axis=1)
    assert np.median(cosine) > 0.7 > np.median(unlike)


def test_the_order_of_bands_is_part_of_the_model(fitted):
    image = tile_image(landscape())
    (cut,) = chips.cut(image, fitted.card, np.arange(4))
    swapped = replace(cut.chips, bands=BANDS10[::-1])
    with pytest.raises(ValueError, match=r"was made from bands blue, .* got swir22, "):
        fitted.embed(swapped)


def test_an_archive_of_one_index_band_works():
    image = tile_image(landscape(bands=1), bands=("ndvi",))
    model = Mosaiks.fit(pixels_of(image))
    assert np.isfinite(vectors(model, image)).all()


def test_fewer_windows_than_kernels_make_fewer_kernels():
    image = tile_image(landscape((10, 10)))
    model = Mosaiks.fit(pixels_of(image))
    assert model.card.dimensions == 2 * 64
    assert np.isfinite(vectors(model, image)).all()


def test_one_patch_is_enough_for_a_model():
    image = tile_image(landscape((6, 6)))
    model = Mosaiks.fit(pixels_of(image))
    np.testing.assert_allclose(np.linalg.norm(vectors(model, image), axis=1), 1, 1e-5)


def test_a_constant_patch_among_others_has_a_vector(fitted):
    pixels = landscape()
    pixels[:, :8, :8] = 0.2
    assert np.isfinite(vectors(fitted, tile_image(pixels))).all()


def test_a_band_that_never_varies_does_no_harm():
    pixels = landscape(bands=2)
    pixels[1] = 0.0
    image = tile_image(pixels, bands=("red", "cirrus"))
    assert np.isfinite(vectors(Mosaiks.fit(pixels_of(image)), image)).all()


def test_equal_pixels_everywhere_are_refused():
    image = tile_image(np.full((1, 10, 10), 0.1, np.float32), bands=("red",))
    with pytest.raises(ValueError, match="drawn from pixels that differ"):
        Mosaiks.fit(pixels_of(image))


@pytest.mark.parametrize("given", [{"size": 2}, {"size": 0}, {"kernels": 0}])
def test_kernels_without_a_middle_or_none_at_all_are_refused(given):
    with pytest.raises(ValueError, match="odd number of pixels per side"):
        Mosaiks.fit(pixels_of(tile_image(landscape())), **given)


def test_larger_kernels_ask_for_more_surroundings():
    image = tile_image(landscape((36, 36)), halo_px=2)
    model = Mosaiks.fit(sample(iter([image]), context_px=2), size=5)
    assert model.card.context_px == 2
    assert np.isfinite(vectors(model, image)).all()


@pytest.mark.gpu
def test_cuda_gives_the_vectors_of_the_cpu(fitted):
    image = tile_image(landscape(seed=3))
    cosine = (vectors(fitted, image) * vectors(fitted.to("cuda"), image)).sum(axis=1)
    assert cosine.min() > 0.9999
