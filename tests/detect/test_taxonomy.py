"""Paths on a calendar, the tree of regimes, and placing: on series of known regimes."""

import numpy as np
import pytest
from sklearn.metrics import adjusted_rand_score

from terradrift.detect.taxonomy.assign import assign
from terradrift.detect.taxonomy.choose import choices, silhouettes
from terradrift.detect.taxonomy.kmeans import kmeans
from terradrift.detect.taxonomy.paths import Calendar, Paths, calendar, regular
from terradrift.detect.taxonomy.settings import Settings
from terradrift.detect.taxonomy.tree import Taxonomy, fit

STEPS, R = 12, 8
QUICK = {"most_regimes": 5, "most_paths": 4}
"""Fewer numbers of clusters to try; the planted ones are among them."""


def days(*text: str) -> np.ndarray:
    return np.array(text, "datetime64[D]")


def monthly() -> Calendar:
    first = np.datetime64("2018-01-15")
    return Calendar(first + np.arange(STEPS) * 30, 30.0, 120.0, 30.0)


def planted(seed: int = 0, n: int = 480) -> tuple[Paths, np.ndarray, np.ndarray]:
    """Three grounds; the first stays as it is, the others take one of three paths each."""
    random = np.random.default_rng(seed)
    states = np.array([[6.0, 0, 0], [0, 6, 0], [0, 0, 6]]) @ np.eye(3, R)
    ground = random.integers(0, 3, n)
    path = np.where(ground == 0, 0, random.integers(1, 4, n))
    turn = 2 * np.pi * np.arange(STEPS) / STEPS
    shapes = np.zeros((4, STEPS, R))
    for k in (1, 2, 3):
        shapes[k] = 1.5 * np.sin(turn + 2 * k)[:, None] * random.normal(size=R)
    values = states[ground][:, None] + shapes[path]
    values = values + 0.3 * random.normal(size=(n, 1, R))
    values = values + 0.4 * random.normal(size=(n, STEPS, R))
    ids = np.array([f"patch{at:04d}" for at in random.permutation(n)])
    paths = Paths(
        ids,
        values.astype(np.float32),
        np.ones((n, STEPS), bool),
        np.full(n, STEPS, np.int32),
    )
    return paths, ground, ground * 4 + path


@pytest.fixture(scope="module")
def found() -> tuple[Paths, Taxonomy]:
    paths, _, _ = planted()
    return paths, fit(paths, monthly(), Settings(**QUICK))


# Paths


def test_a_calendar_has_as_many_steps_as_a_patch_has_clear_days() -> None:
    dates = np.datetime64("2018-01-01") + np.arange(0, 360, 10)
    made = calendar(dates, np.full(36, 50), 100)
    assert len(made) == 18
    assert made.width_days == pytest.approx(351 / 18)
    np.testing.assert_array_equal(np.unique(made.step_of(dates)), np.arange(18))


def test_a_winter_that_nobody_sees_has_no_steps() -> None:
    dates = np.datetime64("2018-03-01") + np.r_[np.arange(0, 200, 10), 390]
    made = calendar(dates, np.full(21, 9), 10, steps=40, bridge_days=30)
    gap = np.diff(made.steps).max().astype(int)
    assert gap > 100
    assert len(made) < 40


def test_steps_without_an_observation_are_linear_in_time_up_to_a_gap() -> None:
    made = Calendar(
        days("2018-01-01", "2018-01-11", "2018-01-21", "2018-01-31"), 10, 30, 5
    )
    seen = days("2018-01-01", "2018-01-31")
    values = np.array([[[0.0], [9.0]], [[0.0], [9.0]]], np.float32)
    clear = np.array([[True, True], [True, False]])
    got = regular(np.array(["a", "b"]), values, clear, seen, made)
    np.testing.assert_allclose(got.values[0, :, 0], [0, 3, 6, 9])
    assert got.known.tolist() == [[True] * 4, [True, False, False, False]]
    assert got.n_clear.tolist() == [2, 1]
    assert got.whole.tolist() == [True, False]
    narrow = Calendar(made.steps, 10, 20, 5)
    got = regular(np.array(["a", "b"]), values, clear, seen, narrow)
    assert got.known[0].tolist() == [True, False, False, True]
    assert not got.values[0, 1:3].any()


