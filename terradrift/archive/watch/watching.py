"""`watch`: each new day judged alone against stored state; alerts into a table."""

import time
from collections.abc import Mapping
from dataclasses import fields, replace
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from terradrift import schema
from terradrift.archive.runs import Run
from terradrift.archive.watch import alerts
from terradrift.archive.watch import days as watch_days
from terradrift.archive.watch import files as watch_files
from terradrift.archive.watch import geojson as alerts_geojson
from terradrift.archive.watch import state as watch_state
from terradrift.archive.watch.alerts import OPEN
from terradrift.archive.watch.days import DAY
from terradrift.archive.watch.state import Watch
from terradrift.archive.watch.watched import Watched, doubts
from terradrift.detect.monitor import day, reference, replay
from terradrift.detect.monitor.reference import find
from terradrift.detect.monitor.rules import Rules
from terradrift.errors import ArchiveError
from terradrift.progress import stage
from terradrift.store import series
from terradrift.store.tables import Store
from terradrift.store.units import embeddings_table

_COMMIT_SECONDS = 10.0
_ROWS = 8192


def asked(
    start: str | None, rules: Mapping[str, Any]
) -> tuple[np.datetime64 | None, Rules]:
    """The first day and the rules that a caller means.

    Raises:
        ValueError: no date, or a rule that is not known or out of range.
    """
    known = {one.name for one in fields(Rules)}
    if unknown := sorted(rules.keys() - known):
        raise ValueError(
            f"watch has no rule {', '.join(unknown)}; it has {', '.join(sorted(known))}"
        )
    first = None
    if start is not None:
        try:
            first = np.datetime64(date.fromisoformat(start), "D")
        except ValueError as error:
            raise ValueError(
                f"expected a start date such as 2018-03-01, got {start!r}"
            ) from error
    return first, Rules(**rules)


def held(store: Store, model: str) -> pa.Table:
    """All alerts of the model, in order of detection.

    Raises:
        ArchiveError: nothing is watched under the model.
    """
    watch_state.known(store, model)
    return watch_state.book(store, model).table()


def write(store: Store, model: str, path: Path) -> None:
    """Write all alerts of the model as GeoJSON.

    Raises:
        ArchiveError: the file cannot be written.
    """
    alerts_geojson.write(held(store, model), path)


def begin(
    store: Store,
    run: Run,
    model: str,
    *,
    start: np.datetime64 | None,
    rules: Rules,
    given: Mapping[str, Any],
) -> watch_state.Anew | None:
    """Fit the reference where that is to be done.

    The first is committed at once; one that takes the place of another is for `advance`.
    With a `start` that is held already, with the same rules and the same past, nothing is
    done; `given` are the rules that the caller named.

    Raises:
        ArchiveError: nothing is embedded, there is too little past, `start` is later than
            the day after the last one held, or rules are named that differ from those
            watching began with and no `start`.
    """
    if not store.exists(embeddings_table(model)):
        raise ArchiveError(
            f"{store.root} holds no embeddings of {model} to learn from; run terradrift "
            "embed first"
        )
    pointer = None
    try:
        pointer = watch_state.begun(store, model)
        if pointer is not None:
            watched = watch_files.read_reference(store, pointer.reference)
            watch_files.read_state(store, pointer.state)
    except ArchiveError:
        if start is None:
            raise
        pointer = None  # what is damaged, or of another terradrift, is made anew
    if pointer is not None:
        ours = watched.rules
        differs = [name for name in given if given[name] != getattr(ours, name)]
        if start is None and differs:
            raise ArchiveError(
                f"{store.root} is watched since {watched.start} with {differs[0]} "
                f"{getattr(ours, differs[0])}, got {given[differs[0]]}; begin anew with "
                "--start DATE, or leave it out"
            )
        if start is None or (
            watched.start == start
            and not differs
            and pointer.past == watch_days.count(store, model, None, start)
        ):
            return None
        rules = replace(ours, **given)  # what is not named stays
    first = watch_days.first_day(store, model, start)
    km2 = (store.settings.grid.patch_size / 1000.0) ** 2
    try:
        fitted = reference.fit(lambda: series.blocks(store, model), first, rules, km2)
    except reference.TooLittlePastError as error:
        raise ArchiveError(f"{store.root}: {error}") from error
    anew = watch_state.Anew(
        f"{schema.suffix(model)}.reference.{run.run_id}.safetensors",
        watch_days.count(store, model, None, first),
    )
    watch_files.write_reference(store, anew.reference, fitted)
    run.message = f"learned from {anew.past:,} observations before {first}"
    if pointer is not None:
        return anew
    watch = watch_state.from_start(store, run, model, anew)
    watch.book.restart(first)
    watch.book.withdraw()
    watch.commit()
    return None


