"""Regimes against planted ones: measures of known value, and the protocol on a small series."""

from dataclasses import replace

import numpy as np
import pytest

from terradrift.detect.taxonomy.refine import Refinement
from terradrift.detect.taxonomy.settings import Settings
from terradrift.evaluate.taxonomy.agreement import (
    agreement,
    coherence,
    path_silhouette,
    stability,
)
from terradrift.evaluate.taxonomy.pipeline import classify, together
from terradrift.evaluate.taxonomy.planted import Recipe, plant
from terradrift.evaluate.taxonomy.stability import repeated
from terradrift.evaluate.taxonomy.study import NAMES, Truth, study

SMALL = Recipe(side=20, dates=20, every_days=18, dimensions=24, ground=3, paths=2)
GIVEN = Settings(regimes=3, paths=2)


def test_agreement_does_not_mind_names_and_tells_what_chance_gives():
    truth = np.repeat([0, 1, 2], 40)
    found = agreement(truth, np.array([7, 5, 9])[truth])
    assert found.ari == found.nmi == pytest.approx(1)
    assert abs(found.ari_by_chance) < 0.03
    assert 0 < found.nmi_by_chance < 0.1
    some = np.where(np.arange(120) % 2, truth, -1)
    assert agreement(some, truth).rows == 60
    with pytest.raises(ValueError, match="there is none"):
        agreement(np.full(120, -1), truth)


def test_stability_is_the_mean_over_pairs_of_what_both_label():
    one = np.repeat([0, 1], 20)
    other = np.where(np.arange(40) < 5, -1, 1 - one)
    assert stability([one, other, one]) == pytest.approx(1)
    mixed = np.random.default_rng(0).permutation(one)
    assert abs(stability([one, mixed])) < 0.2
    assert np.isnan(stability([one]))


def test_silhouette_of_paths_is_that_of_the_mean_distance_of_dates():
    from scipy.spatial.distance import cdist
    from sklearn.metrics import silhouette_score

    random = np.random.default_rng(1)
    labels = np.arange(60) % 3
    paths = random.standard_normal((3, 5, 2))[labels]
    paths += 0.4 * random.standard_normal((60, 5, 2))
    summed = sum(cdist(paths[:, t], paths[:, t]) for t in range(5))
    expected = silhouette_score(summed, labels, metric="precomputed")
    assert path_silhouette(paths, labels) == pytest.approx(expected)
    assert np.isnan(path_silhouette(paths, np.zeros(60, int)))


def test_coherence_is_high_in_blocks_and_that_of_chance_when_spread():
    rows, cols = np.divmod(np.arange(400), 20)
    cells = np.column_stack([np.zeros(400, int), rows, cols])
    halves = (cols >= 10).astype(int)
    together_ = coherence(cells, halves)
    assert together_.beside == pytest.approx(1 - 20 / 760)
    assert together_.beside_by_chance == 0.5
    assert together_.silhouette > 0.3
    spread = coherence(cells, np.random.default_rng(0).permutation(halves))
    assert spread.beside == pytest.approx(0.5, abs=0.05)
    assert abs(spread.silhouette) < 0.05


def test_planted_regimes_have_the_two_levels_that_they_claim():
    found = plant(SMALL)
    seen = found.series.vectors.astype(float)
    mean = np.stack([seen[found.leaf == k].mean(axis=0) for k in range(6)])
    state = mean.mean(axis=1)
    same = np.linalg.norm(state[::2] - state[1::2], axis=1)
    other = np.linalg.norm(state[::2] - np.roll(state[::2], 1, axis=0), axis=1)
    assert same.max() < 0.4 * other.min()
    assert (found.leaf // 2 == found.ground).all()
    assert np.linalg.norm(mean[0] - mean[1], axis=1).mean() > 0.5
    again = plant(SMALL)
    np.testing.assert_array_equal(again.series.vectors, found.series.vectors)
    with pytest.raises(ValueError, match="2 grounds"):
        Recipe(ground=1)


def test_planted_regimes_are_found_and_some_dates_suffice():
    planted = plant(replace(SMALL, loud=0.3))
    seen = together([planted.series])
    found = classify(seen, GIVEN)
    assert agreement(planted.ground, found.ground).ari > 0.95
    assert agreement(planted.leaf, found.leaf).ari > 0.9
    half = classify(seen, GIVEN, days=np.arange(20) % 2 == 0)
    assert agreement(planted.leaf, half.leaf).ari > 0.6
    steady = repeated(found.paths, found.taxonomy.calendar, GIVEN)
    assert steady.seeds > 0.9
    assert steady.leaves == (6, 6)
    assert "6 paths" in str(steady)
    assert repeated(found.paths, found.taxonomy.calendar, GIVEN) == steady
    with pytest.raises(ValueError, match="16 patches"):
        repeated(found.paths.of(np.arange(5)), found.taxonomy.calendar, GIVEN)


def test_the_study_compares_refinement_with_its_control():
    planted = plant(replace(SMALL, loud=1.0))
    truth = Truth(ground=planted.ground, leaf=planted.leaf, cells=planted.series.cells)
    quick = Refinement(epochs=8, per_date=60, learning_rate=3e-3)
    found = study(together([planted.series]), truth, GIVEN, quick)
    assert found.error_after < found.error_before
    right, wrong = found.gain("silhouette")
    assert right > wrong + 0.05
    assert set(NAMES) >= {"ari_leaf", "stable_dates"}
