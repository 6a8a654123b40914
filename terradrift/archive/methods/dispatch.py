"""The methods of `detect --method`: known by name, found when asked for, run on an archive.

Every image detector of the entry-point group is one (`image_methods.py`); those that look
at vectors, or at the whole archive, are listed here.
"""

import inspect
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np

from terradrift import plugins
from terradrift.archive.methods import setting_values
from terradrift.archive.methods.method import Judged, Request
from terradrift.archive.runs import Run
from terradrift.errors import UnknownPluginError
from terradrift.period import Period
from terradrift.store.tables import Store

_ON_PIXELS = "terradrift.archive.pixels.methods"


class Method(Protocol):
    """Judges an archive's observations and keeps what it says as a table of anomalies."""

    def __call__(self, store: Store, run: Run, request: Request, /) -> Judged:
        """Judge as asked; `request.settings` are of the types of the settings' fields."""
        ...


@dataclass(frozen=True, slots=True)
class Listed:
    """Where a method is; nothing of it is imported until it is asked for."""

    function: str
    """`module:function`, a `Method`."""
    settings: str
    """`module:class`, the dataclass whose fields `--set` takes."""
    line: str
    """What it does, in one line."""


METHODS: dict[str, Listed] = {
    "local": Listed(
        "terradrift.archive.methods.local:detect",
        "terradrift.archive.methods.local:Settings",
        "embeddings beside all of their patch's own clear past, by distance or by LOF",
    ),
    "segments": Listed(
        "terradrift.archive.segments.segmenting:detect",
        "terradrift.archive.segments.segmenting:Settings",
        "regions of an image beside the most alike of all their earlier dates",
    ),
    "seasonal": Listed(
        "terradrift.archive.methods.seasonal:detect",
        "terradrift.detect.seasonal.settings:Settings",
        "embeddings beside their season's past, less what the whole scene went through",
    ),
}
"""By name; image detectors are found by their entry points and do not stand here."""


def lines() -> dict[str, str]:
    """Every method's name and what it does in one line, sorted."""
    found = {name: listed.line for name, listed in METHODS.items()}
    for name in plugins.names(plugins.IMAGE_DETECTORS):
        told = inspect.getdoc(plugins.load(plugins.IMAGE_DETECTORS, name)) or ""
        found.setdefault(name, told.partition("\n")[0])
    return dict(sorted(found.items()))


def check(name: str) -> None:
    """Raise unless there is such a method.

    Raises:
        UnknownPluginError: no such method; the message lists all, with a line each.
    """
    if name in METHODS or name in plugins.names(plugins.IMAGE_DETECTORS):
        return
    known = lines()
    hint = plugins.meant(name, list(known))
    told = "; ".join(f"{each}: {line}" for each, line in known.items())
    raise UnknownPluginError(f"no method named {name!r}; {hint}there are: {told}")


def settings(name: str, given: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a method, checked; values that are text become the fields' types.

    Raises:
        UnknownPluginError: no such method.
        ValueError: no such setting, or a value of another type.
    """
    check(name)
    if name in METHODS:
        classes = [_load(METHODS[name].settings)]
    else:
        on_pixels = import_module(_ON_PIXELS)
        classes = [on_pixels.Settings, plugins.load(plugins.IMAGE_DETECTORS, name)]
    return setting_values.checked(given, classes, name)


def request(
    method: str,
    model: str,
    given: Mapping[str, Any],
    *,
    since: str | None,
    until: str | None,
    maps: str | Path | None,
    device: str,
    threads: int,
    quiet: bool,
) -> Request:
    """What is asked for, checked; `given` are settings, dates are as `Period` reads them.

    Raises: as `settings`, and ValueError for what is no date or an empty period.
    """
    period = Period.parse(f"{since or '..'}/{until or '..'}")
    last = np.datetime64((period.end - timedelta(microseconds=1)).date())
    return Request(
        method=method,
        model=model,
        since=np.datetime64(period.start.date()) if since else None,
        until=last if until else None,
        maps=None if maps is None else Path(maps),
        settings=settings(method, given),
        threads=threads,
        device=device,
        quiet=quiet,
    )


def refuse_alone(given: Mapping[str, Any]) -> None:
    """Raise where an option of methods is given without one.

    Raises:
        ValueError: names the options.
    """
    if names := [name for name, value in given.items() if value not in (None, "auto")]:
        raise ValueError(
            f"{' and '.join(names)} only go with a method; pass one of "
            f"{', '.join(lines())}"
        )


def detect(store: Store, run: Run, request: Request) -> Judged:
    """Run the method that is asked for; its rows replace what it said before.

    Raises:
        ValueError: a setting is out of range.
        ArchiveError: the archive does not hold what it needs.
    """
    listed = METHODS.get(request.method)
    method: Method = _load(listed.function if listed else f"{_ON_PIXELS}:detect")
    done = method(store, run, request)
    run.rows, run.message = done.observations, str(done)
    return done


def _load(target: str) -> Any:  # noqa: ANN401 - whatever the target names
    module, _, name = target.partition(":")
    return getattr(import_module(module), name)
