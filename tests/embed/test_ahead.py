import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

from terradrift.embed.ahead import ahead, in_order


def names():
    return {thread.name for thread in threading.enumerate()}


def counted(n, taken):
    for item in range(n):
        taken.append(item)
        yield item


def test_items_come_in_order_and_once():
    with ahead(iter(range(50)), 3) as coming:
        assert list(coming) == list(range(50))
    assert "terradrift-read" not in names()


def test_reading_stays_within_its_bound():
    taken = []
    with ahead(counted(100, taken), 2) as coming:
        assert next(coming) == 0
        time.sleep(0.1)
        # One given, two in the queue, one waiting to be put there.
        assert len(taken) <= 4
    assert len(taken) <= 5


def test_leaving_early_stops_the_thread_and_closes_the_generator():
    closed = []

    def endless():
        try:
            while True:
                yield 1
        finally:
            closed.append(threading.current_thread().name)

    with ahead(endless(), 2) as coming:
        next(coming)
    assert closed == ["terradrift-read"]
    assert "terradrift-read" not in names()


def test_what_the_iterator_raises_comes_where_its_item_would_have():
    def broken():
        yield 1
        raise OSError("the disk is gone")

    with ahead(broken(), 2) as coming:
        assert next(coming) == 1
        with pytest.raises(OSError, match="the disk is gone"):
            next(coming)
    assert "terradrift-read" not in names()


def test_results_keep_the_order_of_items_whatever_takes_long():
    def slow_at_first(item):
        time.sleep(0.05 if item == 0 else 0)
        return item

    with ThreadPoolExecutor(4) as executor:
        found = list(in_order(slow_at_first, iter(range(20)), executor, 8))
    assert found == list(range(20))


def test_no_more_than_the_bound_is_under_way():
    taken = []
    release = threading.Event()

    def wait(item):
        release.wait(5)
        return item

    with ThreadPoolExecutor(2) as executor:
        results = in_order(wait, counted(100, taken), executor, 4)
        threading.Timer(0.1, release.set).start()
        assert next(results) == 0
        assert len(taken) <= 4
        results.close()


def test_an_error_cancels_what_has_not_begun():
    done = []

    def fail_at_first(item):
        if item == 0:
            raise ValueError("no")
        time.sleep(0.01)
        done.append(item)

    with ThreadPoolExecutor(1) as executor, pytest.raises(ValueError, match="no"):
        list(in_order(fail_at_first, iter(range(100)), executor, 50))
    assert len(done) < 50
