"""`embed`: pixels of every unit that is not in the store yet, through a model."""

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from terradrift import plugins, schema
from terradrift.archive.runs import Run
from terradrift.chip import TileImage
from terradrift.embed.protocol import Embedder
from terradrift.embed.run import embed as embed_stream
from terradrift.embed.run import metadata
from terradrift.embed.sample import sample
from terradrift.errors import ArchiveError, ModelMismatchError, SourceError
from terradrift.ingest import plan as planning
from terradrift.ingest.plan import Plan, Unit
from terradrift.ingest.read import read
from terradrift.progress import stage
from terradrift.store import units
from terradrift.store.tables import Settings, Store

_FIT_UNITS = 48
"""Units that a fitted model looks at: enough days and places to meet the whole archive."""
_FIT_CLOUD = 50.0
"""Percent of cloud over the whole scene up to which it is looked at, where there are such."""


@dataclass(frozen=True, slots=True)
class EmbedOptions:
    """How to embed."""

    model: str = "mosaiks"
    device: str = "auto"
    threads: int = 1
    skip_bad: bool = False
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class EmbedResult:
    """What one `embed` did."""

    plan: Plan
    rows: int
    bad: dict[str, str]
    """Scenes that could not be read, with the reason."""

    def summary(self) -> dict[str, Any]:
        """As a record."""
        return {"rows": self.rows, **self.plan.summary(), "skipped": self.bad}

    def __str__(self) -> str:
        words = f"{self.rows:,} observations embedded"
        for scene, reason in self.bad.items():
            words += f"\nskipped {scene}: {reason}"
        return words


def plan(store: Store, model: str) -> Plan:
    """What `embed` would read, counted; opens no file."""
    if not store.exists("scenes"):
        raise ArchiveError(
            f"{store.root} holds no scenes yet; run terradrift ingest first"
        )
    scenes, patches = (store.scan(name).read_all() for name in ("scenes", "patches"))
    return plan_of(store, model, scenes, patches, store.settings)


def plan_of(
    store: Store, model: str, scenes: pa.Table, patches: pa.Table, held: Settings
) -> Plan:
    """What of these scenes and patches the archive has no embeddings for."""
    return planning.plan(
        scenes, patches, held.grid, held.bands, units.done(store, model)
    )


def embed(store: Store, run: Run, options: EmbedOptions) -> EmbedResult:
    """Embed all that is missing; each unit is in the store whole or not at all.

    Raises:
        SourceError: a file cannot be read (unless `skip_bad`).
        UnknownPluginError: no such model.
        ModelMismatchError: the archive's vectors come from another revision of it.
    """
    todo = plan(store, options.model)
    bad: dict[str, str] = {}
    if not todo.units:
        return EmbedResult(todo, 0, bad)
    embedder = _embedder(store, todo, options, bad)
    table = f"embeddings_{schema.suffix(options.model)}"
    columns = schema.embeddings(
        embedder.card.dimensions, **metadata(embedder.card, store.settings.bands)
    )
    images = _images(store, todo, options, embedder.card.context_px, bad)
    rows = 0
    if store.settings.model != options.model:
        store.update(replace(store.settings, model=options.model))
    with (
        stage("embed", len(todo.units), "units", quiet=options.quiet) as advance,
        units.Writer(store, options.model, columns) as writer,
    ):
        for done in embed_stream(
            images,
            embedder,
            run_id=run.run_id,
            device=options.device,
            threads=options.threads,
        ):
            writer.add(done.tile, done.scene_ids, done.batch)
            rows += done.batch.num_rows
            advance(1)
    run.rows = rows
    if rows == 0 and not store.exists(table):
        raise SourceError(_nothing_clear(todo))
    return EmbedResult(todo, rows, bad)


def _embedder(
    store: Store, todo: Plan, options: EmbedOptions, bad: dict[str, str]
) -> Embedder:
    """The model for this archive: made for its bands, or fitted once and kept with it."""
    plugin = plugins.load(plugins.EMBEDDERS, options.model)
    if not getattr(plugin, "needs_fit", False):
        made: Embedder = plugin.for_bands(store.settings.bands)
        return made
    path = store.root / "models" / f"{schema.suffix(options.model)}.safetensors"
    if not path.exists():
        _check_fittable(store, options.model, path)
        context: int = plugin.sample_context_px
        chosen = replace(todo, units=_spread(store, todo))
        with stage("fit", len(chosen.units), "units", quiet=options.quiet) as advance:
            images = _images(store, chosen, options, context, bad)
            fitted = plugin.fit(sample(_counted(images, advance), context_px=context))
        path.parent.mkdir(exist_ok=True)
        temporary = path.with_suffix(f".{os.getpid()}.tmp")
        fitted.save(temporary)
        temporary.replace(path)
    loaded: Embedder = plugin.load(path)
    return loaded


def _check_fittable(store: Store, model: str, path: Path) -> None:
    """Refuse to fit anew where the archive's vectors come from a fit that is not here."""
    table = f"embeddings_{schema.suffix(model)}"
    if store.exists(table) and store.count(table):
        raise ModelMismatchError(
            f"{store.root} holds vectors of a fitted {model} that is not with them, as after "
            f"an import; copy models/{path.name} of the archive they come from to {path}"
        )


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
        if min(cloud[scene] or 0.0 for scene in unit.scene_ids) <= _FIT_CLOUD
    ]
    units = clear or list(todo.units)
    steps = np.linspace(0, len(units) - 1, min(_FIT_UNITS, len(units)))
    return tuple(units[int(step)] for step in steps)


def _counted(
    images: Iterator[TileImage], advance: Callable[[int], None]
) -> Iterator[TileImage]:
    for image in images:
        advance(1)
        yield image


def _nothing_clear(todo: Plan) -> str:
    return (
        f"none of {todo.observations:,} observations has a clear pixel in every band; "
        "check the mask (--mask none reads without one), nodata values and --datetime"
    )


def _images(
    store: Store, todo: Plan, options: EmbedOptions, halo_px: int, bad: dict[str, str]
) -> Iterator[TileImage]:
    return read(
        todo,
        store.settings.grid,
        halo_px=halo_px,
        threads=options.threads,
        skip_bad=options.skip_bad,
        on_bad=bad.__setitem__,
    )
