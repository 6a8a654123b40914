import threading
import time
from functools import partial

import pytest

from terradrift.store.ahead import ahead


def test_results_come_in_order_whatever_takes_longest() -> None:
    def wait(number: int) -> int:
        time.sleep(0.01 * (number % 3 == 0))
        return number

    found = ahead((partial(wait, number) for number in range(20)), 4)
    assert list(found) == list(range(20))


def test_no_more_than_asked_is_started_before_it_is_used() -> None:
    started: list[int] = []
    guard = threading.Lock()

    def start(number: int) -> int:
        with guard:
            started.append(number)
        return number

    results = ahead((partial(start, number) for number in range(20)), 2)
    assert started == []
    assert next(results) == 0
    assert set(started) <= {0, 1, 2}
    results.close()
    assert set(started) <= {0, 1, 2}


def test_an_error_comes_where_its_result_would_have() -> None:
    def fail_at_three(number: int) -> int:
        if number == 3:
            raise ValueError("three")
        return number

    results = ahead((partial(fail_at_three, number) for number in range(9)), 2)
    assert [next(results) for _ in range(3)] == [0, 1, 2]
    with pytest.raises(ValueError, match="three"):
        next(results)
