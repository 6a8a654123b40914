"""How much one question may take."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Bounds of one answer; None: none of its own."""

    seconds: float | None = None
    """Time until the question is interrupted."""
    rows: int | None = None
    """Rows of the answer; where there are more, a notice says so."""
    memory_bytes: int | None = None
    """Memory of DuckDB; None: half of the machine's."""
