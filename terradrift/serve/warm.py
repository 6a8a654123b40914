"""What the first visitor would wait for, made while the rest of the server is loaded."""

import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from threading import Event

from terradrift.errors import TerradriftError
from terradrift.serve.columns import changes, events, patches
from terradrift.serve.faults import Fault
from terradrift.serve.held import Generation, Held

FIRST_VIEW = 5.0
"""Seconds that the first view has for itself before the rest is read."""

_Steps = Iterable[Callable[[], object]]


def warm(held: Held, ending: Event) -> None:
    """Read facts and columns of the newest generation, some seconds later all else.

    What fails, fails when it is asked for. `ending` is asked between the steps.
    """
    try:
        now = held.newest()
        # A page asks for facts at once, then for tiles, which are made of changes.
        first: tuple[_Steps, ...] = (
            (lambda: changes.of(held, now), lambda: _lists(held, now)),
            (lambda: _facts(held, now),),
        )
        with ThreadPoolExecutor(len(first)) as side_by_side:
            for _ in side_by_side.map(lambda steps: _do(steps, ending), first):
                pass
        if not ending.wait(FIRST_VIEW):
            _do(_later(held, now), ending)
    except (TerradriftError, Fault, OSError) as error:
        logging.getLogger(__name__).debug("not read ahead: %s", error)


# What is imported here takes as long as reading, which goes on meanwhile.
def _facts(held: Held, now: Generation) -> None:
    from terradrift.serve.facts import facts_of
    from terradrift.serve.tiles import encode

    facts_of(held).of(now)
    encode.ready()


def _lists(held: Held, now: Generation) -> None:
    from terradrift.serve import lists
    from terradrift.serve.filters import Filters

    lists.counts(held, now, Filters())
    lists.events(held, now, Filters())


def _later(held: Held, now: Generation) -> _Steps:
    from terradrift.serve.change.rows import Rows

    return (
        lambda: events.of(held, now).boxes,
        lambda: patches.of(held, now),
        lambda: Rows.of(now).ready(),
    )


def _do(steps: _Steps, ending: Event) -> None:
    for step in steps:
        if not ending.is_set():
            step()
