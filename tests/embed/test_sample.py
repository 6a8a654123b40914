import numpy as np
import pytest

from terradrift.embed import chips
from terradrift.embed.sample import sample
from terradrift.errors import SourceError
from tests.embed.images import landscape, tile_image


def marked(value, clear=True):
    pixels = np.full((1, 18, 18), value, np.float32)
    if not clear:
        pixels[:, ::4] = np.nan
    return tile_image(pixels, bands=("red",))


def test_a_small_stream_is_taken_whole():
    found = sample(iter([marked(1), marked(2)]), context_px=1)
    assert found.pixels.shape == (32, 1, 6, 6)
    assert found.bands == ("red",)


def test_the_sample_is_even_over_the_stream():
    found = sample((marked(k) for k in range(100)), context_px=0, patches=800)
    assert len(found) == len(found.times) == len(found.centers) == 800
    values, counts = np.unique(found.pixels[:, 0, 0, 0], return_counts=True)
    # 16 patches of each image, half of them taken.
    assert len(values) == 100
    assert abs(counts[:50].sum() - 400) < 60


def test_the_same_stream_gives_the_same_sample():
    images = [tile_image(landscape(seed=seed)) for seed in range(4)]
    first = sample(iter(images), context_px=1, patches=50, seed=3)
    again = sample(iter(images), context_px=1, patches=50, seed=3)
    other = sample(iter(images), context_px=1, patches=50, seed=4)
    np.testing.assert_array_equal(first.pixels, again.pixels)
    assert not np.array_equal(first.pixels, other.pixels)


def test_partly_clear_patches_are_taken_only_where_clear_ones_do_not_suffice():
    stream = [marked(1, clear=False), marked(2), marked(3, clear=False)]
    found = sample(iter(stream), context_px=0, patches=16)
    assert (found.pixels == 2).all()
    found = sample(iter(stream), context_px=0, patches=20)
    assert np.sum(found.pixels[:, 0, 1, 1] == 2) == 16
    assert len(found) == 20


def test_memory_is_bounded_by_bytes_too():
    found = sample(
        (marked(k) for k in range(10)), context_px=1, max_bytes=50 * 6 * 6 * 4
    )
    assert len(found) == 50


def test_large_chips_are_cut_in_batches_and_joined(monkeypatch):
    monkeypatch.setattr(chips, "_BATCH_BYTES", 5 * 6 * 6 * 4)
    found = sample(iter([marked(1), marked(2)]), context_px=1)
    assert found.pixels[:, 0, 1, 1].tolist() == [1] * 16 + [2] * 16


def test_a_stream_without_clear_pixels_is_refused():
    stream = [marked(np.nan), marked(np.nan)]
    with pytest.raises(SourceError, match="no image has any; ingest clearer scenes"):
        sample(iter(stream), context_px=1)
