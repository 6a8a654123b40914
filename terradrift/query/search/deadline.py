"""When a search must be over: one clock, started as it is asked, for all that it does."""

import time
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from terradrift.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    import pyarrow as pa

    from terradrift.query.sql.limits import Limits

_LEAST_SECONDS = 1e-3


@dataclass(frozen=True, slots=True)
class Deadline:
    """The time and memory that a search has; without limits it never ends."""

    limits: "Limits | None" = None
    ends: float = float("inf")
    """On the monotonic clock, seconds."""
    advice: str = "narrow it, run terradrift index"
    """What may be done about a search that took too long."""

    @classmethod
    def of(
        cls, limits: "Limits | None", advice: str = "narrow it, run terradrift index"
    ) -> "Deadline":
        """From now on."""
        if limits is None or limits.seconds is None:
            return cls(limits)
        return cls(limits, time.monotonic() + limits.seconds, advice)

    def check(self) -> None:
        """Go on while there is time.

        Raises:
            QueryError: the time is over.
        """
        if self.limits is not None and time.monotonic() > self.ends:
            raise QueryError(
                f"the search took longer than {self.limits.seconds:g} s; {self.advice}, "
                "or allow it more (limits=Limits(seconds=...))"
            )

    def left(self) -> "Limits | None":
        """The limits of a statement that runs within: the time that is left, all rows.

        Raises:
            QueryError: no time is left.
        """
        self.check()
        if self.limits is None or self.limits.seconds is None:
            return self.limits and replace(self.limits, rows=None)
        seconds = max(self.ends - time.monotonic(), _LEAST_SECONDS)
        return replace(self.limits, rows=None, seconds=seconds)

    def batches(
        self, batches: "Iterable[pa.RecordBatch]"
    ) -> "Iterator[pa.RecordBatch]":
        """The batches, as long as there is time."""
        for batch in batches:
            self.check()
            yield batch


NEVER = Deadline()
