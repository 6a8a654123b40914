import numpy as np
import pytest

from terradrift.ingest.simulate.classify import classify
from terradrift.ingest.simulate.landscape import landscape
from terradrift.ingest.simulate.recipe import acquisitions
from terradrift.ingest.simulate.render import _kernel
from terradrift.ingest.simulate.weather import weather

CLOUDY = (8, 9, 10)


@pytest.fixture(scope="module")
def year(recipe):
    """Weather, SCL and scene of forty passes."""
    chosen = recipe(size_px=96, revisit_days=9)
    ground = landscape(chosen)
    green = np.full(len(ground.cover), 0.8, np.float32)
    out = []
    for scene in acquisitions(chosen, 40):
        sky = weather(chosen, ground, scene)
        out.append((sky, classify(chosen, ground, green, sky, scene), scene))
    return out


def test_half_of_the_days_are_nearly_clear_and_some_overcast(year):
    cover = np.array([float((sky.cloud > 0.5).mean()) for sky, _, _ in year])
    assert 0.3 < (cover < 0.1).mean() < 0.8
    assert (cover > 0.6).mean() > 0.04


def test_the_mask_finds_most_clouds_misses_some_and_cries_wolf_at_times(year):
    cloud = np.stack([sky.cloud for sky, _, _ in year])
    seen = np.stack([scl != 0 for _, scl, _ in year])
    flagged = np.stack([np.isin(scl, CLOUDY) for _, scl, _ in year])
    assert flagged[(cloud > 0.8) & seen].mean() > 0.97
    thin = (cloud > 0.1) & (cloud < 0.4) & seen
    assert 0.1 < flagged[thin].mean() < 0.9
    clear = (cloud < 0.01) & seen
    assert 0 < flagged[clear].mean() < 0.05


def test_shadows_are_partly_found(year):
    deep = np.concatenate(
        [
            ((sky.shade > 0.7) & (sky.cloud < 0.01) & (scl > 0)).ravel()
            for sky, scl, _ in year
        ]
    )
    found = np.concatenate([(scl == 3).ravel() for _, scl, _ in year])
    assert 0.8 < found[deep].mean() <= 1


def test_the_mask_is_nodata_wherever_the_image_is(year):
    assert any((~sky.seen).any() for sky, _, _ in year)
    for sky, scl, _ in year:
        assert (scl[~sky.seen] == 0).all()


def test_the_sun_is_higher_in_summer(year):
    height = {scene.instant.month: sky.sun_elevation for sky, _, scene in year}
    assert 10 < height[12] < 20
    assert 50 < height[6] < 65


@pytest.mark.parametrize("shift", [-0.3, -0.1, 0.0, 0.2, 0.3])
def test_the_blur_keeps_light_and_moves_it_by_the_shift(shift):
    weights = _kernel(shift)
    assert weights.sum() == pytest.approx(1)
    assert (weights * np.arange(-2, 3)).sum() == pytest.approx(shift)
