"""Embedders and detectors by entry point; listing them imports nothing."""

from difflib import SequenceMatcher
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from terradrift.errors import UnknownPluginError

EMBEDDERS = "terradrift.embedders"
DETECTORS = "terradrift.detectors"
IMAGE_DETECTORS = "terradrift.image_detectors"

_ALIKE = 0.6
"""Least likeness, 0 to 1, of a name that may have been meant."""


def names(group: str) -> list[str]:
    """Sorted names of the plugins registered in `group`."""
    return sorted({entry.name for entry in entry_points(group=group)})


def find(group: str, name: str) -> EntryPoint:
    """The plugin registered as `name` in `group`, not imported yet.

    Raises:
        UnknownPluginError: no such name; the message says which are spelled alike, and
            where all are listed.
    """
    found = entry_points(group=group, name=name)
    if not found:
        hint = meant(name, names(group))
        every = (
            "`terradrift models` lists all"
            if group == EMBEDDERS
            else f"installed: {', '.join(names(group))}"
        )
        raise UnknownPluginError(f"no {group} plugin named {name!r}; {hint}{every}")
    return next(iter(found))


def meant(name: str, known: list[str]) -> str:
    """Such as `did you mean drift? `, by names of `known` spelled alike; empty if none is."""
    near = _alike(name, known)
    return f"did you mean {' or '.join(near)}? " if near else ""


def _alike(name: str, known: list[str]) -> list[str]:
    """At most three of `known` that resemble `name`, whole or up to their first dash."""

    def likeness(other: str) -> float:
        parts = (other, other.partition("-")[0])
        return max(SequenceMatcher(None, name.lower(), part).ratio() for part in parts)

    near = [other for other in known if likeness(other) >= _ALIKE]
    return sorted(near, key=likeness, reverse=True)[:3]


def load(group: str, name: str) -> Any:  # noqa: ANN401 - whatever the entry point names
    """Import the plugin registered as `name` in `group`; raises as `find`."""
    return find(group, name).load()
