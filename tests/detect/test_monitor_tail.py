import numpy as np
import pytest

from terradrift.detect.monitor.tail import Tail

PEAKS = np.random.default_rng(0).exponential(2.0, 400).astype(np.float32)


def test_a_threshold_is_reached_as_often_as_asked() -> None:
    tail = Tail.fit(PEAKS, years=100.0)
    for rate in (1e-4, 1e-2, 0.1, 1.0, 3.0):
        level = np.array(tail.threshold(rate))
        assert float(tail.rate(level)) == pytest.approx(rate, rel=0.05)


def test_the_tail_is_that_of_the_distribution() -> None:
    tail = Tail.fit(PEAKS, years=100.0)
    assert tail.threshold(4e-4) == pytest.approx(2 * np.log(4 / 4e-4), rel=0.2)


def test_higher_is_rarer() -> None:
    rates = Tail.fit(PEAKS, 7.0).rate(np.linspace(0, 30, 200))
    assert np.all(np.diff(rates) <= 0)
    assert rates[-1] > 0


def test_nothing_seen_extrapolates_nothing() -> None:
    assert Tail.fit(np.empty(0), 5.0).threshold(0.1) == 0.0
    same = Tail.fit(np.full(30, 2.0), 5.0)
    assert same.threshold(0.01) == pytest.approx(2.0)
    assert float(same.rate(np.array(same.threshold(0.01)))) == 0.0


def test_no_time_watched_is_refused() -> None:
    with pytest.raises(ValueError, match="patch-years above 0"):
        Tail.fit(PEAKS, 0.0)
