"""What `detect --method` asks of a method on an archive, and what it answers."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np


@dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """One run of one method."""

    method: str
    model: str
    """Whose vectors are judged; a method on pixels ignores it."""
    since: np.datetime64 | None = None
    """First day to judge; None: the first that can be."""
    until: np.datetime64 | None = None
    """Last day to judge; None: the last."""
    maps: Path | None = None
    """Folder for anomaly maps; None: no maps."""
    settings: Mapping[str, Any] = field(default_factory=dict)
    """Fields of the method's own settings, by name."""
    threads: int = 1
    network_threads: int | None = None
    """Within one prediction of a network; None: `threads`."""
    device: str = "auto"
    quiet: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Judged:
    """What the run put into the archive."""

    method: str
    table: str
    """Where the rows are: one of `archive.anomalies.table_name`."""
    observations: int
    scored: int
    """Observations with a score; the others say why not."""
    maps: tuple[str, ...] = ()
    """Files written."""
    notes: tuple[str, ...] = ()
    """What a user should know: dates left out, no calibration for want of history."""

    def __str__(self) -> str:
        words = f"{self.method}: {self.scored:,} of {self.observations:,} observations scored"
        if self.maps:
            words += f"; {len(self.maps)} maps"
        return "; ".join((words, *self.notes))

    def summary(self) -> dict[str, Any]:
        """As a record."""
        return asdict(self)
