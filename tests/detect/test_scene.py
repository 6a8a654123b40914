import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from terradrift.detect import reference, scene
from terradrift.detect.analogue import Histories
from terradrift.detect.pool import Pool
from terradrift.detect.settings import Settings

DEFAULTS = Settings()


def pool(n: int, t: int, r: int, seed: int, clear: float = 0.8) -> Pool:
    random = np.random.default_rng(seed)
    seen = random.random((n, t)) < clear
    base = random.normal(size=(n, 1, r))
    vectors = base + 0.1 * random.normal(size=(n, t, r))
    return Pool(
        np.array([f"p{k:04d}" for k in range(n)]),
        np.datetime64("2020-01-01", "D") + 12 * np.arange(t),
        np.where(seen[..., None], vectors, 0).astype(np.float32),
        seen,
        np.full((n, t), np.nan, np.float32),
    )


@settings(max_examples=25, deadline=None)
@given(seed=st.integers(0, 999), t=st.integers(2, 40), at=st.integers(0, 39))
def test_a_past_is_the_mean_of_the_own_reference(seed: int, t: int, at: int) -> None:
    at %= t
    found = pool(12, t, 3, seed, clear=0.5)
    patches = Histories(found.vectors, found.clear)
    rows, past = scene.pasts(patches, found.days, at, DEFAULTS)
    chosen, _ = reference.members(
        found.days,
        found.clear,
        at,
        window_days=DEFAULTS.window_days,
        guard_days=DEFAULTS.guard_days,
        least=DEFAULTS.min_reference,
        most=DEFAULTS.max_reference,
    )
    expected = {
        row: found.vectors[row, chosen[row][chosen[row] >= 0]].mean(axis=0)
        for row in range(12)
        if found.clear[row, at] and (chosen[row] >= 0).any()
    }
    assert rows.tolist() == sorted(expected)
    for row, mean in zip(rows, past, strict=True):
        np.testing.assert_allclose(mean, expected[row], atol=1e-5)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 999), m=st.integers(40, 200))
def test_what_a_scene_does_to_its_patches_by_what_they_were_is_expected(
    seed: int, m: int
) -> None:
    random = np.random.default_rng(seed)
    past = random.normal(size=(m, 4)).astype(np.float32)
    now = past @ random.normal(size=(4, 4)) + random.normal(size=4)
    now = now.astype(np.float32)
    now[: m // 5] += 6.0  # a fifth of them changed
    found = scene.fit(past, now)
    assert found is not None
    length = scene.residual_length(found, past, now, np.ones(m, bool))
    assert length[m // 5 :].max() < 0.5 * length[: m // 5].min()


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 999), one=st.integers(0, 29))
def test_a_member_is_judged_by_the_fit_without_it(seed: int, one: int) -> None:
    # With fixed weights leaving a row out is exact; the slow way is to fit again.
    random = np.random.default_rng(seed)
    past = random.normal(size=(30, 3))
    now = random.normal(size=(30, 2))
    terms = np.concatenate([np.ones((30, 1)), past], axis=1)
    weight = np.full(30, 0.25)
    penalty = np.diag([0.0, 0.3, 0.3, 0.3])
    squares = terms.T @ (weight[:, None] * terms) + penalty
    inverse = np.linalg.inv(squares)
    slopes = inverse @ (terms.T @ (weight[:, None] * now))
    typical = np.linalg.norm(now - terms @ slopes, axis=1)
    rest = np.arange(30) != one
    without = np.linalg.solve(
        terms[rest].T @ (0.25 * terms[rest]) + penalty,
        terms[rest].T @ (0.25 * now[rest]),
    )
    # `typical` equal to the own residual gives that row the weight 1/4.
    fitted = scene.Fit(slopes, inverse, float(typical[one]))
    left = scene.residual_length(
        fitted, past[[one]].astype(np.float32), now[[one]], np.array([True])
    )
    slow = np.linalg.norm(now[one] - terms[one] @ without)
    assert left[0] == pytest.approx(slow, rel=1e-3)


def test_nothing_is_expected_of_a_few_patches_or_without_a_past() -> None:
    few = pool(7, 2, 3, seed=1, clear=1.0)
    columns, members = np.arange(2), np.arange(7)
    patches = Histories(few.vectors, few.clear)
    apart = scene.Scene(few, DEFAULTS).apart(patches, few.days, columns, members)
    assert np.isnan(apart).all()
    many = pool(50, 2, 3, seed=1, clear=1.0)
    patches = Histories(many.vectors, many.clear)
    apart = scene.Scene(many, DEFAULTS).apart(
        patches, many.days, columns, np.arange(50)
    )
    assert np.isnan(apart[:, 0]).all()
    assert (apart[:, 1] >= 0).all()
    assert (apart[:, 1] <= 2).all()


def test_without_a_scene_that_moves_a_patch_is_expected_as_it_was() -> None:
    random = np.random.default_rng(0)
    past = random.normal(size=(30, 4)).astype(np.float32)
    found = scene.fit(past, past + np.float32(0.5))
    assert found is not None
    new = 10 * random.normal(size=(5, 4)).astype(np.float32)
    length = scene.residual_length(found, new, new + 0.5, np.zeros(5, bool))
    assert length.max() < 1e-3
