"""Embedders and detectors by entry point; listing them imports nothing."""

from importlib.metadata import EntryPoint, entry_points
from typing import Any

from terradrift.errors import UnknownPluginError

EMBEDDERS = "terradrift.embedders"
DETECTORS = "terradrift.detectors"


def names(group: str) -> list[str]:
    """Sorted names of the plugins registered in `group`."""
    return sorted({entry.name for entry in entry_points(group=group)})


def find(group: str, name: str) -> EntryPoint:
    """The plugin registered as `name` in `group`, not imported yet.

    Raises:
        UnknownPluginError: no such name; the message lists the installed ones.
    """
    found = entry_points(group=group, name=name)
    if not found:
        raise UnknownPluginError(
            f"no {group} plugin named {name!r}; installed: {', '.join(names(group))}"
        )
    return next(iter(found))


def load(group: str, name: str) -> Any:  # noqa: ANN401 - whatever the entry point names
    """Import the plugin registered as `name` in `group`; raises as `find`."""
    return find(group, name).load()
