"""What the first visitor would wait for, made while the browser still starts."""

import logging
from collections.abc import Callable

from terradrift.errors import TerradriftError
from terradrift.serve.change.rows import Rows
from terradrift.serve.columns import changes, events, patches
from terradrift.serve.facts import facts_of
from terradrift.serve.faults import Fault
from terradrift.serve.held import Held


def warm(held: Held, stopped: Callable[[], bool]) -> None:
    """Read facts and columns of the newest generation; what fails, fails when it is asked for.

    `stopped` is asked between them.
    """
    try:
        now = held.newest()
        steps: tuple[Callable[[], object], ...] = (
            # The page itself asks for facts at once: they are made beside the columns.
            lambda: changes.of(held, now),
            lambda: facts_of(held).of(now),
            lambda: events.of(held, now).boxes,
            lambda: patches.of(held, now),
            lambda: Rows.of(now).ready(),
        )
        for step in steps:
            if not stopped():
                step()
    except (TerradriftError, Fault, OSError) as error:
        logging.getLogger(__name__).debug("not read ahead: %s", error)
