"""Run an iterator ahead of its consumer, and a function over it in threads, in order."""

from __future__ import annotations

from collections import deque
from concurrent.futures import Executor, Future
from contextlib import contextmanager
from queue import Empty, Queue
from threading import Event, Thread
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

Item = TypeVar("Item")
Result = TypeVar("Result")


@contextmanager
def ahead(items: Iterator[Item], depth: int) -> Generator[Iterator[Item]]:
    """Read `items` in a thread of its own, at most `depth` items ahead.

    What the iterator raises is raised where its next item would have come. Leaving the
    block stops the thread, once the read in progress has ended, and closes a generator.
    """
    queue: Queue[tuple[Item | None, BaseException | None, bool]] = Queue(depth)
    stop = Event()

    def read() -> None:
        try:
            for item in items:
                queue.put((item, None, False))
                if stop.is_set():
                    break
            end: tuple[Item | None, BaseException | None, bool] = (None, None, True)
        except BaseException as error:  # noqa: BLE001 - raised again by the consumer
            end = (None, error, True)
        finally:
            close = getattr(items, "close", None)
            if close is not None:
                close()
        if not stop.is_set():
            queue.put(end)

    thread = Thread(target=read, name="terradrift-read", daemon=True)
    thread.start()
    try:
        yield _received(queue)
    finally:
        stop.set()
        # Room for a put that waits; the reader looks at `stop` right after it.
        _drain(queue)
        thread.join()


def _received(
    queue: Queue[tuple[Item | None, BaseException | None, bool]],
) -> Iterator[Item]:
    while True:
        item, error, ended = queue.get()
        if error is not None:
            raise error
        if ended:
            return
        yield item  # type: ignore[misc] - an item wherever the end is not


def _drain(queue: Queue[tuple[Item | None, BaseException | None, bool]]) -> None:
    try:
        while True:
            queue.get_nowait()
    except Empty:
        return


def in_order(
    function: Callable[[Item], Result],
    items: Iterator[Item],
    executor: Executor,
    waiting: int,
) -> Iterator[Result]:
    """Results of `function` in the order of `items`, at most `waiting` under way.

    Closing the iterator, or an error, cancels what has not begun.
    """
    futures: deque[Future[Result]] = deque()
    try:
        for item in items:
            futures.append(executor.submit(function, item))
            if len(futures) >= waiting:
                yield futures.popleft().result()
        while futures:
            yield futures.popleft().result()
    finally:
        for future in futures:
            future.cancel()
