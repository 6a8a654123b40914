import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from terradrift.detect import reference

DAYS = np.datetime64("2017-01-01", "D") + np.arange(0, 1100, 9)


@given(
    at=st.integers(0, len(DAYS) - 1), guard=st.integers(0, 40), seed=st.integers(0, 99)
)
def test_references_are_past_clear_and_most_recent_first(
    at: int, guard: int, seed: int
) -> None:
    clear = np.random.default_rng(seed).random((5, len(DAYS))) < 0.5
    members, kind = reference.members(
        DAYS, clear, at, window_days=30, guard_days=guard, least=3, most=6
    )
    for row in range(5):
        chosen = members[row][members[row] >= 0]
        assert (DAYS[chosen] < DAYS[at]).all()
        assert clear[row, chosen].all()
        assert (np.diff(chosen) < 0).all()
        old = clear[row] & (DAYS[at] - max(guard, 1) >= DAYS)
        if old.any():
            assert (DAYS[chosen] <= DAYS[at] - guard).all()
        near = reference.season_distance(DAYS, DAYS[at]) <= 30
        pool = old if old.any() else clear[row] & (DAYS[at] > DAYS)
        seasonal = (pool & near).sum() >= 3
        assert kind[row] == (
            reference.NONE
            if not pool.any()
            else reference.SEASON
            if seasonal
            else reference.RECENT
        )
        wanted = np.flatnonzero(pool & near if seasonal else pool)[::-1][:6]
        np.testing.assert_array_equal(chosen, wanted)


def test_new_year_does_not_part_seasons() -> None:
    days = np.array(["2018-12-30", "2019-01-03", "2019-07-01"], "datetime64[D]")
    apart = reference.season_distance(days, np.datetime64("2020-01-01"))
    np.testing.assert_allclose(apart, [2, 2, 182], atol=1)
