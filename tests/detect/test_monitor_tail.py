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


@pytest.mark.parametrize("count", [0, 5, 19])
def test_too_few_excursions_promise_nothing(count: int) -> None:
    with pytest.raises(ValueError, match=f"at least 20 excursions .*, got {count}$"):
        Tail.fit(PEAKS[:count], 5.0)


def test_twenty_excursions_never_say_that_false_alarms_cannot_be() -> None:
    tail = Tail.fit(PEAKS[:20], 5.0)
    assert float(tail.rate(np.array(2.0 * tail.peaks[0]))) > 0


def test_excursions_without_a_spread_promise_nothing() -> None:
    with pytest.raises(ValueError, match="that differ, got 20 of level 2"):
        Tail.fit(np.full(30, 2.0), 5.0)


def test_no_time_watched_is_refused() -> None:
    with pytest.raises(ValueError, match="patch-years above 0"):
        Tail.fit(PEAKS, 0.0)
