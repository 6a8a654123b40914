"""What a worker of a cluster does: read, embed and write a bundle of units, uncommitted."""

import os
import socket
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from terradrift.archive import modelling
from terradrift.archive.bundles import Bundle
from terradrift.archive.choosing import Choice
from terradrift.embed.protocol import Embedder, ModelCard
from terradrift.embed.run import embed as embed_stream
from terradrift.errors import ModelMismatchError
from terradrift.ingest.read import read
from terradrift.store import parts
from terradrift.store.parts import Part, Target, Unit
from terradrift.store.tables import Store

_MODELS = "TERRADRIFT_MODELS"


@dataclass(frozen=True, slots=True)
class Task:
    """What is the same for all bundles."""

    target: Target
    choice: Choice
    card: ModelCard
    """Of the model as the driver has it; a worker with another one is refused."""
    run_id: str
    device: str
    precision: str
    """`fp32` or `bf16`, as the driver has settled it, so that all workers do the same."""
    threads: int
    skip_bad: bool
    models: str | None = field(default_factory=lambda: os.environ.get(_MODELS))
    """Folder of weights where it is not the usual one; the workers' must be the same."""


@dataclass(frozen=True, slots=True)
class Written:
    """What became of a bundle."""

    part: Part
    rows: int
    bad: dict[str, str]
    """Scenes that could not be read, with the reason."""


class Worker:
    """Holds one model; takes bundles one after the other."""

    def __init__(self, task: Task) -> None:
        self._task = task
        if task.models is not None:
            os.environ[_MODELS] = task.models

    def embed(self, bundle: Bundle) -> Written:
        """Read, embed and write the bundle; what is written is of no version yet.

        Raises:
            ModelMismatchError: the model here is not the driver's.
            Otherwise as the plain run.
        """
        task, reading = self._task, bundle.reading
        bad: dict[str, str] = {}
        rows = 0

        def units() -> Iterator[Unit]:
            nonlocal rows
            images = read(
                reading.plan,
                self._store.settings.grid,
                halo_px=task.card.context_px,
                threads=task.threads,
                skip_bad=task.skip_bad,
                on_bad=bad.__setitem__,
            )
            for done in embed_stream(
                images,
                self._embedder,
                run_id=task.run_id,
                device=task.device,
                threads=task.threads,
                allow_mismatch=task.choice.how.allow_mismatch,
                wanted=reading.wanted,
                visits=reading.visits,
            ):
                rows += done.batch.num_rows
                yield done.tile, done.scene_ids, done.batch

        part = parts.write(task.target, units(), bundle.clash)
        return Written(part, rows, bad)

    @cached_property
    def _store(self) -> Store:
        return Store.open(self._task.target.root)

    @cached_property
    def _embedder(self) -> Embedder:
        task = self._task
        found = modelling.opened(self._store, task.choice, task.precision)
        if found.card != task.card:
            raise ModelMismatchError(
                f"{socket.gethostname()} has another {task.choice.stored} than the "
                f"machine that asks: expected {_shown(task.card)}, got "
                f"{_shown(found.card)}; put the same terradrift and weights on both"
            )
        return found


def _shown(card: ModelCard) -> str:
    weights = f", weights {card.weights_sha256[:12]}" if card.weights_sha256 else ""
    return f"revision {card.revision}{weights}"
