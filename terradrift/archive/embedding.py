"""`embed`: pixels of every unit that is not in the store yet, through a model."""

from collections.abc import Collection, Iterator
from contextlib import nullcontext
from dataclasses import asdict, dataclass, field, replace
from types import ModuleType
from typing import Any

import pyarrow as pa

from terradrift import schema
from terradrift.archive import (
    choosing,
    fitting,
    halves,
    modelling,
    order,
    origins,
    reading,
)
from terradrift.archive.choosing import Choice
from terradrift.archive.cluster import Cluster, Share, connected
from terradrift.archive.reading import Reading
from terradrift.archive.runs import Run
from terradrift.chip import TileImage
from terradrift.embed import contract
from terradrift.embed.how import How
from terradrift.embed.protocol import Embedder, ModelCard
from terradrift.embed.run import embed as embed_stream
from terradrift.embed.run import metadata
from terradrift.errors import ArchiveError, SourceError, TerradriftError
from terradrift.ingest import plan as planning
from terradrift.ingest.plan import Plan
from terradrift.ingest.read import read
from terradrift.progress import Advance, stage
from terradrift.store import units
from terradrift.store.committer import Committer
from terradrift.store.tables import Settings, Store
from terradrift.store.unit import Pair


@dataclass(frozen=True, slots=True)
class EmbedOptions:
    """How to embed."""

    model: str = "mosaiks"
    """The registered name."""
    how: How = field(default_factory=How)
    precision: str = "auto"
    device: str = "auto"
    threads: int = 1
    skip_bad: bool = False
    quiet: bool = False
    cluster: Cluster | None = None
    """None: this process alone."""
    current: bool = True
    """Whether views and later verbs speak of the model from now on."""

    @property
    def choice(self) -> Choice:
        """Model and how it is used."""
        return Choice(self.model, self.how)

    @property
    def stored(self) -> str:
        """The model's name in the archive."""
        return self.choice.stored

    def parameters(self) -> dict[str, Any]:
        """What is written into `runs`."""
        return {
            "model": self.stored,
            "precision": self.precision,
            "device": self.device,
            **({"cluster": asdict(self.cluster)} if self.cluster else {}),
            **choosing.remembered(self.choice),
        }


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


def plan(store: Store, choice: Choice, leave: Collection[Pair] = ()) -> Plan:
    """What `embed` would read, counted; opens no file.

    `leave` are scenes and tiles that are left out.
    """
    if not store.exists("scenes"):
        raise ArchiveError(
            f"{store.root} holds no scenes yet; run terradrift ingest first"
        )
    scenes, patches = (store.scan(name).read_all() for name in ("scenes", "patches"))
    return plan_of(store, choice, scenes, patches, store.settings, leave=leave)


def plan_of(
    store: Store,
    choice: Choice,
    scenes: pa.Table,
    patches: pa.Table,
    held: Settings,
    *,
    leave: Collection[Pair] = (),
) -> Plan:
    """What of these scenes and patches the archive has no embeddings for.

    `leave` are scenes and tiles that are left out beside those.
    """
    done = units.done(store, choice.stored) | set(leave)
    return planning.plan(scenes, patches, held.grid, held.bands, done)


def embed(store: Store, run: Run, options: EmbedOptions) -> EmbedResult:
    """Embed all that is missing; each unit is in the store whole or not at all.

    Raises:
        SourceError: a file cannot be read (unless `skip_bad`).
        ArchiveError: scenes are older than stored vectors of several dates (unless
            `skip_bad`), or not such as the model was made for.
        UnknownPluginError: no such model.
        ModelMismatchError: the archive's vectors come from another revision of it, or were
            made in another precision that it does not allow beside.
    """
    bad: dict[str, str] = {}
    todo = _in_time(store, options, bad)
    if not todo.units:
        _show(store, options)
        return EmbedResult(todo, 0, bad)
    with connected(options.cluster) if options.cluster else nullcontext() as cluster:
        embedder = _embedder(store, todo, options, bad)
        columns = _columns(store, embedder.card, options.choice)
        device = (
            options.device if cluster is None else cluster[1].device(options.device)
        )
        precision = modelling.precision(options.choice, embedder, device)
        held = halves.settle(store, options.choice, embedder.card, precision)
        columns = columns.with_metadata({**columns.metadata, halves.PRECISION: held})
        way = _reading(store, todo, options.how)
        if cluster is None:
            _show(store, options)
        with stage("embed", len(todo.units), "units", quiet=options.quiet) as advance:
            work = _Work(store, run.run_id, options, embedder, precision, columns, way)
            if cluster is None:
                rows = _alone(work, bad, advance)
            else:
                rows = _together(work, cluster, bad, advance)
    run.rows = rows
    if rows == 0 and not store.exists(units.embeddings_table(options.stored)):
        raise SourceError(_nothing_clear(todo))
    return EmbedResult(todo, rows, bad)