def advance(
    store: Store,
    run: Run,
    model: str,
    *,
    anew: watch_state.Anew | None = None,
    quiet: bool,
) -> Watched:
    """Judge all days after the last one judged; commit now and then, and at the end.

    Where observations of judged days came or were replaced since, and where the reference
    is fitted `anew`, all days from the start are judged again, in one commit: alerts stay
    as they are where they show again, others are withdrawn.

    Raises:
        ArchiveError: nothing is watched yet, or the state's files are gone or damaged.
    """
    pointer = watch_state.known(store, model)
    watch = watch_state.from_start(
        store, run, model, anew or watch_state.Anew(pointer.reference, pointer.past)
    )
    held = watch.reference
    notes = doubts(held)
    again = anew is not None or pointer.seen != watch_days.fingerprint(
        store, model, held.start, pointer.day + DAY
    )
    if again:
        watch.book.restart(held.start)
    else:
        watch.state = watch_files.read_state(store, pointer.state)
        watch.last = pointer.day
    if again and anew is None:
        notes.append(
            f"observations up to {pointer.last} came or changed after they were judged, so "
            f"all since {held.start} was judged again"
        )
    days = watch_days.days(store, model, watch.last + DAY)
    _through(watch, days, quiet=quiet, at_once=again)
    withdrawn = watch.book.withdraw()
    if days or again:
        watch.commit()
    run.rows = sum(watch.counts.values())
    done = Watched(
        model=model,
        start=str(held.start),
        patches=int(np.isfinite(held.learned.scale).sum()),
        days=[str(one) for one in days],
        observations=run.rows,
        judged=watch.counts[""],
        not_judged={name: n for name, n in watch.counts.items() if name and n},
        new=watch.book.raised,
        ended=watch.book.ended,
        open=watch.book.count(OPEN),
        withdrawn=withdrawn,
        max_false_alarms=held.rules.max_false_alarms,
        threshold=held.threshold,
        note="; ".join(notes),
    )
    run.message = str(done)
    return done


def _through(
    watch: Watch, days: list[np.datetime64], *, quiet: bool, at_once: bool
) -> None:
    """Judge the days in order of time."""
    committed = time.monotonic()
    with stage("watch", len(days), "days", quiet=quiet or not days) as advance_by:
        for at, date in enumerate(days):
            _judge(watch, date)
            watch.last = date
            advance_by(1)
            late = time.monotonic() - committed > _COMMIT_SECONDS
            if late and not at_once and at < len(days) - 1:
                watch.commit()
                committed = time.monotonic()


def _judge(watch: Watch, date: np.datetime64) -> None:
    """Judge one day: reads that day's observations and nothing else."""
    held = watch.reference
    ids, instants, clear, vectors = watch_days.observed(
        watch.store, watch.model, date, held
    )
    rows = find(ids, held.patch_ids)
    watch.counts["not there before the start"] += int((rows < 0).sum())
    known = rows >= 0
    rows, instants = rows[known], instants[known]
    clear, vectors = clear[known], vectors[known]
    own = held.own[rows]
    inside = own >= 0
    size = int((held.own >= 0).sum())
    pool = np.zeros((size, vectors.shape[1]), np.float32)
    seen = np.zeros(size, bool)
    pool[own[inside]], seen[own[inside]] = vectors[inside], clear[inside]
    scene = replay.Scene.of(held, pool, seen)
    for start in range(0, len(rows), _ROWS):
        part = slice(start, start + _ROWS)
        done = replay.step(
            held,
            watch.state,
            scene,
            rows[part],
            vectors=vectors[part],
            clear=clear[part],
            instants=instants[part],
        )
        for code, count in zip(
            *np.unique(done.judged.reason, return_counts=True), strict=True
        ):
            watch.counts[day.REASONS[code]] += int(count)
        if len(done.ended):
            watch.book.end(held.patch_ids[done.ended], watch.state.last[done.ended])
        if len(done.alerts.row):
            grid = watch.store.settings.grid
            watch.book.add(
                alerts.rows(done.alerts, held, watch.model, grid, watch.run.run_id)
            )
