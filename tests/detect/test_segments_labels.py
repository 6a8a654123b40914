"""Every pixel in one connected region, whatever the size of image, tiles, masks, holes."""

import numpy as np
import pytest
from skimage import measure

from terradrift.detect.segments import labels as maps
from terradrift.detect.segments import masks, superpixels, tiling
from terradrift.detect.segments.settings import Settings

SETTINGS = Settings()


def field(shape=(60, 50), bands=3, seed=0):
    rng = np.random.default_rng(seed)
    coarse = rng.uniform(0.05, 0.4, (bands, shape[0] // 10 + 1, shape[1] // 10 + 1))
    smooth = coarse.repeat(10, axis=1).repeat(10, axis=2)[:, : shape[0], : shape[1]]
    return (smooth + rng.normal(0, 0.005, smooth.shape)).astype(np.float32)


def whole(labels):
    """Numbered 1..n without gaps, each connected, no pixel in none."""
    assert labels.dtype == np.int32
    n = labels.max()
    assert set(np.unique(labels)) == set(range(1, n + 1))
    assert measure.label(labels, background=0, connectivity=1).max() == n


@pytest.mark.parametrize("shape", [(1, 1), (3, 40), (60, 50), (101, 64)])
@pytest.mark.parametrize("bands", [1, 3, 10])
def test_images_of_any_size_and_band_count_are_covered(shape, bands):
    before, after = field(shape, bands), field(shape, bands, seed=1)
    found = superpixels.regions(before, after, gsd=10, settings=SETTINGS)
    assert found.shape == shape
    whole(found)


def test_regions_have_the_ground_that_is_asked_for_at_any_pixel_size():
    image = field((115, 118)) + np.linspace(0, 0.1, 118, dtype=np.float32)
    for gsd in (5, 10):
        found = superpixels.regions(image, image, gsd=gsd, settings=SETTINGS)
        area = maps.areas(found) * gsd**2
        assert SETTINGS.area_m2 / 2 < area.mean() < SETTINGS.area_m2 * 2
        assert area.min() >= SETTINGS.least_m2


def test_coarse_pixels_make_regions_of_several_all_the_same():
    image = field((60, 60))
    found = superpixels.regions(image, image, gsd=60, settings=SETTINGS)
    assert maps.areas(found).min() >= 6
    assert maps.areas(found).mean() > 12


def test_what_is_not_clear_is_a_region_of_its_own():
    before, after = field(), field(seed=1)
    before[:, :20] = np.nan
    after[1, 10:30, 10:30] = np.nan
    found = superpixels.regions(before, after, gsd=10, settings=SETTINGS)
    whole(found)
    kinds = np.isfinite(before).all(axis=0) * 2 + np.isfinite(after).all(axis=0)
    for number in range(1, found.max() + 1):
        assert len(np.unique(kinds[found == number])) == 1
    dark = np.full_like(before, np.nan)
    assert superpixels.regions(dark, dark, gsd=10, settings=SETTINGS).max() == 1


def test_a_border_of_either_date_is_a_border_of_regions():
    before = np.zeros((2, 40, 40), np.float32)
    after = np.zeros((2, 40, 40), np.float32)
    before[:, :, 23:] = 0.3
    after[0, 17:] = 0.3
    found = superpixels.regions(before, after, gsd=10, settings=SETTINGS)
    truth = (np.arange(40)[:, None] >= 17) * 2 + (np.arange(40) >= 23)
    for number in range(1, found.max() + 1):
        inside = truth[found == number]
        assert np.bincount(inside).max() >= 0.9 * len(inside)


def test_slivers_join_the_neighbour_of_the_longest_border_and_none_is_lost():
    given = np.ones((6, 8), np.int32)
    given[:, 4:] = 2
    given[2, 4] = 3
    given[2, 3] = 4
    found = maps.merged(given, 4)
    whole(found)
    assert maps.areas(found).tolist() == [24, 24]
    assert found[2, 4] == 2
    assert found[2, 3] == 1


def test_slivers_join_ground_that_is_alike_before_ground_of_a_long_border():
    given = np.ones((6, 8), np.int32)
    given[:, 4:] = 2
    given[:4, 3] = 3
    image = np.where(given == 1, 0, 1).astype(np.float32)[None]
    found = maps.merged(given, 6, image=image)
    np.testing.assert_array_equal(found, np.where(given == 1, 1, 2))


def test_slivers_of_another_kind_stay():
    given = np.ones((6, 6), np.int32)
    given[2:4, 2:4] = 2
    kind = (given == 2).astype(int)
    np.testing.assert_array_equal(maps.merged(given, 10, kind), given)
    assert maps.merged(given, 10).max() == 1
    assert maps.merged(given, 100).max() == 1


def test_many_slivers_side_by_side_join_in_the_end():
    given = maps.connected(np.arange(400).reshape(20, 20))
    found = maps.merged(given, 10)
    whole(found)
    assert maps.areas(found).min() >= 10
    assert found.max() > 1


def test_values_that_are_equal_and_apart_are_two_regions():
    given = np.array([[0, 1, 0], [0, 1, 0]])
    np.testing.assert_array_equal(maps.connected(given), [[1, 2, 3], [1, 2, 3]])


def test_tiles_cut_no_object_and_cover_every_pixel():
    shape = (150, 90)
    truth = maps.connected(
        (np.add.outer(np.arange(150) // 30, np.arange(90) // 30)) % 2
    )
    seen = []

    def segment(rows, cols):
        seen.append((rows, cols))
        return maps.connected(truth[rows, cols])

    found = tiling.stitched(shape, segment, tile_px=64, overlap_px=24)
    assert len(seen) > 4
    np.testing.assert_array_equal(found, truth)
    assert all(r.start >= 0 and r.stop <= 150 for r, _ in seen)


def test_tiles_agree_with_one_pass_about_superpixels_away_from_seams():
    image = field((160, 130))
    ranges = superpixels.band_ranges(image)
    settings = Settings()

    def segment(rows, cols):
        return superpixels.superpixels(
            image[:, rows, cols], ranges, gsd=10, settings=settings
        )

    found = tiling.stitched((160, 130), segment, tile_px=80, overlap_px=40)
    assert (found > 0).all()
    area = maps.areas(maps.connected(found))
    assert area.max() < 600, "joined over seams without end"


def test_an_image_smaller_than_a_tile_is_one_tile():
    asked = []

    def segment(rows, cols):
        asked.append((rows, cols))
        return np.ones((7, 9), np.int32)

    assert (tiling.stitched((7, 9), segment) == 1).all()
    assert asked == [(slice(0, 7), slice(0, 9))]
    assert tiling.spans(1500, 2048, 256) == [slice(0, 1500)]
    with pytest.raises(ValueError, match="overlap of 0 up to"):
        tiling.stitched((7, 9), segment, tile_px=4, overlap_px=4)


def test_pixels_in_no_mask_stay_in_their_superpixel():
    base = np.repeat([[1, 2]], 6, axis=0).repeat(4, axis=1)
    large, small = np.zeros((2, 6, 8), bool)
    large[:4, :5] = True
    small[1:3, 1:3] = True
    base[5, 7] = 0
    found = masks.partition([small, large], base)
    assert found[5, 7] == 0
    assert found[0, 0] == found[3, 4] != found[1, 1]
    assert found[5, 0] != found[5, 5]
    assert len(np.unique(found)) == 5
    np.testing.assert_array_equal(
        masks.partition([], base)[:5], maps.connected(base)[:5]
    )


def test_a_mask_of_the_whole_image_is_kept():
    base = np.ones((5, 5), np.int32)
    base[2:] = 2
    assert (masks.partition([np.ones((5, 5), bool)], base) == 1).all()


def test_masks_of_another_size_are_refused():
    with pytest.raises(ValueError, match=r"expected masks of \(5, 5\)"):
        masks.partition([np.ones((4, 5), bool)], np.ones((5, 5), np.int32))
    with pytest.raises(ValueError, match="two images of one size"):
        superpixels.regions(field((4, 5)), field((5, 5)), gsd=10, settings=SETTINGS)


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"area_m2": 0}, "above 0"),
        ({"min_clear": 1.5}, "share above 0"),
        ({"min_reference": 1}, "2 or more"),
    ],
)
def test_settings_out_of_range_are_refused(given, words):
    with pytest.raises(ValueError, match=words):
        Settings(**given)