def _in_time(store: Store, options: EmbedOptions, bad: dict[str, str]) -> Plan:
    """What is to be embedded, without what comes too late for a model of several dates.

    Raises:
        ArchiveError: there is such, and `skip_bad` is not set.
    """
    choice = options.choice
    todo = plan(store, choice)
    late = order.too_late(store, todo, choice)
    if not options.skip_bad:
        order.refuse(store, late, choice)
    if not late:
        return todo
    pairs = {(scene, unit.tile) for unit in late for scene in unit.scene_ids}
    for scene in sorted({scene for scene, _ in pairs}):
        of_scene = tuple(unit for unit in late if scene in unit.scene_ids)
        bad[scene] = order.reason(of_scene, choice)
    return plan(store, choice, pairs)


def _show(store: Store, options: EmbedOptions) -> None:
    """Let views and later verbs speak of the model, if they are to."""
    if options.current and store.settings.model != options.stored:
        store.update(replace(store.settings, model=options.stored))


@dataclass(frozen=True, slots=True, eq=False)
class _Work:
    store: Store
    run_id: str
    options: EmbedOptions
    embedder: Embedder
    precision: str
    """The one that is used: fp32 or bf16."""
    columns: pa.Schema
    way: Reading


def _alone(work: _Work, bad: dict[str, str], advance: Advance) -> int:
    """Embed in this process; gives rows."""
    store, options, way = work.store, work.options, work.way
    images = _images(store, way.plan, options, work.embedder.card.context_px, bad)
    rows = 0
    with units.Writer(store, options.stored, work.columns) as writer:
        for done in embed_stream(
            images,
            work.embedder,
            run_id=work.run_id,
            device=options.device,
            threads=options.threads,
            allow_mismatch=options.how.allow_mismatch,
            wanted=way.wanted,
            visits=way.visits,
        ):
            writer.add(done.tile, done.scene_ids, done.batch)
            rows += done.batch.num_rows
            advance(1)
    return rows


def _together(
    work: _Work,
    cluster: tuple[ModuleType, Share],
    bad: dict[str, str],
    advance: Advance,
) -> int:
    """Embed on the workers of a cluster; gives rows."""
    from terradrift.archive import distributed
    from terradrift.archive.worker import Task

    store, options, (ray, share) = work.store, work.options, cluster
    with Committer(store, options.stored, work.columns) as committer:
        task = Task(
            target=committer.target,
            choice=options.choice,
            card=work.embedder.card,
            run_id=work.run_id,
            device=share.device(options.device),
            precision=work.precision,
            threads=share.threads,
            skip_bad=options.skip_bad,
        )
        rows = distributed.embed(
            ray,
            share,
            task,
            reading=work.way,
            grid=store.settings.grid,
            committer=committer,
            bad=bad,
            advance=advance,
        )
        _show(store, options)
    return rows


def _reading(store: Store, todo: Plan, how: How) -> Reading:
    """What is read to embed `todo`."""
    if how.dates == 1:
        return reading.alone(todo)
    held = store.settings
    scenes, patches = (store.scan(name).read_all() for name in ("scenes", "patches"))
    whole = planning.plan(scenes, patches, held.grid, held.bands, ())
    return reading.with_days_before(todo, whole, how.dates, held.grid)


def _columns(store: Store, card: ModelCard, choice: Choice) -> pa.Schema:
    """Schema of the model's table; its metadata name the model and how it is used.

    Raises:
        ArchiveError: the scenes are not such as the model was made for.
    """
    bands = store.settings.bands
    try:
        origin = origins.origin(store, card)
        contract.check(
            card, bands=bands, origin=origin, allow_mismatch=choice.how.allow_mismatch
        )
    except ValueError as error:
        raise ArchiveError(f"{store.root}: {error}") from error
    named = metadata(card, bands, origin)
    return schema.embeddings(card.dimensions, **named, **choosing.remembered(choice))


def _embedder(
    store: Store, todo: Plan, options: EmbedOptions, bad: dict[str, str]
) -> Embedder:
    """The model for this archive; one that is fitted is fitted first, once.

    Raises:
        ArchiveError: the archive's bands or patches do not fit the model.
    """
    if modelling.unfitted(store, options.choice):

        def images(chosen: Plan, halo_px: int) -> Iterator[TileImage]:
            return _images(store, chosen, options, halo_px, bad)

        fitting.fit(store, options.choice, todo, images, quiet=options.quiet)
    try:
        return modelling.opened(store, options.choice, options.precision)
    except TerradriftError:
        raise
    except ValueError as error:
        raise ArchiveError(f"{store.root}: {error}") from error


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
