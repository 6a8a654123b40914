import tracemalloc

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.neighbors import LocalOutlierFactor

from terradrift.detect.local import left_out
from terradrift.detect.local.detectors import LocalDistance, LocalLof
from terradrift.detect.local.reference import references, rungs
from terradrift.detect.local.score import judge
from terradrift.detect.local.spread import Spread
from terradrift.detect.novelty import distances, novelty
from terradrift.detect.protocol import SeriesDetector

_: tuple[SeriesDetector, SeriesDetector] = LocalDistance(), LocalLof()
WEEK = 7


def weekly(count: int) -> NDArray[np.datetime64]:
    return np.datetime64("2019-03-11", "D") + np.arange(count) * WEEK


def clouds(
    queries: NDArray[np.float64], seed: int
) -> tuple[NDArray[np.datetime64], NDArray[np.float32], NDArray[np.bool_]]:
    """12 observations of a standard normal in 10 dimensions, then one query per patch."""
    members = np.random.default_rng(seed).normal(size=(12, 10))
    vectors = np.empty((len(queries), 13, 10), np.float32)
    vectors[:, :12], vectors[:, 12] = members, queries
    return weekly(13), vectors, np.ones((len(queries), 13), bool)


def test_the_factor_is_flat_inside_and_grows_in_proportion_outside() -> None:
    radii = np.array([1, 1.5, 2, 3, 4, 6])
    published = [0.99, 1.07, 1.22, 1.76, 2.31, 3.45]
    found = []
    for seed in range(30):
        ways = np.random.default_rng([seed, 1]).normal(size=(20, 10))
        ways /= np.linalg.norm(ways, axis=1, keepdims=True)
        queries = (ways[:, None] * radii[:, None] * np.sqrt(10)).reshape(-1, 10)
        scores = LocalLof(window="first", guard_days=0).detect(*clouds(queries, seed))[
            :, 12
        ]
        found.append(scores.reshape(20, -1).mean(axis=0))
    curve = np.mean(found, axis=0)
    # The published curve is of one draw of 12 points.
    assert (np.abs(curve - published) < np.std(found, axis=0)).all()
    np.testing.assert_allclose(curve, published, rtol=0.05)
    slope = np.diff(curve[3:]) / np.diff(radii[3:])
    np.testing.assert_allclose(slope, slope.mean(), rtol=0.05)


def test_the_factor_is_that_of_scikit_learn_with_all_neighbours() -> None:
    queries = np.random.default_rng(3).normal(size=(7, 10)) * 2
    days, vectors, clear = clouds(queries, 0)
    peer = LocalOutlierFactor(n_neighbors=11, novelty=True).fit(vectors[0, :12])
    found = LocalLof(window="first", guard_days=0).detect(days, vectors, clear)[:, 12]
    np.testing.assert_allclose(found, -peer.score_samples(vectors[:, 12]), rtol=1e-5)


@pytest.mark.parametrize("detector", [LocalDistance, LocalLof])
@pytest.mark.parametrize("window", ["past", "first"])
def test_a_planted_step_is_seen_at_once_and_stays(
    detector: type[LocalDistance] | type[LocalLof], window: str
) -> None:
    random = np.random.default_rng(4)
    days = weekly(43)
    vectors = 1 + 0.1 * random.normal(size=(6, 43, 24))
    vectors[2, 28:] += 0.6 * random.normal(size=24)
    clear = random.random((6, 43)) < 0.9
    clear[:, 28] = True
    scores = detector(window=window, guard_days=0).detect(
        days, vectors.astype(np.float16), clear
    )
    quiet = np.delete(scores, 2, axis=0)[:, 13:]
    before, after = scores[2, 13:28], scores[2, 28:]
    assert after[0] > np.nanmax(quiet)
    assert after[0] > 1.4 * np.nanmax(before)
    # A set of all the past takes the new state in; the first one never does.
    lasting = after if window == "first" else after[:1]
    assert np.nanmin(lasting) > np.nanmax(before)


def test_members_are_left_out_as_if_they_had_never_been_there() -> None:
    random = np.random.default_rng(5)
    rows = random.normal(size=(9, 14)) * np.geomspace(3, 0.3, 14)
    fitted = Spread.of((rows @ rows.T)[None], 14)
    ridge = float(fitted.share[0] * fitted.level[0])
    expected = []
    for left in range(9):
        others = np.delete(rows, left, axis=0)
        step = rows[left] - others.mean(axis=0)
        scatter = np.cov(others.T, bias=True)
        spread = (1 - fitted.share[0]) * scatter + ridge * np.eye(14)
        expected.append(np.sqrt(step @ np.linalg.solve(spread, step) / 14))
    np.testing.assert_allclose(fitted.left_out()[0], expected, rtol=1e-9)


@pytest.mark.parametrize("shrunk", [3, 40])
def test_distances_are_those_of_the_shrunken_covariance(shrunk: int) -> None:
    random = np.random.default_rng(6)
    rows, query = random.normal(size=(12, shrunk)), random.normal(size=shrunk)
    fitted = Spread.of((rows @ rows.T)[None], shrunk)
    share, level = fitted.share[0], fitted.level[0]
    spread = (1 - share) * np.cov(rows.T, bias=True) + share * level * np.eye(shrunk)
    step = query - rows.mean(axis=0)
    expected = np.sqrt(step @ np.linalg.solve(spread, step) / shrunk)
    found = fitted.distances(
        np.zeros(1, np.int64), (rows @ query)[None], np.array([query @ query])
    )
    np.testing.assert_allclose(found, [expected], rtol=1e-9)


