"""`bench`: every detector on the archive's series, beside each other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from terradrift.archive import choosing
from terradrift.archive.judge import stored_anomalies
from terradrift.detect.settings import Settings
from terradrift.errors import ArchiveError, SourceError
from terradrift.evaluate import methods as all_methods
from terradrift.evaluate import whole
from terradrift.evaluate.bench import page as bench_page
from terradrift.evaluate.bench.lines import Site, ground_of
from terradrift.evaluate.bench.lines import lines as compare
from terradrift.evaluate.bench.result import Bench, Line
from terradrift.evaluate.cover import Cover, Patches, cover
from terradrift.evaluate.labels import read_vector
from terradrift.evaluate.ranked import reads
from terradrift.evaluate.rasters import SUFFIXES, read_raster
from terradrift.evaluate.truth import truth
from terradrift.progress import stage
from terradrift.store import spaces
from terradrift.store.series import blocks
from terradrift.store.units import embeddings_table

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from terradrift.archive.choosing import Choice
    from terradrift.archive.front.making import Making
    from terradrift.evaluate.fields import Reading
    from terradrift.evaluate.method import Method
    from terradrift.series import Series
    from terradrift.store.tables import Store

BANDS = "spectral"
"""The model whose vectors begin with the means of the bands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Truthful:
    """Labels, and what they make of a patch."""

    labels: Path
    reading: Reading
    min_share: float = 0.5
    any_touch: bool = False


def bench(
    archive: Making,
    *,
    models: Sequence[str] | None,
    detectors: Sequence[str] | None,
    given: Truthful | None,
    control: Making | None,
    threads: int,
    quiet: bool,
) -> Bench:
    """Compare detectors on the archive; see `Archive.bench`.

    All vectors of one model are in memory at a time.
    """
    store = archive.store
    wanted = list(dict.fromkeys(models or held_models(store) or [archive.model]))
    bands = store.settings.bands
    kept = _stored(store, None if control is None else control.store, detectors)
    if detectors is not None:
        detectors = [name for name in detectors if not _is_stored(name)]
    chosen = all_methods.methods(detectors, bands=bands, threads=threads)
    if given is not None and not given.labels.exists():
        raise SourceError(f"expected labels, got no file {given.labels}")
    if control is not None:
        _comparable(store, control.store)
    plain = [each for each in chosen if reads(each) != "embedding"]
    names = [each.name for each in chosen if reads(each) == "embedding"]
    alone = bool(kept) and not plain and not names
    needed = ([BANDS] if plain else []) + (wanted if names or alone else [])
    both = [archive] if control is None else [archive, control]
    missing = [(each, choice) for each in both for choice in _missing(each, needed)]
    for each, choice in missing:
        each.embed(choice.stored, threads=threads, quiet=quiet, current=False)
    jobs: list[tuple[str, Sequence[Method]]] = [(BANDS, plain)]
    for model in wanted if names else []:
        space = spaces.current(store, model)
        own = all_methods.methods(names, bands=bands, threads=threads, space=space)
        jobs.append((model, own))
    jobs.append((BANDS if plain else wanted[0], kept))
    lines: list[Line] = []
    notes: tuple[str, ...] = ()
    dates = patches = 0
    total = sum(len(own) for _, own in jobs)
    with stage("bench", total, "judgements", quiet=quiet) as advance:
        for model, of_model in jobs:
            if not of_model:
                continue
            site, said = site_of(store, model, given)
            other = None if control is None else site_of(control.store, model, None)[0]
            for judged in compare(of_model, site, other):
                lines.append(judged)
                advance(1)
            notes = notes or said
            patches, dates = (
                len(site.ground),
                len(_days(site.series, Settings().min_clear)),
            )
    return Bench(
        archive=store.root.name,
        patch_size=store.settings.grid.patch_size,
        patches=patches,
        dates=dates,
        control="" if control is None else control.store.root.name,
        notes=notes,
        lines=tuple(lines),
    )


def _is_stored(name: str) -> bool:
    return name.startswith(stored_anomalies.NAME)


