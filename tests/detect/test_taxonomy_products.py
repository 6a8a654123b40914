"""Representatives, ways between regimes, the semantic graph, deviations, turns and names."""

import numpy as np
import pytest
from scipy.spatial.distance import cdist
from sklearn.metrics import pairwise_distances

from terradrift.detect.taxonomy.flips import flips
from terradrift.detect.taxonomy.graph import path_distances, spanning
from terradrift.detect.taxonomy.interpolate import between, interpolate
from terradrift.detect.taxonomy.names import names, season
from terradrift.detect.taxonomy.representatives import distances_to, representatives
from terradrift.detect.taxonomy.scores import beyond_own, deviations, judge, norms


def members(seed=0, n=40, t=6, d=5, k=2):
    random = np.random.default_rng(seed)
    centroids = 3 * random.standard_normal((k, t, d))
    labels = np.arange(n) % k
    series = centroids[labels] + 0.3 * random.standard_normal((n, t, d))
    return series.astype(np.float32), np.ones((n, t), bool), labels, centroids


def test_path_distances_are_means_of_norms_of_each_date():
    random = np.random.default_rng(0)
    one, two = random.standard_normal((4, 6, 3)), random.standard_normal((5, 6, 3))
    expected = np.mean([cdist(one[:, t], two[:, t]) for t in range(6)], axis=0)
    np.testing.assert_allclose(path_distances(one, two), expected)
    with pytest.raises(ValueError, match="same dates"):
        path_distances(one, two[:, :5])


def test_the_graph_is_the_shortest_tree_even_between_equal_regimes():
    at = np.array([0.0, 0.0, 1.0, 3.0, 7.0])
    found = spanning(np.abs(at[:, None] - at))
    np.testing.assert_array_equal(found.lengths, [0, 1, 2, 4])
    assert {tuple(edge) for edge in found.edges} >= {(0, 1), (2, 3), (3, 4)}
    random = np.random.default_rng(1)
    distances = pairwise_distances(random.standard_normal((9, 4)))
    from scipy.sparse.csgraph import minimum_spanning_tree

    assert spanning(distances).lengths.sum() == pytest.approx(
        minimum_spanning_tree(distances).sum()
    )
    assert len(spanning(np.zeros((1, 1))).edges) == 0
    with pytest.raises(ValueError, match="finite"):
        spanning(np.full((2, 2), np.nan))


def test_representatives_are_the_members_nearest_to_the_path():
    series, known, labels, centroids = members()
    series[6] = centroids[0]
    series[9] = centroids[1]
    found = representatives(series, known, labels, centroids, 2)
    assert [rows[0] for rows in found] == [6, 9]
    apart = distances_to(series, known, centroids[0])
    others = np.flatnonzero((labels == 0) & (np.arange(40) != 6))
    assert found[0][1] == others[apart[others].argmin()]


def test_distances_are_over_the_dates_that_were_seen():
    series, known, _, centroids = members()
    known[0, 2:] = False
    known[1] = False
    series[0, 2:] = 1e6
    apart = distances_to(series, known, centroids[0])
    expected = np.linalg.norm(series[0, :2] - centroids[0, :2], axis=1).mean()
    assert apart[0] == pytest.approx(expected, rel=1e-5)
    assert np.isnan(apart[1])


def test_between_two_regimes_stands_the_series_planted_there():
    series, known, _, (first, second) = members()
    for row, weight in ((3, 0.25), (7, 0.5), (11, 0.75)):
        series[row] = interpolate(first, second, weight)
    found = between(series, known, first, second)
    assert [(one.weight, one.row) for one in found] == [(0.25, 3), (0.5, 7), (0.75, 11)]
    assert max(one.distance for one in found) < 1e-5
    with pytest.raises(ValueError, match="weight must be 0 to 1"):
        interpolate(first, second, 1.5)


