import numpy as np
import pytest

from terradrift.detect.surprise import Surprise

T, D = 30, 6
DAYS = np.datetime64("2020-01-01") + 10 * np.arange(T)


def scene(seed: int, n: int = 120) -> tuple[np.ndarray, np.ndarray]:
    """Two covers that the season moves apart, noise, and constant differences."""
    random = np.random.default_rng(seed)
    cover = np.arange(n) % 2
    season = np.sin(2 * np.pi * np.arange(T) / 36)[None, :, None]
    path = random.normal(size=(2, 1, D))[cover] * season
    own = 0.5 * random.normal(size=(n, 1, D))
    noise = 0.05 * random.normal(size=(n, T, D))
    return (path + own + noise).astype(np.float32), np.ones((n, T), bool)


def test_a_step_surprises_and_a_season_does_not() -> None:
    vectors, clear = scene(0)
    vectors[7, 20:] += 0.6
    found = Surprise().detect(DAYS, vectors, clear)
    others = np.delete(found, 7, axis=0)
    usual = others[np.isfinite(others)]
    assert found[7, 20] > 2 * np.quantile(usual, 0.999)
    assert 0.8 < np.median(usual) < 1.25


def test_what_a_patch_always_differs_by_does_not_surprise() -> None:
    vectors, clear = scene(1)
    vectors[3] += 2.0
    found = Surprise().detect(DAYS, vectors, clear)
    assert np.nanmedian(found[3]) < 2 * np.nanmedian(found)


def test_nothing_is_said_before_there_is_a_past() -> None:
    vectors, clear = scene(2)
    clear[:, 5] = False
    found = Surprise(min_past=4).detect(DAYS, vectors, clear)
    assert np.isnan(found[:, :4]).all()
    assert np.isnan(found[:, 5]).all()
    assert np.isfinite(found[:, 12:]).all()


def test_too_few_patches_are_no_analogues() -> None:
    vectors, clear = scene(3, n=6)
    assert np.isnan(Surprise().detect(DAYS, vectors, clear)).all()


def test_parameters_below_one_are_refused() -> None:
    with pytest.raises(ValueError, match="min_past must be at least 1, got 0"):
        Surprise(min_past=0)
