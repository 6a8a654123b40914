"""`taxonomy`: regimes of ground and their paths through time, for every patch."""

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
import pyarrow as pa

from terradrift import __version__, schema
from terradrift.archive.methods import anomalies
from terradrift.archive.runs import Run
from terradrift.archive.stamp import STAMP, observed, stamp_of
from terradrift.archive.taxonomy import model as taxonomy_model
from terradrift.archive.taxonomy import refining as taxonomy_refining
from terradrift.archive.taxonomy import rows
from terradrift.archive.taxonomy.model import Fitted
from terradrift.archive.taxonomy.norms import Left, Standard, members
from terradrift.archive.taxonomy.paths import (
    COMPONENTS,
    Census,
    Histories,
    Read,
    projection,
    stream,
)
from terradrift.archive.taxonomy.tally import Tally
from terradrift.detect.settings import Settings as Clear
from terradrift.detect.taxonomy.assign import Assigned, assign
from terradrift.detect.taxonomy.names import Name
from terradrift.detect.taxonomy.paths import Paths, calendar
from terradrift.detect.taxonomy.settings import Settings
from terradrift.detect.taxonomy.tree import fit
from terradrift.errors import ArchiveError
from terradrift.period import Period
from terradrift.progress import stage
from terradrift.space import RAW, Space
from terradrift.store import spaces
from terradrift.store.tables import Store
from terradrift.threads import single_blas


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a taxonomy is asked for, beside the settings of the clustering."""

    period: str | None = None
    """As STAC writes it; None: all days."""
    steps: int | None = None
    """Of the calendar; None: by the data."""
    season: bool = False
    """Take all years together: steps are days of the year."""
    min_clear: float = 70.0
    """Percent; observations that are less clear take no part."""
    refine: bool = False
    """Learn a space from the regimes, and find them anew in it."""
    stability: bool = False
    """Find them again by other seeds, patches and dates, and say how far they agree."""


@dataclass(frozen=True, slots=True)
class Classified:
    """What one `taxonomy` found."""

    patches: int
    placed: int
    """Patches with a regime; the others say why not."""
    ground: int
    leaves: int
    steps: int
    notes: tuple[str, ...]
    fresh: bool
    """False where nothing had changed since the last time, so that nothing was done."""

    def __str__(self) -> str:
        words = (
            f"{self.ground} regimes of ground, {self.leaves} paths through time at "
            f"{self.steps} steps; {self.placed:,} of {self.patches:,} patches placed"
        )
        words = "; ".join((words, *self.notes))
        return words if self.fresh else f"up to date: {words}"

    def summary(self) -> dict[str, Any]:
        """As a record."""
        return asdict(self)


def taxonomy(
    store: Store,
    run: Run,
    model: str,
    settings: Settings,
    asked: Asked,
    *,
    threads: int,
    quiet: bool,
) -> Classified:
    """Find regimes on a sample and place every patch; replaces both tables.

    Nothing is done where neither observations nor settings changed since the last time.

    Raises:
        ArchiveError: nothing is embedded, nothing is clear, or too few patches are known at
            all steps.
        ValueError: a period that cannot be read, or a setting out of range.
    """
    held = _held(store, model)
    period = _days(asked.period)
    space = spaces.current(store, model)
    made_from = {
        "held": held,
        "settings": asdict(settings),
        "asked": asdict(asked),
        "space": space.label if space else RAW,
        "version": __version__,
        "tables": [schema.name(schema.taxonomy()), schema.name(schema.regimes())],
    }
    before = _whole(store, model)
    if before and (before["made_from"], before["held"]) == (made_from, held):
        return _counts(store, model, before, fresh=False)
    with single_blas():
        fitted = _found(
            store, model, settings, asked, period, threads=threads, quiet=quiet
        )
    number = taxonomy_model.newest(store, model) + 1
    taxonomy_model.write(store, model, number, fitted)
    notes = (*fitted.taxonomy.notes, *_knew(fitted))
    stamp = {"made_from": made_from, "held": held, "number": number, "notes": notes}
    return _placed(store, run, model, fitted, stamp, threads=threads, quiet=quiet)


def place(
    store: Store, run: Run, model: str, *, threads: int, quiet: bool
) -> Classified:
    """Place every patch among the regimes that were found before; nothing is fitted.

    Regimes keep their names; their sizes and representatives are counted anew.

    Raises:
        ArchiveError: there are none yet, or their file is gone.
    """
    before = taxonomy_model.stamp(store, model)
    if not before:
        raise ArchiveError(
            f"{store.root} holds no taxonomy of {model}; run terradrift taxonomy without "
            "--assign first"
        )
    held = _held(store, model)
    if before["held"] == held and _whole(store, model):
        return _counts(store, model, before, fresh=False)
    fitted = taxonomy_model.read(store, model, before["number"])
    stamp = {**before, "held": held}
    return _placed(
        store,
        run,
        model,
        fitted,
        stamp,
        names=_names(store, model),
        threads=threads,
        quiet=quiet,
    )


def refuse_anew(given: dict[str, Any]) -> None:
    """Refuse what says how regimes are to be found, where they are to stay.

    Raises:
        ValueError: one of `given` is not None.
    """
    names = [
        f"--{name.replace('_', '-')}"
        for name, value in given.items()
        if value is not None
    ]
    if names:
        raise ValueError(
            f"--assign takes regimes as they were found, got {', '.join(names)}; leave "
            "that out, or --assign to find regimes anew"
        )


def _found(
    store: Store,
    model: str,
    settings: Settings,
    asked: Asked,
    period: tuple[np.datetime64, np.datetime64],
    *,
    threads: int,
    quiet: bool,
) -> Fitted:
    """Regimes, in a space that was learned from them where that is asked for."""

    def fit_in(space: Space | None) -> tuple[Fitted, Paths]:
        return _fit(
            store,
            model,
            settings,
            asked,
            period,
            space=space,
            threads=threads,
            quiet=quiet,
        )

    fitted, sample = fit_in(spaces.current(store, model))
    notes: tuple[str, ...] = ()
    if asked.refine:
        learned = taxonomy_refining.learn(
            Histories.of(store, model, fitted),
            sample.patch_ids,
            assign(fitted.taxonomy, sample).regime,
            days=store.count("scenes"),
            seed=settings.seed,
        )
        notes = (taxonomy_refining.told(learned),)
        fitted, sample = fit_in(learned.space)
    found = fitted.taxonomy
    if asked.stability:
        notes += (taxonomy_refining.steadiness(sample, found, settings, threads),)
    return replace(fitted, taxonomy=replace(found, notes=(*found.notes, *notes)))


def _fit(
    store: Store,
    model: str,
    settings: Settings,
    asked: Asked,
    period: tuple[np.datetime64, np.datetime64],
    *,
    space: Space | None,
    threads: int,
    quiet: bool,
) -> tuple[Fitted, Paths]:
    """Regimes in a space, and the sample that they were found on."""
    clear = Clear(min_clear=asked.min_clear, seed=settings.seed, dimensions=COMPONENTS)
    histories = Histories(store, model, clear, *period)
    census = Census(settings.seed, settings.most)
    with stage("components", 1, "readings", quiet=quiet) as advance:
        seen_by = projection(histories, space, census)
        advance(1)
    steps = calendar(
        census.days,
        census.seen,
        census.patches,
        steps=asked.steps,
        folded=asked.season,
    )
    wanted = census.sample(len(steps), seen_by.components)
    with stage("regimes", len(wanted), "patches", quiet=quiet) as advance:
        parts = []
        for read in stream(histories, seen_by, steps, threads=threads, only=wanted):
            parts.append(read.paths)
            advance(len(read.paths))
        sample = taxonomy_model.sample_of(parts)
        try:
            found = fit(sample, steps, settings, threads=threads)
        except ValueError as error:
            raise ArchiveError(
                f"{error}; ingest more scenes, ask for fewer --steps, or choose a --period "
                "in which most ground is seen"
            ) from error
    others = members(sample.patch_ids, assign(found, sample))
    return Fitted(seen_by, found, asked.min_clear, *period, others), sample


def _placed(
    store: Store,
    run: Run,
    model: str,
    fitted: Fitted,
    stamp: dict[str, Any],
    *,
    names: list[Name] | None = None,
    threads: int,
    quiet: bool,
) -> Classified:
    """Place and judge all patches, and write the three tables, each with the same stamp.

    `names` of the regimes, in their order; None: by the indices of their members.
    """
    name, found = schema.suffix(model), fitted.taxonomy
    tally, grid = Tally(found), store.settings.grid
    histories = Histories.of(store, model, fitted)
    with single_blas():
        standard = Standard.of(histories, fitted, threads=threads)

    def blocks(what: str) -> Iterator[tuple[Read, Assigned, Left]]:
        patches = stamp["held"]["patches"]
        with stage(what, patches, "patches", quiet=quiet) as advance:
            for read in stream(
                histories, fitted.projection, found.calendar, threads=threads
            ):
                placed = assign(found, read.paths)
                yield read, placed, standard.judge(read, placed)
                advance(len(read.paths))

    def places() -> Iterator[pa.RecordBatch]:
        for read, placed, left in blocks("taxonomy"):
            tally.add(read, placed)
            yield rows.regimes(grid, run.run_id, read, placed, left)

    observations = (
        rows.anomalies(grid, run.run_id, model, read, left)
        for read, _, left in blocks("deviations")
    )
    space = fitted.projection.space
    told = {STAMP.decode(): json.dumps(stamp, sort_keys=True)}
    # Dates up to the end of the period are judged by regimes that knew them.
    period = stamp["made_from"]["asked"]["period"] or "all dates"
    about = {
        "space": space.label if space else RAW,
        "space_fitted_on": space.fitted_on if space else "nothing",
        "regimes_fitted_on": period,
        **told,
    }
    with single_blas():
        anomalies.replace(store, rows.METHOD, observations, model=model, about=about)
        columns = schema.regimes()
        columns = columns.with_metadata({**columns.metadata, **told})
        store.overwrite(f"regimes_{name}", places(), columns)
    table = rows.tree(found, tally, names or tally.names(), run.run_id)
    table = table.replace_schema_metadata({**table.schema.metadata, **told})
    store.overwrite(f"taxonomy_{name}", table, table.schema)
    run.rows = store.count(f"regimes_{name}")
    done = _counts(store, model, stamp, fresh=True)
    run.message = str(done)
    return done


def _knew(fitted: Fitted) -> tuple[str, ...]:
    """A note where the space knew days after the period that regimes were asked of."""
    space = fitted.projection.space
    if space is None or fitted.until == _days(None)[1]:
        return ()
    said = space.knew(fitted.until)
    return (f"{said}, so scores are not of the past alone",) if said else ()


def _names(store: Store, model: str) -> list[Name]:
    """What regimes are called now, in their order."""
    columns = ["regime", "label", "description"]
    table = store.scan(f"taxonomy_{schema.suffix(model)}", columns).read_all()
    told = table.sort_by("regime").to_pylist()
    return [Name(each["label"], each["description"]) for each in told]


def _held(store: Store, model: str) -> dict[str, Any]:
    """Which observations and how many patches there are: what tells whether all is as it was.

    Raises:
        ArchiveError: nothing is embedded.
    """
    name = schema.suffix(model)
    if not store.exists(f"embeddings_{name}"):
        raise ArchiveError(
            f"{store.root} holds no embeddings of {model}; run terradrift embed first"
        )
    return {**observed(store, model), "patches": store.count("patches")}


def _whole(store: Store, model: str) -> dict[str, Any]:
    """The stamp that all tables bear; empty where one is not there or of another run.

    A run that was killed between two tables leaves them apart.
    """
    name = schema.suffix(model)
    tables = (f"taxonomy_{name}", f"regimes_{name}", _anomalies(model))
    found = {stamp_of(store, table) for table in tables}
    return taxonomy_model.stamp(store, model) if len(found) == 1 else {}


def _anomalies(model: str) -> str:
    return anomalies.table_name(rows.METHOD, model)


def _days(period: str | None) -> tuple[np.datetime64, np.datetime64]:
    """First and last day of a period."""
    if period is None:
        return np.datetime64("0001-01-01"), np.datetime64("9999-12-31")
    read = Period.parse(period)
    first, end = (
        np.datetime64(each.replace(tzinfo=None), "us")
        for each in (read.start, read.end)
    )
    last = end - np.timedelta64(1, "us")
    return first.astype("datetime64[D]"), last.astype("datetime64[D]")


def _counts(
    store: Store, model: str, stamp: dict[str, Any], *, fresh: bool
) -> Classified:
    name = schema.suffix(model)
    table = store.scan(f"taxonomy_{name}", ["regime", "parent", "n_steps"]).read_all()
    parents = set(table["parent"].to_pylist())
    return Classified(
        patches=store.count(f"regimes_{name}"),
        placed=store.count(f"regimes_{name}", "regime IS NOT NULL"),
        ground=table["parent"].null_count,
        leaves=sum(each not in parents for each in table["regime"].to_pylist()),
        steps=int(table["n_steps"][0].as_py()),
        notes=tuple(stamp["notes"]),
        fresh=fresh,
    )
