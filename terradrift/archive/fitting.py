"""Fit a model on the archive's own pixels, once, and keep it with the archive."""

import os
from collections.abc import Callable, Iterator
from dataclasses import replace

import numpy as np

from terradrift import plugins
from terradrift.archive import modelling
from terradrift.archive.choosing import Choice
from terradrift.chip import TileImage
from terradrift.embed.sample import sample
from terradrift.ingest.plan import Plan, Unit
from terradrift.progress import stage
from terradrift.store.tables import Store

_UNITS = 48
"""Units that a fitted model looks at: enough days and places to meet the whole archive."""
_CLOUD = 50.0
"""Percent of cloud over the whole scene up to which it is looked at, where there are such."""


def fit(
    store: Store,
    choice: Choice,
    todo: Plan,
    images: Callable[[Plan, int], Iterator[TileImage]],
    *,
    quiet: bool,
) -> None:
    """Fit the model on some units of `todo`; `images(plan, halo_px)` reads them."""
    plugin = plugins.load(plugins.EMBEDDERS, choice.model)
    context: int = plugin.sample_context_px
    chosen = replace(todo, units=_spread(store, todo))
    with stage("fit", len(chosen.units), "units", quiet=quiet) as advance:
        seen = _counted(images(chosen, context), advance)
        fitted = plugin.fit(sample(seen, context_px=context))
    path = modelling.fitted_path(store, choice)
    path.parent.mkdir(exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}.tmp")
    fitted.save(temporary)
    temporary.replace(path)


def _spread(store: Store, todo: Plan) -> tuple[Unit, ...]:
    """Units spread over places and dates, of the clearer scenes where there are any."""
    table = store.scan("scenes", ["scene_id", "cloud_percent"]).read_all()
    cloud = dict(
        zip(
            table["scene_id"].to_pylist(),
            table["cloud_percent"].to_pylist(),
            strict=True,
        )
    )
    clear = [
        unit
        for unit in todo.units
        if min(cloud[scene] or 0.0 for scene in unit.scene_ids) <= _CLOUD
    ]
    units = clear or list(todo.units)
    steps = np.linspace(0, len(units) - 1, min(_UNITS, len(units)))
    return tuple(units[int(step)] for step in steps)


def _counted(
    images: Iterator[TileImage], advance: Callable[[int], None]
) -> Iterator[TileImage]:
    for image in images:
        advance(1)
        yield image
