import numpy as np
import pytest

from terradrift.ingest.simulate import landscape as land


@pytest.mark.parametrize("seed", [0, 1, 2])
def test_a_landscape_holds_every_kind_of_cover_in_natural_shares(recipe, seed):
    ground = land.landscape(recipe(seed=seed, size_px=256))
    shares = np.bincount(
        ground.cover[ground.labels].ravel(), minlength=len(land.COVERS)
    ) / (256 * 256)
    forest = shares[land.CONIFER] + shares[land.DECIDUOUS]
    assert 0.15 < forest < 0.4
    assert 0.25 < shares[land.CROP] < 0.6
    assert 0.1 < shares[land.GRASS] < 0.4
    assert 0.004 < shares[land.WATER] < 0.08
    assert shares[land.TILE] > 0.01
    assert shares[land.ASPHALT] > 0.003


def test_fields_are_parcels_of_some_hectares(recipe):
    ground = land.landscape(recipe(size_px=256))
    pixels = np.bincount(ground.labels.ravel())
    fields = pixels[ground.cover == land.CROP]
    assert 0.3 < np.median(fields) / 100 < 12


def test_the_ground_depends_on_the_seed_only(recipe):
    first = land.landscape(recipe(seed=4))
    again = land.landscape(recipe(seed=4, cloudiness=0.1, revisit_days=5))
    other = land.landscape(recipe(seed=5))
    assert np.array_equal(first.labels, again.labels)
    assert not np.array_equal(first.labels, other.labels)


def test_water_lies_lowest(recipe):
    ground = land.landscape(recipe(size_px=256))
    water = ground.pixels(land.WATER)
    assert ground.height[water].mean() < 0.5 * ground.height[~water].mean()
