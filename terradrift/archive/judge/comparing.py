"""`compare`: models of several archives of the same ground, on one common grid."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from terradrift.archive.judge import benching, passes
from terradrift.archive.judge.compare_truth import order, shares, truths, where
from terradrift.archive.judge.two_dates import between, days_of, span
from terradrift.errors import ArchiveError, SourceError
from terradrift.evaluate import methods as all_methods
from terradrift.evaluate import whole
from terradrift.evaluate.compare import page as compare_page
from terradrift.evaluate.compare.models import Map, Shares, common_cells, graded, onto
from terradrift.evaluate.compare.result import Compared, Line
from terradrift.evaluate.ranked import reads
from terradrift.progress import stage
from terradrift.store import spaces

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from terradrift.archive.front.making import Making
    from terradrift.evaluate.fields import Reading
    from terradrift.store.tables import Store

DETECTORS = ("changes", "local-distance", "local-lof")
"""What ranks patches where all dates are compared, unless others are asked for."""


def compare(
    archives: Sequence[Making],
    labels: Path,
    reading: Reading,
    *,
    cell: int | None = None,
    date_before: str | None = None,
    date_after: str | None = None,
    models: Sequence[str] | None = None,
    detectors: Sequence[str] | None = None,
    threads: int = 1,
    quiet: bool = False,
) -> Compared:
    """Hold every model of the archives to the same labels on the same cells.

    With two dates by the cosine and the Euclidean distance between each patch's last clear
    observation up to the first one and its first clear one from the second one on; without
    by the largest score that detectors give any date.

    Args:
        archives: of the same ground; they may differ in patch size and in models.
        labels: what changed: a vector file, a table or a raster.
        reading: how to read them.
        cell: side of a cell of the common grid, metres; None: the largest patch.
        date_before: a day; with `date_after`.
        date_after: a day.
        models: None: all that the archives hold vectors of.
        detectors: of all dates, by name; None: `DETECTORS`.
        threads: of detection.
        quiet: no progress.

    Raises:
        ArchiveError: the archives share no ground or CRS, hold no vectors of the models, or
            are seen on one date only.
        SourceError: labels that cannot be read, or that lie elsewhere.
        ValueError: an option out of range.
    """
    if (date_before is None) != (date_after is None):
        raise ValueError(
            "expected both --date-before and --date-after, or neither for all dates"
        )
    if cell is not None and cell < 1:
        raise ValueError(f"cell must be at least 1 metre, got {cell}")
    if not labels.exists():
        raise SourceError(f"expected labels, got no file {labels}")
    stores = list({each.store.root: each.store for each in archives}.values())
    jobs = _jobs(stores, models)
    size = cell or max(store.settings.grid.patch_size for store in stores)
    dates = None
    if date_before is not None and date_after is not None:
        dates = span(date_before, date_after)
        if detectors is not None:
            raise ValueError(
                "detectors rank all dates; leave out --detectors or the two dates"
            )
    period = dates or _period(jobs)
    maps: list[Map] = []
    with stage("compare", len(jobs), "models", quiet=quiet) as advance:
        for store, model in jobs:
            maps += _maps(store, model, dates, detectors, threads)
            advance(1)
    found_of, notes = truths(stores, labels, reading, period)
    grounds = [found_of[str(store.root)] for store in stores]
    cells = common_cells(grounds, size)
    if len(cells) == 0:
        raise ArchiveError(
            "expected archives of the same ground in one CRS, got "
            + " and ".join(
                where(store, g) for store, g in zip(stores, grounds, strict=True)
            )
        )
    common = shares(cells, size, labels, reading, period)[0]
    if not common.share[common.known].any():
        raise SourceError(
            f"{labels}: nothing changed on the ground that all archives share"
        )
    lines = [_line(each, found_of[each.archive], cells, common) for each in maps]
    said = (
        f"Distance between {dates[0]} and {dates[1]}"
        if dates
        else f"The largest score of any date, {period[0]} to {period[1]}"
    )
    return Compared(
        labels=labels.name, cell=size, dates=said, notes=notes, lines=tuple(lines)
    )


def _line(found: Map, own: Shares, cells: NDArray[np.int64], common: Shares) -> Line:
    """One map on the common cells, and on its own patches."""
    rows = order(own.cells, found.own.cells)
    held = Shares(found.own.cells, own.size, own.share[rows], own.known[rows])
    mapped = replace(found, own=held)
    return Line(
        archive=found.archive,
        model=found.model,
        measure=found.measure,
        patch_size=own.size,
        common=graded(onto(mapped, cells, common.size), common),
        own=graded(found.score, held),
    )


def _jobs(
    stores: Sequence[Store], models: Sequence[str] | None
) -> list[tuple[Store, str]]:
    """Every archive with each of the models that it holds."""
    held = [(store, benching.held_models(store)) for store in stores]
    for store, own in held:
        wanted = own if models is None else [one for one in models if one in own]
        if not wanted:
            only = f", only of {', '.join(own)}" if own else ""
            raise ArchiveError(
                f"{store.root} holds no vectors of {' or '.join(models or ['any model'])}"
                f"{only}; run terradrift embed"
            )
    known = {model for _, own in held for model in own}
    if lost := [one for one in models or () if one not in known]:
        raise ArchiveError(
            f"no archive holds vectors of {lost[0]}; run terradrift embed --model {lost[0]}"
        )
    return [
        (store, model)
        for store, own in held
        for model in own
        if models is None or model in models
    ]


def _period(
    jobs: Sequence[tuple[Store, str]],
) -> tuple[np.datetime64, np.datetime64]:
    """First and last day on which any patch was clear, of the archives together."""
    found = [days_of(store, model) for store, model in jobs]
    return min(first for first, _ in found), max(last for _, last in found)


def _maps(
    store: Store,
    model: str,
    dates: tuple[np.datetime64, np.datetime64] | None,
    detectors: Sequence[str] | None,
    threads: int,
) -> Iterator[Map]:
    size = store.settings.grid.patch_size
    if dates is not None:
        cells, distances = between(store, model, dates)
        found = list(distances.items())
    else:
        bands = store.settings.bands if model == benching.BANDS else ()
        chosen = all_methods.methods(
            detectors or DETECTORS,
            bands=bands,
            threads=threads,
            space=spaces.current(store, model),
        )
        if plain := [one.name for one in chosen if reads(one) != "embedding"]:
            raise ValueError(f"{plain[0]} reads no embedding, so it compares no models")
        cells, told = passes.scores(chosen, passes.Passes(store, model))
        found = [(one.name, score) for one, score in zip(chosen, told, strict=True)]
    empty = np.zeros(len(cells))
    for name, score in found:
        if not np.isfinite(score).any():
            raise ArchiveError(
                f"{name} says nothing of {store.root} under {model}: too few clear dates; "
                "pass --date-before and --date-after, or other --detectors"
            )
        ground = Shares(cells, size, empty, empty == 0)
        yield Map(str(store.root), model, name, score, ground)


def write(found: Compared, path: Path) -> list[Path]:
    """Write the page, or into a folder compare.md and compare.json, each whole or not at all.

    Raises:
        ValueError: as `files`.
    """
    return whole.write_page(
        path, "compare", compare_page.markdown(found), found.to_dict()
    )


def files(path: Path) -> list[Path]:
    """What `write` writes.

    Raises:
        ValueError: a file that does not end in .md.
    """
    return whole.page_files(path, "compare")
