import numpy as np

from terradrift.detect import reliability


def test_uniform_p_values_lie_on_the_diagonal_within_their_interval() -> None:
    random = np.random.default_rng(0)
    inside = []
    for _ in range(40):
        p = random.random((60, 30))
        found = reliability.reliability(p, np.arange(60) // 4)
        inside.append((found.low <= found.alphas) & (found.alphas <= found.high))
        assert found.count == 1800
    assert np.mean(inside) > 0.85


def test_dates_that_go_wrong_as_a_whole_widen_the_interval() -> None:
    random = np.random.default_rng(1)
    alone = random.random((100, 20))
    together = np.where(random.random(20) < 0.2, 0.0, 1.0) * np.ones((100, 1))
    narrow = reliability.reliability(alone, np.arange(100), [0.2])
    wide = reliability.reliability(together, np.arange(100), [0.2])
    assert wide.high[0] - wide.low[0] > 3 * (narrow.high[0] - narrow.low[0])


def test_seasons_and_groups_hold_their_own_frames_only() -> None:
    days = np.array(["2019-01-05", "2019-02-28", "2019-12-01", "2019-07-01"], "M8[D]")
    p = np.array([[0.01, 0.01, 0.01, 0.9], [0.9, 0.9, 0.9, np.nan]])
    found = reliability.by_season(p, days, np.arange(2), [0.05])
    assert {name: one.count for name, one in found.items()} == {
        "December-February": 6,
        "June-August": 1,
    }
    assert found["December-February"].share[0] == 0.5
    groups = np.where(p < 0.5, "low", "high")
    apart = reliability.by_group(p, groups, np.arange(2), [0.05])
    assert apart["low"].share[0] == 1
    assert apart["high"].share[0] == 0


def test_no_p_values_have_no_share() -> None:
    found = reliability.reliability(np.full((3, 4), np.nan), np.arange(3))
    assert found.count == 0
    assert np.isnan(found.share).all()
