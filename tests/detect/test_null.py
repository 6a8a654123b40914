"""What unchanged patches score, and how rare a score is among them."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import binom, false_discovery_control

from terradrift.detect.null import Null, q_values
from tests.detect.worlds import planted, run, series

ALPHAS = (0.01, 0.02, 0.05, 0.1, 0.2)


def drawn(seed: int, n: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scores whose logarithms are normal, strengths and dates at random."""
    random = np.random.default_rng(seed)
    scores = np.exp(1.0 + 0.4 * random.normal(size=n))
    days = np.datetime64("2018-01-01") + random.integers(0, 900, n)
    return scores, np.full(n, 2.0), days


def test_p_values_are_as_rare_as_they_say() -> None:
    null = Null.of(*drawn(0, 50_000))
    assert null is not None
    p = null.p_value(drawn(1, 20_000)[0])
    for alpha in ALPHAS:
        assert (p <= alpha).mean() == pytest.approx(alpha, rel=0.15)
    assert np.isnan(null.p_value(np.array([np.nan]))).all()
    falling = null.p_value(np.linspace(0.1, 50, 500))
    assert (np.diff(falling) <= 0).all()
    assert (falling > 0).all()


def test_a_few_changed_patches_make_p_values_cautious_and_stay_unlikely() -> None:
    scores, aside, days = drawn(0, 2000)
    scores[:100] *= 6.0
    null = Null.of(scores, aside, days)
    assert null is not None
    p = null.p_value(scores)
    for alpha in ALPHAS:
        assert (p[100:] <= alpha).mean() < 1.05 * alpha
    assert np.median(p[:100]) < 0.001


def test_an_event_that_took_a_third_of_all_is_left_out() -> None:
    scores, aside, days = drawn(0, 1500)
    event = np.arange(500)
    scores[event] *= 3.0
    days[event] = np.datetime64("2019-05-05")
    blind = Null.of(scores, aside, days)
    aside[event] = 4.0
    seeing = Null.of(scores, aside, days)
    assert blind is not None
    assert seeing is not None
    assert np.median(blind.p_value(scores[event])) > 0.05
    assert np.median(seeing.p_value(scores[event])) < 0.01
    assert (seeing.p_value(scores[500:]) <= 0.05).mean() < 0.065


def test_too_few_patches_make_no_null() -> None:
    assert Null.of(*drawn(0, 19)) is None
    assert Null.of(*drawn(0, 20)) is not None


def test_q_values_are_those_of_benjamini_and_hochberg() -> None:
    p = np.random.default_rng(0).uniform(size=300) ** 2
    np.testing.assert_allclose(q_values(p, p), false_discovery_control(p), rtol=1e-12)
    # A p-value between two others joins those that are at most as likely.
    assert q_values(np.array([0.02]), np.array([0.01, 0.04, np.nan])) == 0.04
    assert np.isnan(q_values(np.array([np.nan]), p)).all()
    assert np.isnan(q_values(np.array([0.5]), np.array([np.nan]))).all()


def test_where_nothing_changed_p_values_of_patches_are_as_rare_as_they_say() -> None:
    p = np.concatenate(
        [
            run(series(n=200, t=24, seed=seed, noise=0.4))[0].patches.p_value
            for seed in range(100, 106)
        ]
    )
    for alpha in ALPHAS:
        # Patches of one world share their null: as if half of them were alike.
        low, high = binom.interval(0.99, len(p) // 2, alpha)
        assert low <= (p <= alpha).sum() / 2 <= high, alpha


def test_false_alarms_are_counted_per_area_and_year() -> None:
    (block,) = run(series(n=100, seed=1))
    patches, seen = block.patches, block.times
    years = (np.nanmax(seen, axis=1) - np.nanmin(seen, axis=1)) / np.timedelta64(1, "D")
    years /= 365.25
    np.testing.assert_allclose(
        patches.false_alarms,
        patches.p_value * 1000 / 0.04**2 / years,
        rtol=0.02,  # days, not instants
    )


def test_a_pool_too_small_for_a_null_reports_by_score_alone() -> None:
    nameless = replace(
        planted(series(n=12, seed=3), 7, 15), patch_ids=np.arange(12).astype(str)
    )
    (block,) = run(nameless)
    assert np.isnan(block.patches.false_alarms).all()
    assert np.isnan(block.patches.p_value).all()
    assert np.isnan(block.changes.p_value).all()
    assert set(block.changes.row) == {7}
    assert (block.changes.score >= 8).all()