@pytest.mark.parametrize("size", [12, 200])
def test_a_series_that_leaves_its_regime_stands_out_from_that_date_on(size):
    series, known, labels, _ = members(n=2 * size)
    series[0, 4:] += 5
    found = deviations(series, known, labels)
    assert found.z[0, 4:].min() > 10
    assert (found.p_value[0, 4:] == np.float32(1 / size)).all()
    assert np.abs(found.z[2:]).max() < 10
    assert found.z[0, :4].max() < 5
    # In a small regime too, who left does not hide in the mean or widen the others.
    assert np.median(np.abs(found.z[2::2, 4:])) < 1.5


def test_a_deviation_is_from_the_mean_of_the_other_members_of_the_date():
    series, known, labels, _ = members()
    known[::4, 3] = False
    found = deviations(series, known, labels)
    others = known[:, 3] & (labels == 0)
    others[2] = False
    expected = np.linalg.norm(series[2, 3] - series[others, 3].mean(axis=0))
    assert found.distance[2, 3] == pytest.approx(expected, rel=1e-5)
    assert found.members[2, 3] == others.sum()
    assert np.isnan(found.z[0, 3])


@pytest.mark.parametrize("size", [12, 200])
def test_blocks_and_strangers_are_judged_by_the_same_norms(size):
    series, known, labels, _ = members(n=2 * size)
    fitted = norms(series[:-2], known[:-2], labels[:-2], 2)
    inside = np.arange(2 * size) < 2 * size - 2
    own = deviations(series[:-2], known[:-2], labels[:-2])
    for part in (slice(0, 7), slice(7, 2 * size)):
        found = judge(fitted, series[part], known[part], labels[part], inside[part])
        kept = inside[part]
        np.testing.assert_allclose(found.z[kept], own.z[part], rtol=1e-5)
        np.testing.assert_allclose(found.p_value[kept], own.p_value[part], rtol=1e-6)
    # A stranger is judged by all members, and counts as one more in its p-value.
    of_last = series[: 2 * size - 2][labels[: 2 * size - 2] == labels[-1]]
    distance = np.linalg.norm(series[-1] - of_last.mean(axis=0), axis=1)
    theirs = own.distance[labels[: 2 * size - 2] == labels[-1]]
    middle = np.median(theirs, axis=0)
    spread = 1.4826 * np.median(np.abs(theirs - middle), axis=0)
    np.testing.assert_allclose(found.distance[-1], distance, rtol=1e-5)
    np.testing.assert_allclose(found.z[-1], (distance - middle) / spread, rtol=1e-3)
    expected = ((theirs >= distance).sum(axis=0) + 1) / size
    np.testing.assert_allclose(found.p_value[-1], expected, rtol=1e-6)
    assert (found.members[-2:] == size - 1).all()


def test_p_values_of_unchanged_members_are_what_they_say():
    series, known, labels, _ = members(seed=3, n=400, t=20)
    p = deviations(series, known, labels).p_value
    for level in (0.05, 0.2, 0.5):
        assert np.mean(p <= level) == pytest.approx(level, abs=0.02)


def test_small_regimes_and_series_in_none_are_not_judged():
    series, known, labels, _ = members()
    labels = np.where(labels == 1, -1, labels)
    labels[:10] = 1
    found = deviations(series, known, labels, least=11)
    assert np.isnan(found.z[labels == -1]).all()
    assert (found.members[labels == -1] == 0).all()
    assert np.isnan(found.z[labels == 1]).all()
    assert np.isfinite(found.z[labels == 0]).all()


def test_what_always_stands_apart_is_not_beyond_its_own():
    values = np.full((2, 10), 7.0)
    values[1, 6:] = 9.0
    values[0, 2] = np.nan
    found = beyond_own(values)
    assert np.isnan(found[:, :4]).all()
    assert np.isnan(found[0, 4])
    np.testing.assert_array_equal(found[0, 5:], 0)
    np.testing.assert_array_equal(found[1, 6:], 2)


