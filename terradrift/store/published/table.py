"""One published Parquet file: what it says of itself, and its rows batch by batch."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from terradrift.errors import ArchiveError, SchemaError
from terradrift.store.published import forms, spots, vectors, when
from terradrift.store.published.filed import GUESSES
from terradrift.store.published.files import File
from terradrift.store.published.forms import Form
from terradrift.store.published.spots import Crs, Spots

_ROWS = 4096


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """`n` rows, in the file's order."""

    spots: Spots
    times: NDArray[np.int64]
    """(n,), microseconds since 1970, `when.NOWHEN` where nothing says."""
    vectors: NDArray[np.float16]
    """(n, d)"""
    good: NDArray[np.bool_]
    """(n,), whether the vector is one."""
    clear: NDArray[np.float32]
    """(n,), percent, NaN where it is not known."""
    scenes: list[str] | None
    """Items that rows are of; None: all of the file."""


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Table:
    """A file that was recognised, none of whose rows are read."""

    file: File
    scene: str
    """What its rows are of, where no column says."""
    form: Form
    rows: int
    dimensions: int
    crs: Crs
    times: list[str]
    """Columns that say when."""
    time: int | None
    """When, of rows whose columns do not say."""
    told_by: str
    """What says that."""
    identity: dict[str, str]

    def batches(self) -> Iterator[Batch]:
        """All rows.

        Raises:
            SchemaError: geometries, instants or vectors that cannot be what they should.
        """
        form = self.form
        wanted = [form.vector, "geometry", *self.times]
        wanted += [one for one in (form.scene, form.clear) if one is not None]
        with _opened(self.file) as file:
            for batch in file.iter_batches(batch_size=_ROWS, columns=wanted):
                if batch.num_rows:
                    yield self._batch(batch)

    def _batch(self, batch: pa.RecordBatch) -> Batch:
        form, path = self.form, self.file.path
        found, good = vectors.matrix(
            batch.column(form.vector), self.dimensions, path, quantized=form.quantized
        )
        times = when.of_rows(batch, self.times, path)
        if self.time is not None:
            times[times == when.NOWHEN] = self.time
        clear = np.full(batch.num_rows, np.nan, np.float32)
        if form.clear is not None:
            clear = _clear(batch.column(form.clear), form.clear, path)
        scenes = None
        if form.scene is not None:
            scenes = batch.column(form.scene).cast(pa.string()).to_pylist()
        return Batch(
            spots=spots.read(batch.column("geometry"), self.crs, path),
            times=times,
            vectors=found,
            good=good,
            clear=clear,
            scenes=scenes,
        )


def _clear(column: pa.Array, name: str, path: Path) -> NDArray[np.float32]:
    """(n,) percent that are clear, NaN where it is not known.

    Raises:
        SchemaError: no numbers, or beyond 0 to 100.
    """
    try:
        values = column.cast(pa.float32()).to_numpy(zero_copy_only=False)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
        raise SchemaError(
            f"{path}: expected numbers of 0 to 100 in {name}, got {column.type}: "
            f"{str(error).splitlines()[0]}"
        ) from error
    beyond = (values < 0) | (values > 100)
    if beyond.any():
        raise SchemaError(
            f"{path}: expected {name} of 0 to 100, got {values[beyond][0]:g}; write null "
            "where it is not known"
        )
    return np.asarray(100 - values if name == "cloud_percent" else values, np.float32)


def described(file: File) -> tuple[pa.Schema, dict[str, Any], int]:
    """Columns, footers (JSON that is an object, by key) and rows of a Parquet file.

    Raises:
        ArchiveError: it is not there, or no Parquet.
    """
    with _opened(file) as opened:
        said = {}
        for key, value in (opened.metadata.metadata or {}).items():
            try:
                parsed = json.loads(value)
            except ValueError:
                continue
            if isinstance(parsed, dict):
                said[key.decode()] = parsed
        return opened.schema_arrow, said, opened.metadata.num_rows


