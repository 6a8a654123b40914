"""Processes that wait for questions, and how many questions there may be at once."""

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from terradrift.errors import QueryError
from terradrift.query.sql.apart import Answer, Process, Question
from terradrift.serve.faults import Ended
from terradrift.serve.places import Places

AT_ONCE = 2
"""Questions at once; those that come meanwhile wait for `PATIENCE` seconds."""

PATIENCE = 10.0


class Asked:
    """A question under way, which may be stopped from another thread."""

    def __init__(self, spares: "Spares", question: Question) -> None:
        self._spares = spares
        self._question = question
        self._process: Process | None = None
        self._stopped = False
        self._changing = threading.Lock()

    def answer(self) -> Answer:
        """Ask, and wait for the answer.

        Raises:
            Crowded: too many questions are under way.
            QueryError: as `Process.answer`.
            Ended: it was stopped.
        """
        with self._spares.taken(self._ends) as process:
            with self._changing:
                if self._stopped:
                    raise Ended("the question was stopped")
                self._process = process
            try:
                return process.answer(self._question)
            except QueryError as error:
                if self._ends():
                    raise Ended("the question was stopped") from error
                raise

    def _ends(self) -> bool:
        return self._stopped or self._spares.closed

    def stop(self) -> None:
        """End its process, whether it has begun or not."""
        with self._changing:
            self._stopped = True
            if self._process is not None:
                self._process.kill()


class Spares:
    """Keeps one process waiting, so that no question waits for a start.

    `start` has it waiting and `close` ends all; between, each that is taken is replaced at
    once. Without `start` a process is started when it is asked for.
    """

    def __init__(self, at_once: int = AT_ONCE, patience: float = PATIENCE) -> None:
        self._places = Places(at_once, patience, "questions")
        self._keeps = False
        self.closed = False
        self._waiting: list[Process] = []
        self._busy: set[Process] = set()
        self._changing = threading.Lock()

    def start(self) -> None:
        """Have one process waiting from now on."""
        with self._changing:
            self._keeps, self.closed = True, False
        self._fill()

    def close(self) -> None:
        """End all processes; who asks from now on is refused."""
        with self._changing:
            self._keeps, self.closed = False, True
            waiting, self._waiting = self._waiting, []
            for process in self._busy:
                process.kill()
        for process in waiting:
            process.end()

    def ask(self, question: Question) -> Asked:
        """A question that has not begun."""
        return Asked(self, question)

    @contextmanager
    def taken(self, stopped: Callable[[], bool]) -> Iterator[Process]:
        """A process for one question, which ends with the block.

        `stopped` says that nobody waits for it any more.

        Raises:
            Crowded: none is free for `PATIENCE` seconds.
            Ended: it was stopped, or the server ends.
        """
        with self._places.taken(stopped):
            process = self._take()
            try:
                self._fill()
                yield process
            finally:
                with self._changing:
                    self._busy.discard(process)
                process.end()

    def _take(self) -> Process:
        with self._changing:
            if self.closed:
                raise Ended("the server ends")
            waiting = [process for process in self._waiting if process.waits]
            gone = [process for process in self._waiting if not process.waits]
            process = waiting.pop(0) if waiting else Process()
            self._waiting = waiting
            self._busy.add(process)
        for each in gone:
            each.end()
        return process

    def _fill(self) -> None:
        with self._changing:
            if self._keeps and not self._waiting:
                self._waiting.append(Process())