def test_scores_of_a_date_do_not_know_later_ones():
    series, known, labels, _ = members(t=8)
    whole, early = (deviations(series[:, :s], known[:, :s], labels) for s in (8, 5))
    np.testing.assert_array_equal(whole.z[:, :5], early.z)
    np.testing.assert_array_equal(beyond_own(whole.z)[:, :5], beyond_own(early.z))


def test_a_turn_to_another_regime_is_dated_and_a_spike_is_none():
    series, known, labels, centroids = members(t=20)
    series[0, 12:] = centroids[1, 12:]
    series[2, 8] = centroids[1, 8]
    found = flips(series, known, centroids, window=1)
    assert (found.count[0], found.last[0], found.held[0]) == (1, 12, 8)
    assert (found.labels[0] == np.repeat([0, 1], [12, 8])).all()
    assert (found.count[1:] == 0).all()
    assert (found.last[1:] == -1).all()
    np.testing.assert_array_equal(found.labels[1:, -1], labels[1:])


def test_turns_count_only_the_steps_that_were_seen():
    series, known, _, centroids = members(t=20)
    series[0, 10:] = centroids[1, 10:]
    known[0, 1::2] = False
    series[0, 1::2] = 1e6
    found = flips(series, known, centroids, window=1)
    assert (found.count[0], found.last[0], found.held[0]) == (1, 10, 5)
    # A wider window turns later, never earlier.
    assert flips(series, known, centroids, window=3).last[0] in (12, 14)
    known[0] = False
    none = flips(series, known, centroids)
    assert (none.labels[0] == -1).all()
    assert (none.count[0], none.held[0]) == (0, 0)


def test_a_turn_at_the_very_end_is_not_told_yet():
    series, known, _, centroids = members(t=20)
    series[0, 18:] = centroids[1, 18:]
    assert flips(series, known, centroids, window=1, hold=3).count[0] == 0
    assert flips(series, known, centroids, window=1, hold=2).count[0] == 1


DAYS = np.arange("2018-01-15", "2021-01-15", np.timedelta64(10, "D"), "datetime64[D]")


def course(low, high, peak, nbr=0.3, ndwi=-0.4):
    """NDVI from low to high with its peak in a month."""
    month = DAYS.astype("datetime64[M]").astype(int) % 12
    away = np.abs(month + 1 - peak)
    swing = np.cos(np.pi * np.minimum(away, 12 - away) / 6) / 2 + 0.5
    ndvi = low + (high - low) * swing
    return np.stack([ndvi, np.full(len(DAYS), nbr), np.full(len(DAYS), ndwi)], axis=1)


def test_regimes_are_called_by_what_their_indices_do():
    courses = [
        course(-0.3, -0.1, 6, ndwi=0.4),
        course(0.1, 0.15, 6, ndwi=-0.2),
        course(0.7, 0.75, 7),
        course(0.15, 0.8, 6),
        course(0.4, 0.8, 7),
        course(0.55, 0.85, 5),
        course(0.1, 0.45, 5),
        course(0.05, 0.6, 8, ndwi=0.1),
        np.full((len(DAYS), 3), np.nan),
    ]
    found = [one.label for one in names(np.stack(courses), DAYS)]
    assert found == [
        "water",
        "bare or built",
        "evergreen vegetation",
        "crop-like, peak in June",
        "seasonal vegetation, peak in July",
        "green all year, peak in May",
        "sparse or mixed vegetation, peak in May",
        "flooded part of the year, peak in August",
        "regime without indices",
    ]


