"""terradrift turns a stack of satellite scenes into a searchable record of change."""

from typing import TYPE_CHECKING, Any

from terradrift.grid import Grid
from terradrift.period import Period

if TYPE_CHECKING:
    from terradrift.archive import Archive, create, open  # noqa: A004 - td.open(path)
    from terradrift.archive.validating import validate
    from terradrift.query.sql.limits import Limits

__version__ = "0.1.0"
__all__ = [
    "Archive",
    "Grid",
    "Limits",
    "Period",
    "__version__",
    "create",
    "open",
    "validate",
]


def __getattr__(name: str) -> Any:  # noqa: ANN401 - whatever the name stands for
    # The archive brings Lance, DuckDB and torch; `terradrift --help` must not wait for them.
    if name in {"Archive", "create", "open"}:
        from terradrift import archive

        return getattr(archive, name)
    if name == "validate":
        from terradrift.archive.validating import validate

        return validate
    if name == "Limits":
        from terradrift.query.sql.limits import Limits

        return Limits
    raise AttributeError(f"module 'terradrift' has no attribute {name!r}")
