"""Work done ahead of its use, in order and of bounded number."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

_T = TypeVar("_T")


def ahead(tasks: Iterable[Callable[[], _T]], count: int) -> Iterator[_T]:
    """Results in order; up to `count` tasks (1 at least) run before they are asked for."""
    with ThreadPoolExecutor(max(1, count)) as pool:
        running: deque[Future[_T]] = deque()
        try:
            for task in tasks:
                running.append(pool.submit(task))
                if len(running) > count:
                    yield running.popleft().result()
            while running:
                yield running.popleft().result()
        finally:
            for future in running:
                future.cancel()
