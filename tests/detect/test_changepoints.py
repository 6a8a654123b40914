from itertools import combinations, pairwise

import numpy as np
import pytest

from terradrift.detect import changepoints


@pytest.fixture(params=["on", "off"])
def either(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiled kernels and their twins, one after the other."""
    monkeypatch.setenv("TERRADRIFT_KERNELS", request.param)


def series(seed: int, n: int, t: int, r: int, share: float = 0.8):
    """Steps and noise far from 0, and which dates are clear; what is not is NaN."""
    random = np.random.default_rng(seed)
    steps = np.where(random.random((n, t, 1)) < 0.1, random.normal(size=(n, t, r)), 0)
    values = 50 + 3 * np.cumsum(steps, axis=1) + random.normal(size=(n, t, r))
    clear = random.random((n, t)) < share
    return np.where(clear[..., None], values, np.nan), clear


def scatter(rows: np.ndarray) -> float:
    return float(((rows - rows.mean(axis=0)) ** 2).sum())


def by_trying_all(values, penalty: float, least: int) -> tuple[list[int], float]:
    """The best breaks of one whole series, and the squares that they leave."""
    k, best = len(values), ([], scatter(values) if len(values) else 0.0)
    for number in range(1, k // least):
        for breaks in combinations(range(least, k - least + 1), number):
            edges = [0, *breaks, k]
            if min(np.diff(edges)) < least:
                continue
            parts = pairwise(edges)
            left = sum(scatter(values[a:b]) for a, b in parts)
            if left + penalty * number < best[1] + penalty * len(best[0]):
                best = (list(breaks), left)
    return best


@pytest.mark.usefixtures("either")
@pytest.mark.parametrize(("r", "least"), [(1, 1), (1, 3), (3, 2)])
def test_the_breaks_are_the_best_of_all(r: int, least: int) -> None:
    values, clear = series(r + least, 12, 13, r)
    penalty = np.linspace(0.5, 20.0, 12)
    found = changepoints.segment(values, clear, penalty, least)
    for row in range(12):
        seen = np.flatnonzero(clear[row])
        breaks, left = by_trying_all(values[row, seen], penalty[row], least)
        assert found.first[found.row == row].tolist() == seen[breaks].tolist()
        assert found.cost[row] == pytest.approx(left, rel=1e-9)


@pytest.mark.usefixtures("either")
def test_a_break_gains_what_one_segment_would_cost_more() -> None:
    values, clear = series(4, 20, 40, 2)
    found = changepoints.segment(values, clear, 8.0, 3)
    assert len(found.row) > 20
    for row in range(20):
        here = found.row == row
        dense = values[row, clear[row]]
        at = np.searchsorted(np.flatnonzero(clear[row]), found.first[here])
        edges = [0, *at, len(dense)]
        for place, gain in zip(range(1, len(edges) - 1), found.gain[here], strict=True):
            a, b, c = edges[place - 1 : place + 2]
            expected = scatter(dense[a:c]) - scatter(dense[a:b]) - scatter(dense[b:c])
            assert gain == pytest.approx(expected, rel=1e-9)
            assert gain >= 8.0


@pytest.mark.usefixtures("either")
@pytest.mark.parametrize("least", [1, 4])
def test_a_single_break_is_the_best_of_all(least: int) -> None:
    values, clear = series(least, 30, 17, 2, share=0.6)
    found = changepoints.single(values, clear, least)
    for row in range(30):
        seen = np.flatnonzero(clear[row])
        dense = values[row, seen]
        left = [
            scatter(dense[:at]) + scatter(dense[at:])
            for at in range(least, len(seen) - least + 1)
        ]
        expected = seen[least + int(np.argmin(left))] if left else -1
        assert found[row] == expected


@pytest.mark.parametrize(
    ("n", "t", "r"),
    [(0, 5, 1), (3, 0, 2), (4, 1, 1), (5, 2, 3), (7, 61, 1), (9, 33, 17)],
)
@pytest.mark.parametrize("least", [1, 3])
def test_compiled_and_numpy_agree(
    n: int, t: int, r: int, least: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    values, clear = series(n + t, n, t, r)
    found = {}
    for said in ("on", "off"):
        monkeypatch.setenv("TERRADRIFT_KERNELS", said)
        found[said] = (
            changepoints.segment(values, clear, 3.0 * r, least),
            changepoints.single(values, clear, least),
        )
    (one, first), (other, same) = found["on"], found["off"]
    np.testing.assert_array_equal(one.row, other.row)
    np.testing.assert_array_equal(one.first, other.first)
    np.testing.assert_allclose(one.gain, other.gain, rtol=1e-9)
    np.testing.assert_allclose(one.cost, other.cost, rtol=1e-9, atol=1e-9)
    np.testing.assert_array_equal(first, same)


@pytest.mark.usefixtures("either")
def test_threads_and_precision_do_not_change_what_is_found() -> None:
    values, clear = series(8, 50, 30, 3)
    one = changepoints.segment(values.astype(np.float32), clear, 20.0)
    other = changepoints.segment(
        values.astype(np.float32).astype(float), clear, 20.0, threads=3
    )
    np.testing.assert_array_equal(one.first, other.first)
    np.testing.assert_array_equal(one.cost, other.cost)


@pytest.mark.usefixtures("either")
def test_noise_is_seldom_broken_and_planted_steps_are_found() -> None:
    random = np.random.default_rng(5)
    noise = random.normal(size=(400, 60))
    clear = random.random((400, 60)) < 0.8
    clear[:, [20, 45]] = True
    quiet = changepoints.segment(
        noise, clear, changepoints.usual_penalty(noise, clear, 3.0)
    )
    assert len(np.unique(quiet.row)) < 0.05 * 400
    stepped = noise.copy()
    stepped[:, 20:45] += 5
    penalty = changepoints.usual_penalty(stepped, clear, 3.0)
    found = changepoints.segment(stepped, clear, penalty)
    exact = np.isin(found.first, [20, 45])
    assert exact.mean() > 0.95
    assert exact.sum() > 0.97 * 800


@pytest.mark.usefixtures("either")
def test_equal_values_have_no_break() -> None:
    values = np.full((2, 12, 3), 0.1)
    found = changepoints.segment(values, np.ones((2, 12), bool), 1e-6, 2)
    assert len(found.row) == 0
    np.testing.assert_allclose(found.cost, 0, atol=1e-12)


def test_the_same_breaks_as_ruptures() -> None:
    ruptures = pytest.importorskip("ruptures")
    values, _ = series(6, 15, 50, 2, share=1.0)
    clear = np.ones((15, 50), bool)
    several = changepoints.segment(values, clear, 12.0, 2)
    once = changepoints.single(values, clear, 2)
    for row in range(15):
        algorithm = ruptures.KernelCPD("linear", min_size=2).fit(values[row])
        expected = algorithm.predict(pen=12.0)[:-1]
        assert several.first[several.row == row].tolist() == expected
        dynamic = ruptures.Dynp("l2", min_size=2, jump=1).fit(values[row])
        assert once[row] == dynamic.predict(1)[0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"values": np.zeros((3, 4))}, "expected values"),
        ({"values": np.full((3, 5), np.nan)}, "finite where clear"),
        ({"least": 0}, "least must be at least 1, got 0"),
        ({"threads": 0}, "threads must be at least 1, got 0"),
        ({"penalty": -1.0}, "penalty must be finite"),
        ({"penalty": np.array([1.0, np.nan, 1.0])}, "penalty must be finite"),
        ({"penalty": np.ones(2)}, "penalty must be one number or"),
    ],
)
def test_bad_arguments_are_refused(change: dict, message: str) -> None:
    given = {
        "values": np.zeros((3, 5)),
        "clear": np.ones((3, 5), bool),
        "penalty": 1.0,
        "least": 2,
    }
    with pytest.raises(ValueError, match=message):
        changepoints.segment(**(given | change))