def table(
    file: File, *, form: str | None, model: str | None, date: str | None
) -> Table:
    """A file as a table of vectors.

    Args:
        file: a Parquet file.
        form: one of `forms.NAMES`; None: by its columns.
        model: what to call what made the vectors; None: as the form says.
        date: of rows of which nothing says when.

    Raises:
        ArchiveError: no Parquet file.
        SchemaError: of no known form, without rows or vectors, or nothing says when.
    """
    columns, said, rows = described(file)
    emb = said.get("emb", {})
    name = form or recognised(file, columns, emb)
    if name is None:
        raise SchemaError(
            f"expected a table with geometry and embedding or embeddings, {file.path} has "
            f"{', '.join(columns.names)}"
        )
    how = forms.form(name, columns, file)
    dimensions = _dimensions(file, how.vector)
    collection = _collection(file, how.product) if how.product else None
    times = when.columns(columns.names, file.path)
    if times:
        # A row that says nothing stays so, unless a date was given.
        told_by = f"their {' and '.join(times)}"
        time = None if date is None else when.middle(date, "the date given")
    else:
        time, told_by = when.of_file(file, emb, date)
        odd = [one.name for one in columns if pa.types.is_temporal(one.type)]
        if odd and told_by in GUESSES:
            raise SchemaError(
                f"{file.path} has a column {odd[0]}, which may say when better than its name "
                f"does; name it {' or '.join(when.INSTANTS)}, or pass --date"
            )
    if not times and time is None:
        raise SchemaError(
            f"{file.path} does not say when: no column {', '.join(when.INSTANTS)} or start "
            "and end, no footer, no STAC item beside it, no date in its name; pass --date"
        )
    return Table(
        file=file,
        scene=file.scene,
        form=how,
        rows=rows,
        dimensions=dimensions,
        crs=spots.crs(said.get("geo", {}), file.path),
        times=times,
        time=time,
        told_by=told_by,
        identity=forms.identity(
            how, dimensions, emb, file=file, collection=collection, asked=model
        ),
    )


def recognised(file: File, columns: pa.Schema, emb: dict[str, Any]) -> str | None:
    """Which form a file is of, by its columns, footer and first vector; None: of none."""
    vector = forms.vector_of(columns)
    if vector is None or "geometry" not in columns.names:
        return None
    return forms.recognised(columns, emb, _dimensions(file, vector))


def _dimensions(file: File, vector: str) -> int:
    """Length of the first vector.

    Raises:
        SchemaError: there is none.
    """
    with _opened(file) as opened:
        if not hasattr(opened.schema_arrow.field(vector).type, "value_type"):
            raise SchemaError(
                f"{file.path}: expected lists of numbers in {vector}, got "
                f"{opened.schema_arrow.field(vector).type}"
            )
        for batch in opened.iter_batches(batch_size=_ROWS, columns=[vector]):
            if dimensions := vectors.length(batch.column(0)):
                return dimensions
    raise SchemaError(f"{file.path} holds no vectors")


def _collection(file: File, column: str) -> str | None:
    """The one collection that all rows are of; None: it is null.

    Raises:
        SchemaError: several.
    """
    with _opened(file) as opened:
        met = pa.chunked_array(
            [
                batch.column(0).cast(pa.string()).drop_null().unique()
                for batch in opened.iter_batches(batch_size=1 << 16, columns=[column])
            ],
            pa.string(),
        ).unique()
    if len(met) > 1:
        raise SchemaError(
            f"{file.path} holds vectors of {' and of '.join(map(str, met))}, which are of "
            f"different models; split it by {column}"
        )
    return str(met[0]) if len(met) else None


def _opened(file: File) -> pq.ParquetFile:
    try:
        # Without buffering ahead: a row group may be larger than memory should be.
        return pq.ParquetFile(file.path, pre_buffer=False, buffer_size=1 << 20)
    except FileNotFoundError as error:
        raise ArchiveError(f"no file at {file.path}") from error
    except (OSError, pa.ArrowInvalid) as error:
        raise ArchiveError(
            f"expected a Parquet file, got {file.path}: {str(error).splitlines()[0]}"
        ) from error
