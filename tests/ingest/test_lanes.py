import threading
from collections import defaultdict

import pytest

from terradrift.ingest.lanes import Lanes


def test_a_file_stays_with_the_thread_that_has_it_open() -> None:
    seen: dict[str, set[int]] = defaultdict(set)
    barrier = threading.Barrier(3)

    def first(name: str) -> None:
        barrier.wait(10)
        seen[name].add(threading.get_ident())

    def later(name: str) -> None:
        seen[name].add(threading.get_ident())

    with Lanes(3) as lanes:
        names = ["a", "b", "c"]
        begun = [lanes.submit(n, lambda _files, n=n: first(n)) for n in names]
        for future in begun:
            future.result(10)
        for _ in range(20):
            for name in names:
                lanes.submit(name, lambda _files, n=name: later(n)).result(10)
    assert all(len(threads) <= 2 for threads in seen.values())
    assert len(set.union(*seen.values())) == 3


def test_one_file_keeps_all_threads_busy() -> None:
    barrier = threading.Barrier(4)
    with Lanes(4) as lanes:
        futures = [lanes.submit("a", lambda _files: barrier.wait(10)) for _ in range(4)]
        assert sorted(future.exception(20) is None for future in futures) == [True] * 4


def test_jobs_run_in_the_order_they_come() -> None:
    order: list[int] = []
    with Lanes(1) as lanes:
        futures = [
            lanes.submit("a", lambda _files, n=n: order.append(n)) for n in range(9)
        ]
        for future in futures:
            future.result(10)
    assert order == list(range(9))


def test_an_error_reaches_whoever_waits() -> None:
    def fail(_files: object) -> None:
        raise KeyError("lost")

    with Lanes(1) as lanes, pytest.raises(KeyError, match="lost"):
        lanes.submit("a", fail).result(10)


def test_leaving_drops_what_has_not_begun() -> None:
    begun, go, ran = threading.Event(), threading.Event(), []

    def hold(_files: object) -> None:
        begun.set()
        go.wait(10)

    with Lanes(1) as lanes:
        lanes.submit("a", hold)
        waiting = lanes.submit("a", lambda _files: ran.append(1))
        begun.wait(10)
        threading.Timer(0.05, go.set).start()
    assert waiting.cancelled()
    assert not ran