def _stored(
    store: Store, control: Store | None, detectors: Sequence[str] | None
) -> list[Method]:
    """What other methods left in the archive, all or as asked; see `stored_anomalies`."""
    asked = None if detectors is None else list(filter(_is_stored, detectors))
    return list(stored_anomalies.methods(store, control, asked))


def held_models(store: Store) -> list[str]:
    """Models that the archive has vectors of, by their name there."""
    held = [name for name in store.tables() if name.startswith("embeddings_")]
    found = (store.dataset(name).schema.metadata or {} for name in held)
    return sorted(each[b"model"].decode() for each in found)


def _comparable(store: Store, control: Store) -> None:
    """Refuse a control whose rates say nothing of the archive."""
    own, other = store.settings, control.settings
    if other.bands != own.bands:
        raise ArchiveError(
            f"expected a control of the bands {', '.join(own.bands)}, got "
            f"{control.root} with {', '.join(other.bands) or 'none'}"
        )
    if other.grid.patch_size != own.grid.patch_size:
        raise ArchiveError(
            f"expected a control of {own.grid.patch_size} m patches, as rates count "
            f"patches, got {control.root} with {other.grid.patch_size} m"
        )


def _missing(archive: Making, models: Sequence[str]) -> Iterator[Choice]:
    """Models with observations that are not embedded, each checked to be one that can be.

    Vectors that were imported without their scenes are all there is.
    """
    store = archive.store
    for model in dict.fromkeys(models):
        if store.exists(embeddings_table(model)) and not store.exists("scenes"):
            continue
        if archive.plan(model).units:
            choice, held = archive.choice(model), store.settings
            choosing.check(choice, held.grid, "auto", "auto", held.bands)
            yield choice


def site_of(
    store: Store, model: str, given: Truthful | None
) -> tuple[Site, tuple[str, ...]]:
    """The series of a model, and the truth of their patches."""
    series = list(blocks(store, model))
    if not series:
        raise ArchiveError(f"{store.root} holds no observation under {model}")
    size = store.settings.grid.patch_size
    min_clear = Settings().min_clear
    ground = ground_of(series, size, min_clear)
    if given is None:
        return Site(model=model, series=series, ground=ground), ()
    ids = np.concatenate([part.patch_ids for part in series])
    found = _cover(given, Patches(ids, ground.cells, size), series, min_clear)
    true = truth(
        found.objects,
        found.changed,
        found.unknown,
        min_share=given.min_share,
        any_touch=given.any_touch,
    )
    if not true.changed.any():
        raise SourceError(
            f"{given.labels}: no patch of {store.root} is known to have changed; labels "
            "that fill little of a patch take --any-touch or a smaller --min-share"
        )
    site = Site(
        model=model, series=series, ground=ground, truth=true, objects=found.objects
    )
    return site, found.notes


def _cover(
    given: Truthful, patches: Patches, series: Sequence[Series], min_clear: float
) -> Cover:
    days = _days(series, min_clear)
    if len(days) == 0:
        raise ArchiveError(f"no patch is {min_clear:g} % clear on any date")
    period = (days[0], days[-1])
    if given.labels.suffix.lower() in SUFFIXES:
        if not given.labels.is_file():
            raise SourceError(f"expected labels, got no file {given.labels}")
        return read_raster(given.labels, given.reading, patches, period)
    return cover(patches, read_vector(given.labels, given.reading), period=period)


def _days(series: Sequence[Series], min_clear: float) -> NDArray[np.datetime64]:
    """Days on which a patch was clear enough, ascending."""
    with np.errstate(invalid="ignore"):
        days = [
            part.days[(part.clear_percent >= min_clear).any(axis=0)] for part in series
        ]
    return np.unique(np.concatenate(days))


def write(found: Bench, path: Path) -> list[Path]:
    """Write the page, or into a folder bench.md and bench.json, each whole or not at all.

    Raises:
        ValueError: as `files`.
    """
    return whole.write_page(path, "bench", bench_page.markdown(found), found.to_dict())


def files(path: Path) -> list[Path]:
    """What `write` writes.

    Raises:
        ValueError: a file that does not end in .md.
    """
    return whole.page_files(path, "bench")
