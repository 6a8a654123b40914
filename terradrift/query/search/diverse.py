"""Answers that do not say the same thing ten times: at most so many of one event (pure)."""

from collections import Counter
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from terradrift.errors import QueryError


@dataclass(frozen=True, slots=True)
class Diverse:
    """The most rows of one event and of one patch; None: as many as there are."""

    per_event: int | None = None
    per_patch: int | None = None

    def __post_init__(self) -> None:
        for name in ("per_event", "per_patch"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise QueryError(f"{name} must be at least 1, got {value}")

    @property
    def columns(self) -> list[str]:
        """Columns of the table that must be known of a row."""
        caps = {"event_id": self.per_event, "patch_id": self.per_patch}
        return [name for name, cap in caps.items() if cap is not None]

    def kept(self, rows: pa.Table) -> NDArray[np.bool_]:
        """(n,) which rows stay, the nearest of each event and patch first.

        `rows` are nearest first. A row without an event is an event of its own.
        """
        kept = np.ones(rows.num_rows, bool)
        if not self.columns:
            return kept
        caps = [self.per_event, self.per_patch]
        names = ["event_id", "patch_id"]
        used = [
            (rows[name].to_pylist(), cap, Counter[str]())
            for name, cap in zip(names, caps, strict=True)
            if cap is not None
        ]
        for at in range(rows.num_rows):
            whose = [(values[at], cap, held) for values, cap, held in used]
            if any(one is not None and held[one] >= cap for one, cap, held in whose):
                kept[at] = False
                continue
            for one, _, held in whose:
                held[one] += 1
        return kept