def test_labels_are_unique_by_what_tells_regimes_apart():
    pair = np.stack([course(0.7, 0.75, 7, nbr=0.6), course(0.7, 0.75, 7, nbr=0.3)])
    assert [one.label for one in names(pair, DAYS)] == [
        "evergreen vegetation (NBR 0.60)",
        "evergreen vegetation (NBR 0.30)",
    ]
    same = names(np.stack([pair[0]] * 3), DAYS)
    assert len({one.label for one in same}) == 3
    assert "NDVI 0.7" in same[0].description
    (clear,) = names(course(0.4, 0.8, 7)[None], DAYS)
    assert "most in July" in clear.description
    assert "most in" not in same[0].description


def test_with_ndvi_alone_the_words_say_what_it_says():
    only = np.full((2, len(DAYS), 3), np.nan)
    only[0, :, 0] = -0.2
    only[1, :, 0] = 0.8
    assert [one.label for one in names(only, DAYS)] == ["water", "evergreen vegetation"]


def test_a_month_counts_once_however_often_it_was_seen():
    often = ["2018-06-01"] * 9
    days = np.array([*often, "2018-05-01", "2018-07-01", "2018-12-01"], "datetime64[D]")
    found = season(np.array([0.8] * 9 + [0.5, 0.5, 0.2]), days)
    assert found.mean == pytest.approx(0.5)
    assert found.peak_month == 6


def test_one_month_under_snow_makes_no_season():
    evergreen = course(0.7, 0.75, 7)
    evergreen[DAYS.astype("datetime64[M]").astype(int) % 12 == 0] = (0.05, 0.6, 0.1)
    assert names(evergreen[None], DAYS)[0].label == "evergreen vegetation"


def months(values, dates=4):
    """A course of so many dates in each month."""
    days = [f"201{y}-{m:02d}-10" for m in range(1, 13) for y in range(dates)]
    return np.repeat(values, dates), np.array(days, "datetime64[D]")


SUMMER = 0.5 + 0.2 * np.cos(2 * np.pi * (np.arange(12) - 5) / 12)


def test_the_month_of_the_peak_is_told_where_it_stands_out():
    assert season(*months(SUMMER)).peak_month == 6
    values, days = months(SUMMER)
    values[-2:], days[-2:] = 0.95, np.datetime64("2018-12-20")  # haze, on two dates
    assert season(values, days).peak_month == 6
    # Two dates do not speak for a month, nor do those beside it where they are higher.
    values, days = months(SUMMER)
    july = np.flatnonzero(days.astype("datetime64[M]").astype(int) % 12 == 6)
    values[july] = 0.95
    values, days = np.delete(values, july[2:]), np.delete(days, july[2:])
    assert season(values, days).peak_month == 0
    assert (
        season(np.delete(values, july[:2]), np.delete(days, july[:2])).peak_month == 0
    )
    values, days = months(SUMMER, 2)
    assert season(values, days).peak_month == 0
    # What was seen in one season has no rival.
    values, days = months(SUMMER)
    summer = np.isin(days.astype("datetime64[M]").astype(int) % 12, [4, 5, 6])
    assert season(values[summer], days[summer]).peak_month == 0


def test_of_two_months_that_are_as_high_none_is_the_peak():
    twice = 0.5 + 0.2 * np.cos(4 * np.pi * np.arange(12) / 12)
    assert season(*months(twice)).peak_month == 0
    twice[6] += 0.08
    assert season(*months(twice)).peak_month == 0
    twice[6] += 0.12
    assert season(*months(twice)).peak_month == 7


def test_december_and_january_are_neighbours():
    values, days = months(np.roll(SUMMER, 6))
    assert season(values, days).peak_month == 12


def test_what_ndvi_alone_says_to_be_bare_for_a_time_is_not_called_a_crop():
    values, days = months(np.clip(2.5 * SUMMER - 0.7, 0, 1))
    indices = np.full((1, len(days), 3), np.nan)
    indices[0, :, 0] = values
    found = names(indices, days)[0].label
    assert found == "vegetation that is bare for a time, peak in June"
    indices[0, :, 1:] = 0.2, -0.4
    assert names(indices, days)[0].label == "crop-like, peak in June"
