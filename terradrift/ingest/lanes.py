"""Reader threads that prefer the files they already have open."""

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass
from types import TracebackType
from typing import Self

from terradrift.ingest.files import Files, gdal

_FILES_IN_ALL = 192
"""Open files of all threads together: those of the days that are read side by side."""


@dataclass(frozen=True, slots=True, eq=False)
class _Job:
    href: str
    run: Callable[[Files], None]
    future: Future[None]


class Lanes:
    """Threads with open files of their own; jobs go to the thread that has their file open.

    A file that no thread has yet goes to the next free thread; a thread with nothing of its
    own to do opens the file of another, so that one large file keeps all threads busy.
    """

    def __init__(self, threads: int) -> None:
        self._jobs: list[_Job] = []
        self._owner: dict[str, int] = {}
        self._wake = threading.Condition()
        self._closed = False
        most = max(16, _FILES_IN_ALL // threads)
        self._threads = [
            threading.Thread(target=self._work, args=(lane, most), name=f"read-{lane}")
            for lane in range(threads)
        ]
        for thread in self._threads:
            thread.start()

    def submit(self, href: str, run: Callable[[Files], None]) -> Future[None]:
        """Queue a job on the file `href`; jobs are taken in the order they come."""
        job = _Job(href, run, Future())
        with self._wake:
            self._jobs.append(job)
            self._wake.notify()
        return job.future

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Drop what has not begun, wait for what has, close all files."""
        with self._wake:
            self._closed = True
            for job in self._jobs:
                job.future.cancel()
            self._jobs.clear()
            self._wake.notify_all()
        for thread in self._threads:
            thread.join()

    def _work(self, lane: int, most: int) -> None:
        files = Files(most)
        with gdal():
            while (job := self._take(lane)) is not None:
                job.future.set_running_or_notify_cancel()
                try:
                    job.run(files)
                except BaseException as error:  # noqa: BLE001 - it is raised to whoever waits
                    job.future.set_exception(error)
                else:
                    job.future.set_result(None)
            files.close()

    def _take(self, lane: int) -> _Job | None:
        with self._wake:
            while not self._jobs:
                if self._closed:
                    return None
                self._wake.wait()
            job = min(self._jobs, key=lambda job: self._distance(job, lane))
            self._jobs.remove(job)
            self._owner.setdefault(job.href, lane)
            return job

    def _distance(self, job: _Job, lane: int) -> int:
        """0: open here; 1: open nowhere; 2: open in another thread."""
        owner = self._owner.get(job.href)
        return 0 if owner == lane else 1 if owner is None else 2