def test_observations_of_one_step_are_averaged_and_what_is_not_clear_is_not_read() -> (
    None
):
    made = Calendar(days("2018-01-05", "2018-01-15"), 10, 0, 0)
    values = np.array([[[1.0], [3.0], [np.nan], [8.0]]], np.float32)
    clear = np.array([[True, True, False, True]])
    seen = days("2018-01-03", "2018-01-07", "2018-01-08", "2018-01-16")
    got = regular(np.array(["a"]), values, clear, seen, made)
    np.testing.assert_array_equal(got.values[0, :, 0], [2, 8])


def test_years_taken_together_meet_at_their_ends() -> None:
    dates = days("2018-01-10", "2018-12-20", "2019-06-20", "2020-01-10")
    made = calendar(dates, np.full(4, 5), 5, steps=12, folded=True, bridge_days=200)
    assert made.folded
    assert len(made) == 12
    values = np.array([[[2.0], [6.0], [0.0], [4.0]]], np.float32)
    got = regular(np.array(["a"]), values, np.ones((1, 4), bool), dates, made)
    assert got.whole.all()
    assert got.values[0, 0, 0] == 3  # two Januaries
    assert got.values[0, 11, 0] == 6


def test_paths_do_not_depend_on_other_patches() -> None:
    random = np.random.default_rng(0)
    dates = np.datetime64("2018-01-01") + np.arange(0, 300, 9)
    values = random.normal(size=(9, len(dates), 2)).astype(np.float32)
    clear = random.random((9, len(dates))) < 0.4
    made = calendar(dates, clear.sum(axis=0), 9)
    ids = np.array(list("abcdefghi"))
    together = regular(ids, values, clear, dates, made)
    alone = regular(ids[4:5], values[4:5], clear[4:5], dates, made)
    np.testing.assert_array_equal(together.values[4:5], alone.values)
    np.testing.assert_array_equal(together.known[4:5], alone.known)


@pytest.mark.parametrize(
    ("arguments", "phrase"),
    [
        ({"steps": 0}, "steps must be at least 1"),
        ({"bridge_days": -1.0}, "bridge_days must not be negative"),
    ],
)
def test_a_calendar_of_nothing_is_refused(arguments: dict, phrase: str) -> None:
    with pytest.raises(ValueError, match=phrase):
        calendar(days("2018-01-01"), np.ones(1), 1, **arguments)
    with pytest.raises(ValueError, match="needs a clear day"):
        calendar(days(), np.ones(0), 1)


# Clusters and their number


@pytest.mark.parametrize("k", [2, 3, 5])
def test_the_number_of_clusters_is_found(k: int) -> None:
    random = np.random.default_rng(k)
    middles = 8 * np.eye(k, 6)
    points = middles[random.integers(0, k, 400)] + random.normal(size=(400, 6))
    best = max(choices(points, 6), key=lambda choice: choice.support)
    assert best.k == k
    assert best.silhouette > 0.5


def test_points_without_structure_support_no_number() -> None:
    random = np.random.default_rng(0)
    points = random.normal(size=(600, 6)) * [5, 2, 1, 1, 1, 1]
    assert max(choice.support for choice in choices(points, 6)) < 0.03


def test_silhouettes_leave_out_what_is_in_no_cluster() -> None:
    points = np.array([[0.0], [0.1], [5.0], [5.1], [9.0]])
    found = silhouettes(points, np.array([0, 0, 1, 1, -1]))
    assert (found[:4] > 0.9).all()
    assert np.isnan(found[4])


def test_equal_points_are_one_cluster() -> None:
    assert not kmeans(np.ones((9, 3)), 4).any()
    assert choices(np.ones((50, 3)), 4) == []


def test_more_clusters_than_points_are_refused() -> None:
    with pytest.raises(ValueError, match="k must be 1 to the 3 points, got 4"):
        kmeans(np.eye(3), 4)


# The tree


@pytest.mark.parametrize(
    ("method", "seed"), [("kmeans", 0), ("kmeans", 1), ("dtw", 0), ("hdbscan", 0)]
)
def test_planted_regimes_are_found_on_both_levels(method: str, seed: int) -> None:
    paths, ground, leaf = planted(seed)
    tree = fit(paths, monthly(), Settings(method=method, **QUICK))
    placed = assign(tree, paths)
    assert len(tree.ground) == 3
    assert len(tree.leaves) == 7
    assert adjusted_rand_score(ground, placed.ground) > 0.98
    assert adjusted_rand_score(leaf, placed.regime) > 0.95


