"""What of an example is compared with what of a row (pure)."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from terradrift.errors import QueryError

ModeName = Literal[
    "delta", "before-after", "after", "reverse", "after-before", "before"
]
Target = Literal["changes", "observations"]

MODES: tuple[ModeName, ...] = get_args(ModeName)
TARGETS: tuple[Target, ...] = get_args(Target)


@dataclass(frozen=True, slots=True)
class Mode:
    """Parts of the example, and the columns of the rows that they are compared with."""

    name: ModeName
    parts: tuple[str, ...]
    """Of the example: `before`, `after`, `delta`."""
    columns: tuple[str, ...]
    """Of the table searched, one for each part; their vectors count as one, end to end."""
    sign: float = 1.0
    """What the example's vectors are multiplied by, in the space."""

    def __str__(self) -> str:
        return self.name

    @property
    def steps(self) -> bool:
        """Whether steps are compared, not states."""
        return self.parts == ("delta",)

    @property
    def opposite(self) -> bool:
        """Whether what is looked for is not the example itself, but what undoes it."""
        return self.name in ("reverse", "after-before")


_OF_CHANGES: Mapping[ModeName, Mode] = {
    "delta": Mode("delta", ("delta",), ("delta",)),
    "reverse": Mode("reverse", ("delta",), ("delta",), -1.0),
    "before-after": Mode("before-after", ("before", "after"), ("before", "after")),
    "after-before": Mode("after-before", ("after", "before"), ("before", "after")),
    "after": Mode("after", ("after",), ("after",)),
    "before": Mode("before", ("before",), ("before",)),
}
_OF_OBSERVATIONS: Mapping[ModeName, Mode] = {
    "after": Mode("after", ("after",), ("embedding",)),
    "before": Mode("before", ("before",), ("embedding",)),
}


def resolve(mode: str | None, target: str) -> Mode:
    """The mode of that name; None: `delta` of changes, `after` of observations.

    Raises:
        QueryError: no such mode or target, or one that does not suit the other.
    """
    if target not in TARGETS:
        raise QueryError(f"target must be {' or '.join(TARGETS)}, got {target!r}")
    if mode is not None and mode not in MODES:
        raise QueryError(f"mode must be one of {', '.join(MODES)}, got {mode!r}")
    if target == "changes":
        return _OF_CHANGES[mode or "delta"]
    chosen = _OF_OBSERVATIONS.get(mode or "after")
    if chosen is None:
        raise QueryError(
            f"observations have one vector: mode must be after or before, got {mode!r}"
        )
    return chosen
