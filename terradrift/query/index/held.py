"""The index of one search in one version of a table, opened and kept open."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import TYPE_CHECKING

import numpy as np

from terradrift.errors import ArchiveError
from terradrift.query.index import codes, files, flat
from terradrift.query.index.covered import covered
from terradrift.query.index.exact import Vectors
from terradrift.query.index.frame import Frame
from terradrift.query.index.open import Open

if TYPE_CHECKING:
    from pathlib import Path

    import lance

    from terradrift.query.index.covered import Covered
    from terradrift.query.index.flat import Flat
    from terradrift.query.index.protocol import Index
    from terradrift.space import Space
    from terradrift.store.tables import Store

_KEPT = 16
_open: OrderedDict[tuple[object, ...], tuple[lance.LanceDataset, Open | str | None]] = (
    OrderedDict()
)
_guard = threading.Lock()


def opened(
    store: Store,
    table: str,
    dataset: lance.LanceDataset,
    columns: tuple[str, ...],
    space: Space | None,
) -> Index | None:
    """The index of `columns` in `space`, for the version of `table` that was opened.

    None where there is none, where it covers nothing of this version, or where its files
    cannot be read; then `trouble` says what is wrong with them.
    """
    found = _held(store, table, dataset, columns, space)
    return None if isinstance(found, str) else found


def trouble(
    store: Store,
    table: str,
    dataset: lance.LanceDataset,
    columns: tuple[str, ...],
    space: Space | None,
) -> str | None:
    """What is wrong with the files of an index that is there but cannot be read, in one line."""
    found = _held(store, table, dataset, columns, space)
    return found if isinstance(found, str) else None


def _held(
    store: Store,
    table: str,
    dataset: lance.LanceDataset,
    columns: tuple[str, ...],
    space: Space | None,
) -> Open | str | None:
    folder = store.root / files.FOLDER
    try:
        changed = folder.stat().st_mtime_ns  # files come and go by their names alone
    except OSError:
        return None
    label = None if space is None else space.label
    # A number names one version as long as it is kept open, which the value sees to; a
    # table that was dropped and made again counts its versions from 1 again.
    key = (store.root, table, id(dataset), columns, label, changed)
    with _guard:
        if key not in _open:
            _open[key] = (dataset, _find(store.root, table, dataset, columns, space))
            while len(_open) > _KEPT:
                _open.popitem(last=False)
        _open.move_to_end(key)
        return _open[key][1]


def _find(
    root: Path,
    table: str,
    dataset: lance.LanceDataset,
    columns: tuple[str, ...],
    space: Space | None,
) -> Open | str | None:
    dimensions = int(dataset.schema.field(columns[0]).type.list_size)
    frame = Frame(columns, dimensions, space)
    try:
        now = covered(dataset)
    except ArchiveError as error:
        return str(error)
    best: Open | None = None
    wrong: str | None = None
    for digest in files.digests(root, table):
        try:
            found = _read(root, table, frame, digest, dataset, now)
        except ArchiveError as error:
            wrong = str(error)
            continue
        if found is not None and found.rows > (0 if best is None else best.rows):
            best = found
    return wrong if best is None else best


def _read(  # noqa: PLR0917 - what names a file, and what it is to fit
    root: Path,
    table: str,
    frame: Frame,
    digest: str,
    dataset: lance.LanceDataset,
    now: Covered,
) -> Open | None:
    """The index of the files of that digest; None where one is missing.

    Raises:
        ArchiveError: one is damaged, or does not fit the others.
    """
    paths = [files.flat(root, table, column, digest) for column in frame.columns]
    coded = files.codes(root, table, frame.columns, frame.label, digest)
    if not all(path.exists() for path in (*paths, coded)):
        return None
    flats: list[Flat] = []
    of: list[Covered] = []
    for path in paths:
        one, held = flat.read(path)
        flats.append(one)
        of.append(held)
    lists, held = codes.read(coded)
    whole = {*of, held} == {held} and held.digest == digest
    files.expect(coded, whole, "the rows of its vectors", "others")
    shapes = {one.vectors.shape[1] for one in flats}
    fits = shapes == {frame.dimensions} and lists.width == frame.width
    files.expect(coded, fits, f"vectors of {frame.dimensions} numbers", shapes)
    live = np.array([part in now.fragments for part in held.fragments], bool)
    ids = {part.id for part, on in zip(held.fragments, live, strict=True) if on}
    fresh = tuple(part.id for part in now.fragments if part.id not in ids)
    vectors = Vectors(frame, flats, lists.lengths)
    return Open(dataset, held, live, fresh, vectors, lists)