def test_paths_that_run_early_or_late_are_told_apart_by_warping() -> None:
    random = np.random.default_rng(0)
    bumps = np.zeros((3, 24, R))
    bumps[:, 9:15] = 2 * random.normal(size=(3, 6, R))
    of, late = random.integers(0, 3, 300), random.integers(-4, 5, 300)
    values = np.stack(
        [np.roll(bumps[k], at, axis=0) for k, at in zip(of, late, strict=True)]
    )
    values = (values + 0.3 * random.normal(size=values.shape)).astype(np.float32)
    ids = np.array([f"{at:03d}" for at in range(300)])
    paths = Paths(ids, values, np.ones((300, 24), bool), np.full(300, 24, np.int32))
    steps = Calendar(np.datetime64("2018-01-15") + np.arange(24) * 30, 30, 120, 30)
    ari = {}
    for method in ("kmeans", "dtw"):
        tree = fit(paths, steps, Settings(method=method, regimes=1, most_paths=4))
        ari[method] = adjusted_rand_score(of, assign(tree, paths).regime)
    assert ari["dtw"] > 0.9
    assert ari["kmeans"] < 0.5


def test_ground_without_paths_is_not_split(found: tuple[Paths, Taxonomy]) -> None:
    _, tree = found
    single = [each.number for each in tree.ground if not tree.children(each.number)]
    assert len(single) == 1
    assert len(tree.notes) == 1
    assert tree.notes[0].startswith(f"regime {single[0]} has one path: ")
    assert single[0] in [leaf.number for leaf in tree.leaves]


def test_the_same_reason_is_told_once(found: tuple[Paths, Taxonomy]) -> None:
    paths, _ = found
    tree = fit(paths, monthly(), Settings(**{**QUICK, "regimes": 3, "paths": 1}))
    assert len(tree.ground) == 3
    assert tree.notes == (
        "regimes 0, 1 and 2 have one path each: nothing parts the patches",
    )


def test_patches_without_structure_are_one_regime() -> None:
    random = np.random.default_rng(0)
    paths, _, _ = planted()
    noise = random.normal(size=paths.values.shape).astype(np.float32)
    plain = Paths(paths.patch_ids, noise, paths.known, paths.n_clear)
    tree = fit(plain, monthly(), Settings(**QUICK))
    assert len(tree.regimes) == 1
    assert tree.notes[0].startswith("one ground regime: the silhouette of ")


def test_the_order_of_patches_changes_nothing(found: tuple[Paths, Taxonomy]) -> None:
    paths, tree = found
    order = np.random.default_rng(3).permutation(len(paths))
    other = fit(paths.of(order), monthly(), Settings(**QUICK))
    for one, two in zip(tree.regimes, other.regimes, strict=True):
        assert (one.number, one.parent, one.size) == (two.number, two.parent, two.size)
        np.testing.assert_array_equal(one.path, two.path)
    np.testing.assert_array_equal(
        assign(tree, paths).regime[order], assign(other, paths.of(order)).regime
    )


def test_regimes_are_numbered_by_size_ground_first(
    found: tuple[Paths, Taxonomy],
) -> None:
    _, tree = found
    assert [each.number for each in tree.regimes] == list(range(len(tree.regimes)))
    assert [each.level for each in tree.regimes] == [1] * 3 + [2] * 6
    assert sum(each.size for each in tree.ground) == 480
    for parent in (*tree.ground, None):
        among = tree.ground if parent is None else tree.children(parent.number)
        sizes = [each.size for each in among]
        assert sizes == sorted(sizes, reverse=True)
        if parent is not None and among:
            assert sum(sizes) == parent.size
    assert all(each.cohesion > 0.3 for each in tree.regimes)


def test_numbers_that_are_given_are_kept() -> None:
    paths, _, _ = planted()
    tree = fit(paths, monthly(), Settings(regimes=2, paths=3))
    assert len(tree.ground) == 2
    assert all(len(tree.children(each.number)) == 3 for each in tree.ground)


