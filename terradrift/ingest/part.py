"""One scene's pixels of a strip while its files are being read."""

import threading
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from functools import partial

import numpy as np
from numpy.typing import NDArray

from terradrift.errors import SourceError
from terradrift.ingest.acquisition import Acquisition
from terradrift.ingest.compose import Layer
from terradrift.ingest.files import Files
from terradrift.ingest.frame import Frame
from terradrift.ingest.lanes import Lanes
from terradrift.ingest.window import (
    Slots,
    blank,
    by_file,
    check_bands,
    read_bands,
    read_clear,
)


class Part:
    """One scene's share of a strip.

    The mask is read first; under a closed cloud deck nothing else is.
    """

    def __init__(self, scene: Acquisition) -> None:
        self.scene = scene
        self.layer: Layer | None = None
        self.failures: dict[int, str] = {}
        """What went wrong, by number of the job."""
        self.done: Future[None] = Future()
        self._lock = threading.Lock()
        self._left = 0
        self._unread = len(by_file(scene))

    def start(self, lanes: Lanes, frame: Frame) -> None:
        """Queue the reads; `done` tells when all have ended."""
        try:
            check_bands(self.scene)
        except SourceError as error:
            self.failures[0] = str(error)
            self.done.set_result(None)
        else:
            if self.scene.mask is None:
                self._queue_bands(lanes, frame)
            else:
                mask = partial(self._mask, lanes, frame)
                self._queue(lanes, [(self.scene.mask.href, mask)])

    def _queue_bands(self, lanes: Lanes, frame: Frame) -> None:
        jobs = [
            (href, partial(self._read, number, href, slots, frame))
            for number, (href, slots) in enumerate(by_file(self.scene).items(), start=1)
        ]
        self._queue(lanes, jobs)

    def _queue(
        self, lanes: Lanes, jobs: Sequence[tuple[str, Callable[[Files], None]]]
    ) -> None:
        with self._lock:
            self._left += len(jobs)
        for href, run in jobs:
            lanes.submit(href, run).add_done_callback(self._ended)

    def _ended(self, job: Future[None]) -> None:
        """Count a job that has ended; an error that is none of the source's is passed on."""
        with self._lock:
            self._left -= 1
            last = self._left == 0
            if job.cancelled() or self.done.done():
                return
            error = job.exception()
            if error is not None:
                self.done.set_exception(error)
            elif last:
                self.done.set_result(None)

    def _mask(self, lanes: Lanes, frame: Frame, files: Files) -> None:
        try:
            clear = read_clear(files, self.scene, frame)
        except SourceError as error:
            self.failures[0] = str(error)
            return
        layer = self._layer(frame)
        layer.clear[...] = clear
        if clear.any():
            self._queue_bands(lanes, frame)
        else:
            layer.pixels[...] = np.nan

    def _read(
        self, number: int, href: str, slots: Slots, frame: Frame, files: Files
    ) -> None:
        layer = self._layer(frame)
        try:
            clear = read_bands(
                files, self.scene, href, slots=slots, target=frame, out=layer.pixels
            )
        except SourceError as error:
            self.failures[number] = str(error)
        else:
            if self._meet(layer, clear) == 0:
                blank(layer.pixels, layer.clear)

    def _layer(self, frame: Frame) -> Layer:
        """What is read into; made with the first file, so that waiting takes no memory."""
        with self._lock:
            if self.layer is None:
                shape = len(self.scene.bands), frame.height, frame.width
                pixels = np.empty(shape, np.float32)
                self.layer = Layer(self.scene, pixels, np.ones(shape[1:], bool))
            return self.layer

    def _meet(self, layer: Layer, clear: NDArray[np.bool_]) -> int:
        """Take what a file does not have out of what is clear; how many files are left."""
        with self._lock:
            np.logical_and(layer.clear, clear, out=layer.clear)
            self._unread -= 1
            return self._unread
