"""Run an iterator ahead of its consumer, and a function over it in threads, in order."""

from __future__ import annotations

from collections import deque
from contextlib import contextmanager
from dataclasses import dataclass
from queue import Empty, Queue
from threading import Event, Thread
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator
    from concurrent.futures import Executor, Future

Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True)
class _Next(Generic[Item]):
    item: Item


@dataclass(frozen=True, slots=True)
class _End:
    error: BaseException | None = None


@contextmanager
def ahead(items: Iterator[Item], depth: int) -> Generator[Iterator[Item]]:
    """Read `items` in a thread of its own, at most `depth` items ahead.

    What the iterator raises is raised where its next item would have come. Leaving the
    block stops the thread, once the read in progress has ended, and closes a generator.
    """
    queue: Queue[_Next[Item] | _End] = Queue(depth)
    stop = Event()
    thread = Thread(
        target=_read, args=(items, queue, stop), name="terradrift-read", daemon=True
    )
    thread.start()
    try:
        yield _received(queue)
    finally:
        stop.set()
        # Makes room for a put that waits; the reader looks at `stop` right after it.
        _drain(queue)
        thread.join()


def _read(items: Iterator[Item], queue: Queue[_Next[Item] | _End], stop: Event) -> None:
    end = _End()
    try:
        for item in items:
            queue.put(_Next(item))
            if stop.is_set():
                break
        close = getattr(items, "close", None)
        if close is not None:
            close()
    except BaseException as error:  # noqa: BLE001 - raised again by the consumer
        end = _End(error)
    if not stop.is_set():
        queue.put(end)


def _received(queue: Queue[_Next[Item] | _End]) -> Iterator[Item]:
    while True:
        message = queue.get()
        if isinstance(message, _Next):
            yield message.item
        elif message.error is not None:
            raise message.error
        else:
            return


def _drain(queue: Queue[_Next[Item] | _End]) -> None:
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
    """Results of `function` in the order of `items`, each as soon as it can be had.

    At most `waiting` are under way. If reading `items` fails, what was read before is given
    first. Closing the iterator, or an error, cancels what has not begun.
    """
    futures: deque[Future[Result]] = deque()
    failure: Exception | None = None
    try:
        while True:
            try:
                item = next(items)
            except StopIteration:
                break
            except Exception as error:  # noqa: BLE001 - raised below
                failure = error
                break
            futures.append(executor.submit(function, item))
            while futures and (futures[0].done() or len(futures) >= waiting):
                yield futures.popleft().result()
        while futures:
            yield futures.popleft().result()
    finally:
        for future in futures:
            future.cancel()
    if failure is not None:
        raise failure