def test_patches_with_gaps_take_no_part_in_the_fit(
    found: tuple[Paths, Taxonomy],
) -> None:
    paths, tree = found
    values, known = paths.values.copy(), paths.known.copy()
    known[:40, 3] = False
    values[:40, 3] = 0
    gappy = Paths(paths.patch_ids, values, known, paths.n_clear)
    other = fit(gappy, monthly(), Settings(**QUICK))
    alone = fit(paths.of(np.arange(40, 480)), monthly(), Settings(**QUICK))
    for one, two in zip(other.regimes, alone.regimes, strict=True):
        np.testing.assert_array_equal(one.path, two.path)
    with pytest.raises(ValueError, match=r"known at all 12 steps, 0 of 480 are"):
        fit(
            Paths(paths.patch_ids, values, known & False, paths.n_clear),
            monthly(),
            Settings(),
        )
    assert len(tree.leaves) == len(other.leaves)


# Placing


def test_a_patch_with_gaps_gets_the_regime_that_it_has_without(
    found: tuple[Paths, Taxonomy],
) -> None:
    paths, tree = found
    whole = assign(tree, paths)
    assert (whole.reason == "").all()
    known = np.random.default_rng(5).random(paths.known.shape) < 0.75
    values = np.where(known[..., None], paths.values, 0)
    rough = assign(tree, Paths(paths.patch_ids, values, known, paths.n_clear))
    enough = known.sum(axis=1) >= 6
    assert (rough.regime[enough] == whole.regime[enough]).mean() > 0.95
    some = enough & ~known.all(axis=1)
    assert all(text.startswith("known at ") for text in rough.reason[some])


def test_a_patch_that_is_hardly_known_has_no_regime(
    found: tuple[Paths, Taxonomy],
) -> None:
    paths, tree = found
    known = np.zeros_like(paths.known)
    known[:, :5] = True
    none = assign(tree, Paths(paths.patch_ids, paths.values, known, paths.n_clear))
    assert (none.regime == -1).all()
    assert (none.ground == -1).all()
    assert np.isnan(none.distance).all()
    assert (none.reason == "known at 5 of 12 steps, too few for a regime").all()


@pytest.mark.parametrize("method", ["kmeans", "dtw"])
def test_a_patch_is_placed_the_same_alone_as_among_others(method: str) -> None:
    paths, _, _ = planted()
    tree = fit(paths, monthly(), Settings(method=method, regimes=3, paths=3))
    together, alone = assign(tree, paths), assign(tree, paths.of(np.array([17])))
    assert alone.regime[0] == together.regime[17]
    assert alone.distance[0] == together.distance[17]
    assert alone.margin[0] == together.margin[17]


def test_distance_is_to_the_own_path_and_margin_to_the_next(
    found: tuple[Paths, Taxonomy],
) -> None:
    paths, tree = found
    placed = assign(tree, paths)
    leaves = {leaf.number: leaf.path for leaf in tree.leaves}
    apart = np.stack(
        [
            np.sqrt(((paths.values - path) ** 2).sum(axis=2).mean(axis=1))
            for path in leaves.values()
        ],
        axis=1,
    )
    column = [list(leaves).index(number) for number in placed.regime]
    mine = apart[np.arange(len(paths)), column]
    np.testing.assert_allclose(placed.distance, mine, rtol=1e-5)
    assert (placed.margin > 0).mean() > 0.99
    near = paths.of(np.array([0]))
    exact = Paths(near.patch_ids, tree.leaves[2].path[None], near.known, near.n_clear)
    at = assign(tree, exact)
    assert at.regime[0] == tree.leaves[2].number
    assert at.distance[0] == pytest.approx(0, abs=1e-6)
    assert at.margin[0] == pytest.approx(1)


@pytest.mark.parametrize(
    ("given", "phrase"),
    [
        ({"method": "spectral"}, "method must be one of kmeans, dtw, hdbscan"),
        ({"regimes": 0}, "regimes must be at least 1"),
        ({"dimensions": 65}, "dimensions must be at most 64"),
        ({"window": 1.5}, "window must be 0 to 1"),
        ({"method": "hdbscan", "paths": 3}, "finds the number of clusters by itself"),
    ],
)
def test_settings_out_of_range_are_refused(given: dict, phrase: str) -> None:
    with pytest.raises(ValueError, match=phrase):
        Settings(**given)
