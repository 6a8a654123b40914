import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from terradrift.detect import drift, reference
from terradrift.detect.drift import Drift
from terradrift.detect.protocol import SeriesDetector

_: SeriesDetector = Drift()


def history(seed: int, n: int = 3, t: int = 20, d: int = 5):
    random = np.random.default_rng(seed)
    days = np.datetime64("2018-01-01", "D") + np.cumsum(random.integers(5, 40, t))
    vectors = (2 + random.normal(size=(n, t, d))).astype(np.float32)
    return days, vectors, random.random((n, t)) < 0.7


def slow(variant: str, now, members) -> list[float]:
    """Cosine distance of one vector to its members, written out; all of equal medoids."""

    def apart(a, b) -> float:
        return 1 - float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))

    unit = [m / np.linalg.norm(m) for m in members]
    if variant == "centroid":
        return [apart(now, np.sum(unit, axis=0))]
    if variant == "nearest":
        return [min(apart(now, m) for m in unit)]
    total = [sum(apart(a, b) for b in unit) for a in unit]
    ties = np.flatnonzero(np.array(total) <= min(total) + 1e-5)
    return [apart(now, unit[k]) for k in ties]


@pytest.mark.parametrize("variant", ["centroid", "medoid", "nearest"])
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 10_000))
def test_drift_and_left_out_scores_equal_the_slow_way(variant: str, seed: int) -> None:
    days, vectors, clear = history(seed)
    found = drift.score(
        *(cosines(vectors), days, clear), Drift(variant=variant)._settings()
    )
    for at in range(len(days)):
        chosen, _kind = reference.members(
            days, clear, at, window_days=45, guard_days=10, least=4, most=12
        )
        for row in np.flatnonzero(clear[:, at]):
            members = vectors[row, chosen[row][chosen[row] >= 0]]
            assert found.count[row, at] == len(members)
            if len(members) == 0:
                assert np.isnan(found.drift[row, at])
                continue
            expected = slow(variant, vectors[row, at], members)
            assert near(found.drift[row, at], expected)
            if len(members) < 2:
                assert np.isnan(found.left_out[row, at]).all()
                continue
            for k in range(len(members)):
                others = np.delete(members, k, axis=0)
                expected = slow(variant, members[k], others)
                assert near(found.left_out[row, at, k], expected)
    assert np.isnan(found.drift[~clear]).all()


def near(value: float, allowed: list[float]) -> bool:
    return any(abs(value - one) < 1e-5 for one in allowed)


def cosines(vectors):
    unit = drift.unit(vectors)
    return unit @ unit.transpose(0, 2, 1)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 10_000), scale=st.floats(0.1, 50))
def test_drift_does_not_care_how_the_space_is_turned_or_scaled(
    seed: int, scale: float
) -> None:
    days, vectors, clear = history(seed)
    turn, _ = np.linalg.qr(np.random.default_rng(seed).normal(size=(5, 5)))
    plain = Drift().detect(days, vectors, clear)
    turned = Drift().detect(days, scale * (vectors @ turn), clear)
    np.testing.assert_allclose(plain, turned, atol=2e-6)


@given(seed=st.integers(0, 10_000), at=st.integers(1, 18))
@settings(max_examples=20, deadline=None)
def test_drift_never_looks_into_the_future(seed: int, at: int) -> None:
    days, vectors, clear = history(seed)
    before = Drift().detect(days, vectors, clear)
    vectors[:, at + 1 :] = np.random.default_rng(1).normal(
        size=vectors[:, at + 1 :].shape
    )
    clear[:, at + 1 :] ^= True
    after = Drift().detect(days, vectors, clear)
    np.testing.assert_array_equal(before[:, : at + 1], after[:, : at + 1])


def test_shapes_that_do_not_fit_are_refused() -> None:
    days, vectors, clear = history(0)
    with pytest.raises(ValueError, match=r"expected days \(t,\), vectors"):
        Drift().detect(days[1:], vectors, clear)
    with pytest.raises(ValueError, match="variant must be one of"):
        Drift(variant="mode")
