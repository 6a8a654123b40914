"""The committed state of a watch: two files, and the table of alerts that names them.

The charts and the fitted reference are files; the table of alerts names them in its schema
metadata, so that one commit of the table is the commit of all three. A run that is killed
leaves the last commit, and files that nothing names, which the next run removes.
"""

import json
from collections import Counter
from dataclasses import asdict, dataclass, field

import numpy as np

from terradrift import schema
from terradrift.archive.runs import Run
from terradrift.archive.watch import days as watch_days
from terradrift.archive.watch import files as watch_files
from terradrift.archive.watch.alerts import Book
from terradrift.archive.watch.days import DAY
from terradrift.detect.monitor.chart import State
from terradrift.detect.monitor.reference import Reference
from terradrift.errors import ArchiveError
from terradrift.store.tables import Store

POINTER = b"terradrift:watch"
"""Schema metadata of the alerts: which files, and up to which observations."""


@dataclass(frozen=True, slots=True)
class Pointer:
    """Where the committed state is, and what it has seen."""

    reference: str
    state: str
    last: str
    """Last day that was judged, or the day before the start."""
    past: int
    """Observations before the start, as the reference was fitted."""
    seen: list[int]
    """Observations, and embedded units, of the days from the start to `last`."""
    kind: str = watch_files.KIND

    @property
    def day(self) -> np.datetime64:
        """`last` as a day."""
        return np.datetime64(self.last, "D")


def known(store: Store, model: str) -> Pointer:
    """The committed state.

    Raises:
        ArchiveError: nothing is watched under the model.
    """
    pointer = begun(store, model)
    if pointer is None:
        raise ArchiveError(
            f"{store.root} is not watched yet under {model}; begin with terradrift watch "
            "--start DATE"
        )
    return pointer


@dataclass(frozen=True, slots=True)
class Anew:
    """A reference that is fitted, and that no commit names yet."""

    reference: str
    past: int


@dataclass(slots=True, eq=False)
class Watch:
    """A watch under way."""

    store: Store
    model: str
    run: Run
    reference: Reference
    anew: Anew
    """Its file."""
    state: State
    last: np.datetime64
    book: Book
    counts: Counter[str] = field(default_factory=Counter)

    def commit(self) -> None:
        """State into a new file, then the table that names it, then the old file goes."""
        state = f"{schema.suffix(self.model)}.state.{self.last}.{self.run.run_id}.safetensors"
        watch_files.write_state(self.store, state, self.state)
        first = self.reference.start
        pointer = Pointer(
            self.anew.reference,
            state,
            str(self.last),
            self.anew.past,
            watch_days.fingerprint(self.store, self.model, first, self.last + DAY),
        )
        table = self.book.table()
        metadata = {**schema.alerts().metadata, POINTER: json.dumps(asdict(pointer))}
        stamped = table.replace_schema_metadata(metadata)
        self.store.overwrite(_table(self.model), stamped, stamped.schema)
        watch_files.sweep(self.store, self.model, {self.anew.reference, state})


def begun(store: Store, model: str) -> Pointer | None:
    """The committed state, None where nothing is watched yet.

    Raises:
        ArchiveError: it is of another terradrift.
    """
    table = _table(model)
    if not store.exists(table):
        return None
    told = (store.dataset(table).schema.metadata or {}).get(POINTER)
    if told is None:
        return None
    found = json.loads(told)
    if found.get("kind") != watch_files.KIND:
        raise ArchiveError(
            f"expected {watch_files.KIND} in {store.root}, got {found.get('kind')!r}; begin "
            "anew with terradrift watch --start DATE"
        )
    return Pointer(**found)


def from_start(store: Store, run: Run, model: str, anew: Anew) -> Watch:
    """A watch that has judged nothing yet."""
    held = watch_files.read_reference(store, anew.reference)
    return Watch(
        store,
        model,
        run,
        held,
        anew,
        State.empty(held.last, held.basis.axes.shape[1]),
        held.start - DAY,
        book(store, model),
    )


def _table(model: str) -> str:
    return f"alerts_{schema.suffix(model)}"


def book(store: Store, model: str) -> Book:
    """The alerts that are committed."""
    if not store.exists(_table(model)):
        return Book(schema.alerts().empty_table())
    held = store.scan(_table(model)).read_all()
    return Book(held.replace_schema_metadata(schema.alerts().metadata))
