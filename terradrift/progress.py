"""Progress that is honest: one bar per stage on a terminal, one line now and then elsewhere."""

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

Advance = Callable[[int], None]

_LINE_EVERY_S = 10.0


@contextmanager
def stage(
    name: str, total: int, unit: str, *, quiet: bool = False
) -> Iterator[Advance]:
    """Show how far one stage is; yields a function to call with what was done.

    Words go to stderr: a bar with rate and time left on a terminal, otherwise a line every
    ten seconds and one at the end.
    """
    if quiet:
        yield lambda _done: None
    elif sys.stderr.isatty():
        with _bar(name, total, unit) as advance:
            yield advance
    else:
        with _lines(name, total, unit) as advance:
            yield advance


@contextmanager
def _bar(name: str, total: int, unit: str) -> Iterator[Advance]:
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        MofNCompleteColumn,
        Progress,
        TextColumn,
        TimeElapsedColumn,
        TimeRemainingColumn,
    )

    columns = (
        TextColumn("{task.description:<9}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn(f"{unit}  {{task.fields[rate]}}"),
        TimeElapsedColumn(),
        TimeRemainingColumn(),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        task = progress.add_task(name, total=total, rate="")
        started = time.monotonic()
        done = 0

        def advance(more: int) -> None:
            nonlocal done
            done += more
            rate = done / max(time.monotonic() - started, 1e-9)
            progress.update(task, advance=more, rate=f"{rate:,.0f}/s")

        yield advance


@contextmanager
def _lines(name: str, total: int, unit: str) -> Iterator[Advance]:
    started = last = time.monotonic()
    done = 0

    def say() -> None:
        seconds = time.monotonic() - started
        rate = done / max(seconds, 1e-9)
        print(  # noqa: T201 - words for people go to stderr
            f"{name}: {done:,}/{total:,} {unit} in {seconds:.1f} s ({rate:,.0f}/s)",
            file=sys.stderr,
            flush=True,
        )

    def advance(more: int) -> None:
        nonlocal done, last
        done += more
        if time.monotonic() - last > _LINE_EVERY_S and done < total:
            last = time.monotonic()
            say()

    yield advance
    say()
