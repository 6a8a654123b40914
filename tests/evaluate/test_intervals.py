import numpy as np
import pytest

from terradrift.evaluate.intervals import Draws, default_side, joined, poisson
from terradrift.evaluate.ranking import Ranking, roc_auc


def cells(rows: int, cols: int) -> np.ndarray:
    row, col = (
        axis.ravel() for axis in np.meshgrid(range(rows), range(cols), indexing="ij")
    )
    return np.column_stack([np.zeros(len(row), int), row, col])


def test_blocks_are_a_kilometre_unless_the_archive_is_small() -> None:
    assert default_side(cells(200, 200), 100) == 10
    assert default_side(cells(16, 16), 40) == 4
    assert default_side(cells(60, 60), 20) == 6


def test_no_labelled_object_is_cut() -> None:
    blocks = np.array([0, 0, 1, 1, 2, 2, 3])
    group, patch = np.array([0, 0, 1, 1]), np.array([1, 2, 4, 5])
    found = joined(blocks, group, patch)
    assert found[0] == found[3]
    assert len(set(found.tolist())) == 3


def test_every_draw_has_as_many_blocks_with_changes_as_there_are() -> None:
    blocks = np.repeat(np.arange(20), 5)
    changed = np.isin(blocks, [2, 5, 11])
    inside = blocks != 7
    draws = Draws.of(blocks, inside, changed, repeats=50)
    assert draws.count == 19
    assert (draws.times[draws.changed].sum(axis=0) == 3).all()
    assert (draws.times[~draws.changed].sum(axis=0) == 16).all()
    assert (draws.block[~inside] == -1).all()


def test_changes_in_one_block_give_no_interval() -> None:
    blocks = np.repeat(np.arange(9), 4)
    draws = Draws.of(blocks, np.ones(36, bool), blocks == 3)
    found = draws.share(blocks < 4, np.ones(36, bool))
    assert found.value == pytest.approx(16 / 36)
    assert np.isnan([found.low, found.high]).all()


def test_blocks_of_ground_give_wider_intervals_than_single_patches() -> None:
    random = np.random.default_rng(2)
    blocks = np.repeat(np.arange(30), 30)
    changed = np.repeat(random.random(30) < 0.4, 30)
    score = np.repeat(random.normal(size=30), 30) + changed
    every = np.ones(900, bool)
    wide, narrow = (
        Ranking.of(changed, score, every, Draws.of(ground, every, changed)).measure(
            roc_auc
        )
        for ground in (blocks, np.arange(900))
    )
    assert wide.low < wide.value < wide.high
    assert wide.high - wide.low > 2 * (narrow.high - narrow.low)


def test_draws_repeat_by_seed() -> None:
    blocks, every = np.arange(9), np.ones(9, bool)
    first, again = (Draws.of(blocks, every, every, seed=3).times for _ in range(2))
    np.testing.assert_array_equal(first, again)
    assert (first != Draws.of(blocks, every, every, seed=4).times).any()


def test_an_interval_of_a_share_covers_the_truth_as_often_as_it_says() -> None:
    random = np.random.default_rng(0)
    inside = np.ones(400, bool)
    blocks = np.repeat(np.arange(40), 10)
    held = []
    for seed in range(200):
        # Patches of a block rise and fall together.
        chance = np.repeat(random.beta(2, 3, 40), 10)
        found = Draws.of(blocks, inside, inside, repeats=200, seed=seed).share(
            random.random(400) < chance, inside
        )
        held.append(found.low <= 0.4 <= found.high)
    assert 0.88 <= np.mean(held) <= 0.98


def test_the_median_of_a_draw_is_that_of_repeated_rows() -> None:
    random = np.random.default_rng(1)
    values = random.integers(-9, 9, 30).astype(np.float64)
    values[::7] = np.nan
    blocks = np.arange(30) // 3
    draws = Draws.of(blocks, np.ones(30, bool), np.ones(30, bool), repeats=40)
    expected = []
    for times in draws.times.T.astype(int):
        repeated = np.repeat(values, times[draws.block])
        expected.append(np.median(repeated[np.isfinite(repeated)]))
    found = draws.median(values)
    assert found.value == np.median(values[np.isfinite(values)])
    low, high = np.quantile(expected, [0.025, 0.975])
    assert (found.low, found.high) == (pytest.approx(low), pytest.approx(high))


def test_poisson_intervals_are_exact() -> None:
    assert poisson(0, 2.0).value == 0
    assert poisson(0, 1.0).high == pytest.approx(3.6889, abs=1e-4)
    found = poisson(10, 2.0)
    assert (found.low, found.high) == (
        pytest.approx(4.7954 / 2, abs=1e-4),
        pytest.approx(18.3904 / 2, abs=1e-4),
    )
    assert np.isnan(poisson(3, 0.0).value)