def test_principal_components_of_the_set_are_blind_to_what_leaves_their_plane() -> None:
    random = np.random.default_rng(7)
    vectors = np.zeros((1, 14, 30))
    vectors[0, :, :5] = 1 + random.normal(size=(14, 5)) * 0.1
    vectors[0, 13, 20] = 2.0  # off the plane in which the past varies
    clear = np.ones((1, 14), bool)
    days = weekly(14)
    whole = LocalDistance(guard_days=0).detect(days, vectors, clear)[0]
    plane = LocalDistance(guard_days=0, components=4).detect(days, vectors, clear)[0]
    assert whole[13] > 5 * whole[12]
    assert abs(plane[13]) < 5


def test_sets_are_of_clear_days_before_the_guard() -> None:
    days = weekly(20)
    clear = np.ones((2, 20), bool)
    clear[1, [2, 5]] = False
    rules = {"reference": 6, "min_reference": 4, "guard_days": 15}
    past = references(days, clear, window="past", **rules)
    assert past.width[0].tolist() == [0] * 6 + [*range(4, 17), 16]
    assert (past.start == 0).all()
    last = references(days, clear, window="last", **rules)
    assert last.width[0, 5:9].tolist() == [0, 4, 5, 6]
    assert last.start[0, -1] == 17 - 6
    first = references(days, clear, window="first", **rules)
    assert first.width[0].tolist() == [0] * 8 + [6] * 12
    held = last.at[1, last.start[1, 17] + last.width[1, 17] - 1]
    assert days[last.at[1, 17]] - days[held] >= np.timedelta64(15, "D")
    assert last.width[1, 18:].tolist() == [0, 0]  # it was clear twice less


def test_sets_of_all_the_past_grow_by_an_eighth() -> None:
    sizes = rungs(8, 100)
    assert sizes[:9].tolist() == [8, 9, 10, 11, 12, 13, 14, 15, 16]
    assert sizes[-1] >= 100
    assert (np.diff(sizes) <= np.maximum(sizes[:-1] // 8, 1)).all()


def test_z_of_members_is_that_of_the_others_and_small() -> None:
    random = np.random.default_rng(8)
    days, clear = weekly(30), np.ones((40, 30), bool)
    vectors = 1 + 0.1 * random.normal(size=(40, 30, 16))
    for detector in (LocalDistance(), LocalLof()):
        for part in judge(days, vectors, clear, detector.how(members=8)):
            assert part.own.shape == (len(part.row), 8)
            assert np.nanmedian(np.abs(part.own)) < 2
            assert abs(np.nanmedian(part.z)) < 1.5  # as a member that was left out
            assert (part.first <= part.last).all()
            assert (days[part.at] - days[part.last]).min() >= np.timedelta64(10, "D")


def test_equal_members_give_no_scale() -> None:
    vectors = np.ones((1, 14, 4), np.float16)
    vectors[0, 13] = 2
    clear = np.ones((1, 14), bool)
    for detector in (LocalDistance(guard_days=0), LocalLof(guard_days=0)):
        assert np.isnan(detector.detect(weekly(14), vectors, clear)[0, 13])


def test_wrong_rules_are_refused() -> None:
    with pytest.raises(
        ValueError, match=r"window must be one of past, first, last, got"
    ):
        LocalLof(window="all")
    with pytest.raises(ValueError, match="min_reference must be at least 3, got 2"):
        LocalDistance(min_reference=2)
    with pytest.raises(ValueError, match=r"at least min_reference \(8\), got 5"):
        LocalLof(window="last", reference=5)
    with pytest.raises(ValueError, match="components must not be negative"):
        LocalDistance(components=-1)
    with pytest.raises(ValueError, match="expected days"):
        LocalLof().detect(weekly(3), np.ones((1, 4, 2)), np.ones((1, 4), bool))


def test_one_odd_member_blinds_the_factor_of_all_neighbours_but_not_of_few() -> None:
    random = np.random.default_rng(9)
    vectors = 1 + 0.1 * random.normal(size=(1, 21, 8))
    vectors[0, 3] += 2  # a cloud that the mask took for clear
    vectors[0, 20] += 1
    clear = np.ones((1, 21), bool)
    of_all, of_few = (
        LocalLof(guard_days=0, neighbours=k).detect(weekly(21), vectors, clear)[0, 20]
        for k in (0, 5)
    )
    assert of_all < 1.2
    assert of_few > 3


def plainly(among: NDArray[np.float32], k: int) -> NDArray[np.float32]:
    """(r,) each member among the others, by the full rule."""
    r = len(among)
    apart = np.broadcast_to(among, (r, r, r)).astype(np.float32)
    return novelty(among, apart, ~np.eye(r, dtype=bool), k)


@pytest.mark.parametrize("r", [3, 4, 9, 24])
def test_left_out_factors_are_those_of_the_full_rule(r: int) -> None:
    random = np.random.default_rng(10)
    rows = random.normal(size=(6, r, 4))
    rows[1] = rows[1].round()  # equal distances
    rows[2] = random.integers(0, 2, (r, 4))  # equal members
    rows[3:5] = 1
    rows[4, -1] = 2
    rows[5, :-1] = rows[5, 0]
    among = distances(rows)
    for k in (1, 2, 5, r - 2, r - 1, r, 99):
        expected = np.stack([plainly(one, k) for one in among])
        np.testing.assert_allclose(left_out.factors(among, k), expected, rtol=1e-6)


def test_sets_of_three_hundred_members_take_no_cube_of_memory() -> None:
    among = distances(np.random.default_rng(11).normal(size=(1, 300, 8)))
    for k in (300, 12):
        tracemalloc.start()
        left_out.factors(among, k)
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert peak < 300**3  # a quarter of one (r, r, r) of float32
