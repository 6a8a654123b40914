"""Directions learned from what was liked: against formulas, and on planted kinds."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize

from terradrift.errors import QueryError
from terradrift.query.search import probe, refine

NONE = np.empty((0, 6))


def unit(rows: np.ndarray) -> np.ndarray:
    return rows / np.linalg.norm(rows, axis=-1, keepdims=True)


def rows(seed: int, n: int, d: int = 6) -> np.ndarray:
    return unit(np.random.default_rng(seed).normal(size=(n, d)))


def cosine(one: np.ndarray, other: np.ndarray) -> float:
    return float(one @ other / np.linalg.norm(one) / np.linalg.norm(other))


@given(seed=st.integers(0, 99), n=st.integers(1, 9), m=st.integers(0, 9))
@settings(max_examples=20, deadline=None)
def test_rocchio_with_half_is_the_rule_of_geovibes(seed: int, n: int, m: int) -> None:
    liked, unliked = rows(seed, n), rows(seed + 100, m)
    theirs = 2 * liked.mean(axis=0)
    if m:
        theirs = theirs - unliked.mean(axis=0)
    assert cosine(refine.rocchio(liked, unliked), theirs) == pytest.approx(1)


def test_one_liked_is_its_own_direction() -> None:
    (one,) = liked = rows(0, 1)
    np.testing.assert_allclose(refine.direction(liked, NONE), one, atol=1e-6)


@given(
    seed=st.integers(0, 99),
    n=st.integers(1, 8),
    m=st.integers(0, 8),
    b=st.integers(0, 20),
    strength=st.sampled_from([0.1, 10.0]),
)
@settings(max_examples=20, deadline=None)
def test_probe_is_the_least_of_its_formula(
    seed: int, n: int, m: int, b: int, strength: float
) -> None:
    if m + b == 0:
        return
    liked, unliked, behind = rows(seed, n), rows(seed + 100, m), rows(seed + 200, b)
    share = 0.0 if b == 0 else 1.0 if m == 0 else 0.5
    every = np.concatenate([liked, unliked, behind])
    sign = np.where(np.arange(n + m + b) < n, 1.0, -1.0)
    weight = np.concatenate(
        [
            np.full(n, 0.5 / n),
            np.full(m, 0.5 * (1 - share) / max(m, 1)),
            np.full(b, 0.5 * share / max(b, 1)),
        ]
    ) * (n + m)

    def loss(at: np.ndarray) -> float:
        odds = every @ at[:-1] + at[-1]
        log_loss = np.logaddexp(0, -sign * odds)
        return float(at[:-1] @ at[:-1] / 2 + strength * (weight * log_loss).sum())

    best = minimize(loss, np.zeros(7), tol=1e-10)
    found = probe.fit(liked, unliked, behind, strength=strength)
    at = np.append(found.direction, found.intercept)
    assert loss(at) <= best.fun * (1 + 1e-6)


def test_a_weak_probe_is_the_difference_of_means() -> None:
    liked, unliked = rows(0, 5), rows(1, 9)
    found = probe.fit(liked, unliked, strength=1e-4).direction
    difference = liked.mean(axis=0) - unliked.mean(axis=0)
    assert cosine(found, difference) == pytest.approx(1, abs=1e-4)


def test_probability_is_of_each_row_whatever_the_batch() -> None:
    found = probe.fit(rows(0, 5), rows(1, 5))
    every = rows(2, 50).astype(np.float32)
    whole = found.probability(every)
    assert ((whole > 0) & (whole < 1)).all()
    alone = np.concatenate([found.probability(every[at : at + 1]) for at in range(50)])
    np.testing.assert_array_equal(whole, alone)


def test_background_keeps_a_probe_of_near_misses_from_losing_its_way() -> None:
    """All that is unliked lies beside the kind; what lies far off was never shown."""
    random = np.random.default_rng(3)
    d = 32
    kind, shared = np.zeros(d), np.zeros(d)
    kind[0], shared[1] = 1, 1
    liked = unit(shared + 0.7 * kind + 0.15 * random.normal(size=(6, d)))
    unliked = unit(shared - 0.7 * kind + 0.15 * random.normal(size=(6, d)))
    archive = unit(random.normal(size=(2000, d)))
    others = unit(shared + 0.7 * kind + 0.15 * random.normal(size=(100, d)))
    every = np.concatenate([others, archive])
    precision = {}
    for name, behind in (("alone", None), ("with", archive[:200])):
        scores = every @ refine.direction(liked, unliked, behind, "probe")
        precision[name] = (np.argsort(-scores)[:100] < 100).mean()
    assert precision["with"] > 0.95
    assert precision["with"] > precision["alone"] + 0.05


def test_auto_takes_the_probe_once_something_is_unliked() -> None:
    assert refine.resolve("auto", 9, 0) == "rocchio"
    assert refine.resolve("auto", 1, 1) == "probe"
    assert refine.resolve("rocchio", 9, 9) == "rocchio"


@pytest.mark.parametrize(
    ("liked", "unliked", "how", "said"),
    [
        (NONE, rows(0, 3), "auto", "expected something liked"),
        (rows(0, 3), NONE, "probe", "a probe needs liked and unliked, got 3 and 0"),
        (rows(0, 2), rows(0, 2), "probe", "cancel each other"),
    ],
)
def test_what_cannot_be_learned_from_is_told(
    liked: np.ndarray, unliked: np.ndarray, how: refine.Refine, said: str
) -> None:
    with pytest.raises(QueryError, match=said):
        refine.direction(liked, unliked, None, how)


def test_a_way_that_is_not_there_is_told() -> None:
    with pytest.raises(QueryError, match="refine must be one of auto, rocchio, probe"):
        refine.parse("svm")
