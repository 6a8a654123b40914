"""`detect`: the store's histories through detection, and its answers into the store."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, fields
from typing import Any

import pyarrow.compute as pc

from terradrift import __version__, schema
from terradrift.archive import spacing
from terradrift.archive.found import Gathering, changes_table, events_table
from terradrift.archive.runs import Run
from terradrift.archive.staging import with_q_values
from terradrift.archive.stamp import STAMP, observed, stamp_of
from terradrift.detect import run as detection
from terradrift.detect.block import Block
from terradrift.detect.settings import Settings
from terradrift.errors import ArchiveError
from terradrift.grid import Grid
from terradrift.progress import stage
from terradrift.space import RAW
from terradrift.store import series, spaces
from terradrift.store.tables import Store

_COMPARABLE = 2
"""Clear dates of a patch that drift takes."""
_BY_DRIFT = (
    "SELECT patch_id, datetime, drift FROM scores ORDER BY drift DESC NULLS LAST"
)
_REASONS = "SELECT reason, count(*) FROM scores GROUP BY ALL"


_TABLES = [
    schema.name(table)
    for table in (
        schema.scores(),
        schema.changes(1),
        schema.patch_changes(),
        schema.events(),
    )
]
"""What is written: tables of an earlier form are made anew."""


@dataclass(frozen=True, slots=True)
class Detected:
    """What one `detect` found."""

    observations: int
    scored: int
    """Observations with a p-value; the others say why not."""
    changes: int
    events: int
    dates: int
    """Dates on which the most often seen patch was clear enough."""
    dates_needed: int
    """Clear dates that a change takes: before and after it."""
    fresh: bool
    """False where nothing had changed since the last time, so that nothing was done."""

    def __str__(self) -> str:
        words = (
            f"{self.changes:,} changes in {self.events:,} events; {self.scored:,} of "
            f"{self.observations:,} observations could be calibrated"
        )
        if self.dates < self.dates_needed:
            words += (
                f"; no patch is clear on more than {self.dates} dates, and a change takes "
                f"{self.dates_needed}: ingest more, or rank by distance alone: {_BY_DRIFT}"
            )
        elif self.observations and not self.scored:
            words += f"; the reasons: {_REASONS}"
        return words if self.fresh else f"up to date: {words}"

    def summary(self) -> dict[str, Any]:
        """As a record."""
        return asdict(self)


def detect(
    store: Store,
    run: Run,
    model: str,
    settings: dict[str, Any],
    *,
    threads: int,
    quiet: bool,
) -> Detected:
    """Score all observations; replace scores, changes, patch changes and events, each in one commit.

    Nothing is done where neither embeddings nor settings changed since the last time.

    Raises:
        ArchiveError: nothing is embedded yet, no patch is clear on two dates, or a
            setting is not known.
        ValueError: a setting is out of range.
    """
    name = schema.suffix(model)
    if not store.exists(f"embeddings_{name}"):
        raise ArchiveError(
            f"{store.root} holds no embeddings of {model}; run terradrift embed first"
        )
    rules = _settings(settings)
    held = observed(store, model)
    space = spaces.current(store, model)
    label = space.label if space else RAW
    stamp = json.dumps(
        {
            **held,
            **asdict(rules),
            "space": label,
            "version": __version__,
            "tables": _TABLES,
        },
        sort_keys=True,
    )
    if stamp_of(store, f"events_{name}") == stamp.encode():
        spacing.keep_for_states(store, model, quiet=quiet)
        return _counts(store, name, rules, fresh=False)
    if (dates := _dates(store, f"embeddings_{name}", rules)) < _COMPARABLE:
        raise ArchiveError(
            f"expected patches that are {rules.min_clear:g} % clear on at least "
            f"{_COMPARABLE} dates, got {dates}: there is nothing to compare; what is "
            "embedded stays, ingest more scenes and run again"
        )
    spacing.keep_for_states(store, model, quiet=quiet)
    gathering = Gathering()
    with stage("detect", _patches(store, model), "patches", quiet=quiet) as advance:
        blocks = detection.detect(
            lambda: series.blocks(store, model),
            rules,
            threads=threads,
            advance=advance,
            space=space,
        )
        kept = _kept(blocks, gathering, model, store.settings.grid, run.run_id)
        rows = with_q_values(store, kept, store.settings.grid, run.run_id)
        store.overwrite(f"scores_{name}", rows, schema.scores())
    found = gathering.found()
    if found is None:
        raise ArchiveError(f"{store.root} holds no observation under {model}")
    groups = found.events()
    dimensions = _dimensions(store, f"embeddings_{name}")
    changes = changes_table(found, groups, dimensions, threads)
    events = events_table(found, groups)
    store.overwrite(f"changes_{name}", changes, changes.schema)
    patches = gathering.patches()
    store.overwrite(f"patch_changes_{name}", patches, patches.schema)
    stamped = events.replace_schema_metadata({**events.schema.metadata, STAMP: stamp})
    store.overwrite(f"events_{name}", stamped, stamped.schema)
    run.rows = store.count(f"scores_{name}")
    done = _counts(store, name, rules, fresh=True)
    run.message = str(done)
    return done


def _settings(given: dict[str, Any]) -> Settings:
    known = {field.name for field in fields(Settings)}
    if unknown := sorted(given.keys() - known):
        raise ArchiveError(
            f"detect has no setting {', '.join(unknown)}; it has {', '.join(sorted(known))}"
        )
    return Settings(**given)


def _kept(
    blocks: Iterator[Block], gathering: Gathering, model: str, grid: Grid, run_id: str
) -> Iterator[Block]:
    """The blocks, with the changes of each kept on the way."""
    for block in blocks:
        gathering.add(model, grid, run_id, block)
        yield block


def _patches(store: Store, model: str) -> int:
    """Patches that have an observation."""
    column = store.scan(f"embeddings_{schema.suffix(model)}", ["patch_id"]).read_all()
    return len(column["patch_id"].unique())


def _dimensions(store: Store, table: str) -> int:
    return int(store.dataset(table).schema.field("embedding").type.list_size)


def _dates(store: Store, table: str, rules: Settings) -> int:
    """Dates on which the most often seen patch was clear enough."""
    clear = store.scan(
        table, ["patch_id"], f"clear_percent >= {float(rules.min_clear)}"
    ).read_all()
    dates = clear.group_by("patch_id").aggregate([([], "count_all")])["count_all"]
    return pc.max(dates).as_py() or 0


def _counts(store: Store, name: str, rules: Settings, *, fresh: bool) -> Detected:
    return Detected(
        observations=store.count(f"scores_{name}"),
        scored=store.count(f"scores_{name}", "p_value IS NOT NULL"),
        changes=store.count(f"changes_{name}"),
        events=store.count(f"events_{name}"),
        dates=_dates(store, f"scores_{name}", rules),
        dates_needed=2 * rules.min_segment,
        fresh=fresh,
    )
