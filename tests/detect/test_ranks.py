import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from terradrift.detect import ranks
from terradrift.detect.ranks import Ranks
from terradrift.detect.settings import Settings

DEFAULTS = Settings()


def days(t: int, every: int = 15) -> np.ndarray:
    return np.datetime64("2019-03-01", "D") + every * np.arange(t)


def placebo(m: int, t: int, seed: int, missing: float = 0.2) -> np.ndarray:
    random = np.random.default_rng(seed)
    level = random.gamma(2.0, size=(m, 1))  # some patches are restless
    z = level * (1 + random.standard_t(4, size=(m, t))) + random.normal(size=t)
    return np.where(random.random((m, t)) < missing, np.nan, z).astype(np.float32)


@settings(max_examples=10, deadline=None)
@given(seed=st.integers(0, 999))
def test_unchanged_patches_outside_the_pool_reach_p_values_as_often_as_they_say(
    seed: int,
) -> None:
    z = placebo(700, 14, seed)
    pool, rest = z[:350], z[350:]
    found = Ranks(pool, days(14), DEFAULTS)
    p, _ = found.p_value(rest, np.arange(14), np.full(350, -1))
    known = p[np.isfinite(p)]
    assert len(known) == np.isfinite(rest).sum()
    for level in (0.02, 0.05, 0.1, 0.3):
        # Five standard deviations, of dates that err together.
        error = 5 * np.sqrt(level * (1 - level) * (1 / 350 + 1 / len(known)))
        assert abs((known <= level).mean() - level) < error


def test_a_restless_patch_needs_more_than_a_calm_one() -> None:
    z = placebo(300, 12, seed=1, missing=0)
    found = Ranks(z, days(12), DEFAULTS)
    calm, restless = np.zeros((2, 1, 12), np.float32)
    restless[0, :11] = 4.5
    calm[0, 11] = restless[0, 11] = 4.0
    outside = np.array([-1])
    low, name = found.p_value(calm, np.arange(12), outside)
    high, other = found.p_value(restless, np.arange(12), outside)
    assert low[0, 11] < high[0, 11]
    assert (str(name[0, 11]), str(other[0, 11])) in {
        ("+calm", "+restless"),
        ("+usual", "+restless"),
    }


def test_few_patches_of_a_kind_are_ranked_among_all_and_said_so() -> None:
    z = placebo(40, 6, seed=2, missing=0)
    p, name = Ranks(z, days(6), DEFAULTS).p_value(z, np.arange(6), np.arange(40))
    assert (name == "").all()
    assert np.isfinite(p).all()
    few = placebo(19, 6, seed=2, missing=0)
    p, name = Ranks(few, days(6), DEFAULTS).p_value(few, np.arange(6), np.arange(19))
    assert np.isnan(p).all()


def test_of_the_pool_itself_ranks_on_the_first_date_are_all_different() -> None:
    z = placebo(50, 1, seed=3, missing=0)
    p, _ = Ranks(z, days(1), DEFAULTS).p_value(z, np.array([0]), np.arange(50))
    np.testing.assert_allclose(np.sort(p[:, 0]), np.arange(1, 51) / 50)
    assert p[np.argmax(z[:, 0]), 0] == pytest.approx(1 / 50)


def test_above_all_of_the_pool_a_patch_outside_it_is_one_more_of_them() -> None:
    pool = placebo(50, 1, seed=3, missing=0)
    found = Ranks(pool, days(1), DEFAULTS)
    above = np.full((1, 1), pool.max() + 1, np.float32)
    p, _ = found.p_value(above, np.array([0]), np.array([-1]))
    assert p[0, 0] == np.float32(1 / 51)
    p, _ = found.p_value(-above - 100, np.array([0]), np.array([-1]))
    assert p[0, 0] == 1


def test_an_event_on_many_patches_is_unlikely_by_earlier_dates() -> None:
    z = placebo(400, 4, seed=4, missing=0)
    z[:40, 3] = 60.0
    p, _ = Ranks(z, days(4), DEFAULTS).p_value(z, np.arange(4), np.arange(400))
    # Among the patches of the date alone the highest of 40 ranks is 0.1.
    assert p[:40, 3].max() < 0.05


def test_later_dates_do_not_matter() -> None:
    z = placebo(200, 10, seed=5)
    changed = z.copy()
    changed[:, 6:] = placebo(200, 4, seed=6)
    before, _ = Ranks(z, days(10), DEFAULTS).p_value(z, np.arange(10), np.arange(200))
    after, _ = Ranks(changed, days(10), DEFAULTS).p_value(
        changed, np.arange(10), np.arange(200)
    )
    np.testing.assert_array_equal(before[:, :6], after[:, :6])


def test_how_restless_a_patch_was_does_not_count_the_date_itself() -> None:
    z = np.array([[1.0, np.nan, 3.0, 50.0, 0.0]], np.float32)
    np.testing.assert_allclose(ranks.restless(z), [[np.nan, 1, 1, 2, 3]])
