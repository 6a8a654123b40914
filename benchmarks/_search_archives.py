"""Archives that the quality of search is measured on, and the spaces of their models."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import numpy as np
from _quality import THREADS
from models import how

import terradrift as td
from terradrift import schema
from terradrift.errors import ArchiveError
from terradrift.ingest.simulate import simulate
from terradrift.space import RAW, Space
from terradrift.store import spaces

SPACES = (RAW, "centre", "whiten")
SIZE, DATES, QUIET_DAYS, PATCH, PER_YEAR = 512, 60, 365, 80, 32
"""Of simulated scenes: pixels of 10 m, passes of 15 days, metres, changes at most."""


@contextmanager
def folder(kept: Path | None) -> Iterator[Path]:
    """A folder that stays where `kept` names it."""
    if kept is not None:
        kept.mkdir(parents=True, exist_ok=True)
        yield kept
        return
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


def simulated(out: Path, seed: int) -> tuple[td.Archive, Path]:
    """An archive of a simulated series, and its scenes with the truth."""
    scenes, path = out / str(seed) / "scenes", out / str(seed) / "archive.td"
    if path.exists():
        return td.open(path), scenes
    catalog = simulate(
        scenes,
        size_px=SIZE,
        dates=DATES,
        seed=seed,
        quiet_days=QUIET_DAYS,
        changes_per_year=PER_YEAR,
        threads=THREADS,
    )
    return _made(path, catalog, PATCH), scenes


def real(out: Path, source: Path, patch_size: int) -> td.Archive:
    """An archive of a real series."""
    path = out / f"{source.name}-{patch_size}.td"
    if path.exists():
        return td.open(path)
    return _made(path, source / "catalog.json", patch_size)


def _made(path: Path, catalog: Path, patch_size: int) -> td.Archive:
    made = td.create(path, grid=td.Grid(patch_size=patch_size))
    made.ingest(catalog)
    return made


def judged(
    archive: td.Archive, model: str, max_false_alarms: float | None = None
) -> None:
    """Embed and detect, unless that was done."""
    if archive.store.exists(f"changes_{schema.suffix(model)}"):
        return
    embedded(archive, model)
    archive.detect(
        model, max_false_alarms=max_false_alarms, quiet=True, threads=THREADS
    )


def embedded(archive: td.Archive, model: str) -> None:
    """Embed, unless that was done."""
    options = how(model, archive.store.settings.grid.patch_px)
    if not archive.store.exists(f"embeddings_{schema.suffix(model)}"):
        archive.embed(model, quiet=True, threads=THREADS, **options)


def chosen(archive: td.Archive, model: str, name: str) -> Space | None:
    """Compare the model's vectors in the first fit of that space from now on."""
    try:
        archive.space(name if name == RAW else f"{name}/1", model=model, quiet=True)
    except ArchiveError:
        archive.space(name, model=model, quiet=True)
    return spaces.current(archive.store, model)


def observations(
    archive: td.Archive, model: str, most: int = 2000
) -> np.ndarray[tuple[int, int], np.dtype[np.float32]]:
    """(n, d) vectors of clear observations, drawn at random."""
    table = f"embeddings_{schema.suffix(model)}"
    rows = archive.store.count(table, "clear_percent >= 70")
    wanted = np.random.default_rng(0).choice(rows, min(most, rows), replace=False)
    kept, first = [], 0
    for batch in archive.store.scan(table, ["embedding"], "clear_percent >= 70"):
        own = wanted[(wanted >= first) & (wanted < first + batch.num_rows)] - first
        column = batch.column("embedding")
        size = column.type.list_size
        values = column.flatten().to_numpy(zero_copy_only=False).reshape(-1, size)
        kept.append(values[own].astype(np.float32))
        first += batch.num_rows
    return np.concatenate(kept)
