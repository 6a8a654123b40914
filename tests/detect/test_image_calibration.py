"""Scores of patches against those of earlier dates."""

import numpy as np

from terradrift.detect.image.calibration import calibrated, less_scene


def test_p_values_of_ground_that_does_not_change_are_what_they_say() -> None:
    """Not too small; a little too large while few earlier scores tell z."""
    random = np.random.default_rng(1)
    level = random.uniform(0.5, 2, 400)
    scores = (level * random.gamma(3.0, size=(100, 400))).astype(np.float32)
    scores[random.random(scores.shape) < 0.3] = np.nan
    p = calibrated(scores).p_value[50:]
    known = p[np.isfinite(p)]
    for share in (0.01, 0.05, 0.2, 0.5):
        assert 0.75 * share < (known <= share).mean() < 1.15 * share


def test_z_counts_in_spreads_of_the_patch_itself() -> None:
    random = np.random.default_rng(2)
    scores = random.normal(10, 1, (40, 50)).astype(np.float32)
    scores[:, :25] = 10 + 5 * (scores[:, :25] - 10)
    scores[-1, [0, 25]] = 30
    z = calibrated(scores).z[-1]
    assert 2 < z[0] < 6
    assert z[25] > 10


def test_later_dates_change_nothing() -> None:
    random = np.random.default_rng(3)
    scores = random.random((20, 30)).astype(np.float32)
    whole, part = calibrated(scores), calibrated(scores[:12])
    np.testing.assert_array_equal(whole.z[:12], part.z)
    np.testing.assert_array_equal(whole.p_value[:12], part.p_value)


def test_dates_that_were_not_scored_count_for_nothing() -> None:
    random = np.random.default_rng(6)
    scores = random.random((30, 20)).astype(np.float32)
    after = calibrated(np.concatenate([np.full((26, 20), np.nan, np.float32), scores]))
    alone = calibrated(scores)
    assert np.isnan(after.z[:26]).all()
    np.testing.assert_array_equal(after.z[26:], alone.z)
    np.testing.assert_array_equal(after.p_value[26:], alone.p_value)
    nothing = calibrated(scores[:0])
    assert nothing.z.shape == (0, 20)


def test_too_few_earlier_scores_are_abstained_from() -> None:
    random = np.random.default_rng(4)
    scores = random.random((8, 3)).astype(np.float32)
    found = calibrated(scores)
    assert np.isnan(found.z[:5]).all()
    assert np.isfinite(found.z[5:]).all()
    assert np.isnan(found.p_value).all()  # 9 z in all
    equal = np.full((9, 3), 1.0, np.float32)
    assert np.isnan(calibrated(equal).z).all()


def test_what_a_scene_did_to_all_patches_is_taken_away() -> None:
    random = np.random.default_rng(5)
    scores = random.random((2, 30)).astype(np.float32)
    scenes = np.array([["a"] * 20 + ["b"] * 5 + [""] * 5] * 2)
    scores[1, :20] += 7
    found = less_scene(scores, scenes)
    assert np.isnan(found[:, 20:]).all()
    np.testing.assert_allclose(np.median(found[:, :20], axis=1), 0, atol=1e-6)
    assert found[1, :20].max() < 1
