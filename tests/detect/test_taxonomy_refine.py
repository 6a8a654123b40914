"""Triplets by construction, and what a map learned from them gains, keeps and refuses."""

from dataclasses import replace

import numpy as np
import pytest

from terradrift.detect.taxonomy.refine import Refinement, effective_rank, refine
from terradrift.detect.taxonomy.triplets import apportioned, draw

QUICK = Refinement(epochs=16, per_date=60, learning_rate=3e-3, components=16)


def worlds(seed=0, n=120, nuisance=1.0):
    """Series of `k` clusters under loud noise in two directions that tell nothing."""
    random = np.random.default_rng(seed)
    t, d, k = 8, 12, 3
    truth = np.arange(n) % k
    paths = 0.6 * random.standard_normal((k, t, d))[truth]
    loud = random.standard_normal((2, d))
    paths += nuisance * random.standard_normal((n, t, 2)) @ loud
    paths += 0.3 * random.standard_normal((n, t, d))
    return paths.astype(np.float32), random.random((n, t)) < 0.8, truth


@pytest.mark.parametrize("seed", range(5))
def test_triplets_are_of_one_date_and_their_distant_series_of_another_cluster(seed):
    random = np.random.default_rng(seed)
    labels = random.integers(-1, 4, 60)
    known = random.random((60, 9)) < 0.5
    found = draw(labels, known, 40, random)
    assert len(found) == 40 * 9
    for rows in (found.anchor, found.neighbour, found.distant):
        assert known[rows, found.date].all()
        assert (labels[rows] >= 0).all()
    assert (labels[found.anchor] == labels[found.neighbour]).all()
    assert (found.anchor != found.neighbour).all()
    assert (labels[found.anchor] != labels[found.distant]).all()


def test_clusters_give_anchors_by_their_share_and_distant_ones_by_the_rest():
    labels = np.repeat([0, 1, 2], [50, 30, 20])
    found = draw(labels, np.ones((100, 1), bool), 10_000, np.random.default_rng(0))
    np.testing.assert_array_equal(np.bincount(labels[found.anchor]), [5000, 3000, 2000])
    of_first = labels[found.distant[labels[found.anchor] == 0]]
    np.testing.assert_allclose(np.bincount(of_first) / 5000, [0, 0.6, 0.4], atol=0.03)
    # Every member is drawn, the first and the last of each run too.
    assert len(np.unique(found.anchor)) == len(np.unique(found.distant)) == 100


def test_remainders_are_shared_out_by_size():
    np.testing.assert_array_equal(apportioned(np.array([1, 1, 1]), 5), [2, 2, 1])
    np.testing.assert_array_equal(apportioned(np.array([0, 7, 3]), 4), [0, 3, 1])


def test_triplets_take_two_clusters_on_a_date():
    with pytest.raises(ValueError, match="two clusters"):
        draw(np.zeros(5, int), np.ones((5, 3), bool), 4, np.random.default_rng(0))
    # The clusters are never seen together.
    known = np.array([[1, 0], [1, 0], [0, 1], [0, 1]], bool)
    with pytest.raises(ValueError, match="two clusters"):
        draw(np.array([0, 0, 1, 1]), known, 4, np.random.default_rng(0))


def test_a_map_learned_from_clusters_tells_series_apart_that_it_did_not_see():
    paths, known, truth = worlds()
    found = refine(paths, known, truth, QUICK)
    assert found.epoch > 0
    assert found.loss[found.epoch] == min(found.loss) < 0.8 * found.loss[0]
    assert found.error_after < found.error_before - 0.1
    others, _, of = worlds(seed=0, n=300)
    placed = found.space.place(others)
    assert placed.shape == (300, 8, 12)
    assert found.space.label == "triplet/1"
    for vectors, least in ((others, 0.0), (placed, 0.1)):
        own = np.stack([vectors[of == k].mean(axis=0) for k in range(3)])[of]
        within = ((vectors - own) ** 2).sum() / ((vectors - vectors.mean(0)) ** 2).sum()
        assert within <= 1 - least


def test_random_labels_gain_next_to_nothing():
    paths, known, truth = worlds()
    shuffled = np.random.default_rng(5).permutation(truth)
    right, wrong = (refine(paths, known, one, QUICK) for one in (truth, shuffled))
    gains = [one.loss[0] - min(one.loss) for one in (right, wrong)]
    assert gains[1] < 0.2 * gains[0]


@pytest.mark.parametrize("shuffle", [False, True])
def test_the_map_does_not_collapse(shuffle):
    paths, known, truth = worlds(nuisance=0.3)
    labels = np.random.default_rng(1).permutation(truth) if shuffle else truth
    long = Refinement(epochs=40, per_date=60, learning_rate=0.02, l2=0.1)
    found = refine(paths, known, labels, long)
    before = np.linalg.norm(
        paths[:60, 0] / paths.std() - paths[60:, 0] / paths.std(), axis=1
    )
    after = np.linalg.norm(
        found.space.place(paths[:60, 0] - paths[60:, 0] + found.space.mean), axis=1
    )
    # Distances keep their size, and three clusters their two directions at least.
    assert 0.5 < after.mean() / before.mean() < 2
    assert found.rank_after > 1.8


def test_a_map_that_loses_everything_is_refused():
    paths, known, truth = worlds()
    greedy = Refinement(epochs=40, per_date=60, l2=50.0, learning_rate=3e-3)
    with pytest.raises(ValueError, match=r"lower l2 or learning_rate"):
        refine(paths, known, truth, greedy)


def test_equal_inputs_give_equal_maps():
    paths, known, truth = worlds()
    one, two = (refine(paths, known, truth, QUICK) for _ in range(2))
    np.testing.assert_array_equal(one.space.matrix, two.space.matrix)
    other = refine(paths, known, truth, replace(QUICK, seed=1))
    assert not np.array_equal(one.space.matrix, other.space.matrix)


@pytest.mark.gpu
def test_a_gpu_learns_what_a_cpu_does():
    paths, known, truth = worlds()
    one = refine(paths, known, truth, QUICK)
    other = refine(paths, known, truth, QUICK, device="cuda")
    assert min(other.loss) == pytest.approx(min(one.loss), rel=0.02)
    assert other.error_after == pytest.approx(one.error_after, abs=0.02)


def test_effective_rank_counts_directions():
    random = np.random.default_rng(0)
    square = random.standard_normal((4000, 3))
    assert effective_rank(square) == pytest.approx(3, abs=0.02)
    assert effective_rank(square[:, :1] @ np.ones((1, 3))) == pytest.approx(1, abs=1e-6)
    assert effective_rank(np.ones((5, 3))) == 0


def test_what_cannot_be_learned_is_refused():
    paths, known, truth = worlds()
    with pytest.raises(ValueError, match="all are the same"):
        refine(np.ones_like(paths), known, truth, QUICK)
    with pytest.raises(ValueError, match=r"expected paths \(n, t, d\)"):
        refine(paths, known[:-1], truth, QUICK)
    with pytest.raises(ValueError, match="of the series held out: triplets take"):
        refine(paths, known, np.where(truth > 0, -1, truth), QUICK)
    paths[known] = np.nan
    with pytest.raises(ValueError, match="finite"):
        refine(paths, known, truth, QUICK)
    with pytest.raises(ValueError, match="margin must be above 0, got 0"):
        Refinement(margin=0)
