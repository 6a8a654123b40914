"""Tables out of the archive as a folder of GeoParquet, a file per tile and year.

`tile=32631_40m_391_4398/year=2018/embeddings.parquet`: the folders are columns to every
reader that knows hive partitions (DuckDB, pyarrow, GeoPandas), so `tile` is not in the
files. Tiles come along a Hilbert curve, as do the rows in a file.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path

import pyarrow as pa

from terradrift import schema
from terradrift.errors import ArchiveError
from terradrift.store.geoparquet import Exported
from terradrift.store.out import existing, folder, part
from terradrift.store.out import stac as stac_of
from terradrift.store.out.existing import COLLECTION, ITEMS
from terradrift.store.out.folder import Manifest
from terradrift.store.out.leaving import Leaving
from terradrift.store.out.met import Met
from terradrift.store.out.stac import Made
from terradrift.store.parquet import Covered, write_to
from terradrift.store.spatial import Block

DATA = "data"
"""Folder of the files of a STAC collection."""
_PARTITIONS = ("tile",)
"""Columns that are the names of folders."""


def export(
    leaving: Leaving,
    target: Path,
    *,
    stac: bool = False,
    overwrite: bool = False,
    advance: Callable[[int], None] = lambda _rows: None,
) -> Exported:
    """Write the folder `target`: whole, or not at all.

    With `stac` the files lie under `data/`, with a STAC item each under `items/` and a
    `collection.json`; all links are relative. `advance` is told how many rows were written.

    Raises:
        ArchiveError: rows of no tile, vectors asked for where there are none, no rows, or
            `target` may not or cannot be written.
    """
    if not leaving.has_tiles:
        raise ArchiveError(
            f"{leaving.what} are not of one tile; write them to one file, such as "
            f"{leaving.what}.parquet"
        )
    if stac and not leaving.has_vectors:
        raise ArchiveError(
            f"a STAC collection of embeddings has vectors, {leaving.what} have none; "
            "export embeddings or changes, or to partitioned"
        )
    existing.free(target, folder=True, overwrite=overwrite)
    try:
        with part.whole(target) as made:
            return _write(_Folder(leaving, made, stac, advance), target)
    except OSError as error:
        raise ArchiveError(
            f"cannot write {target}: {error.strerror or error}; check the space there"
        ) from error


@dataclass(frozen=True, slots=True, eq=False)
class _Folder:
    """One folder being written."""

    leaving: Leaving
    root: Path
    stac: bool
    advance: Callable[[int], None]

    @property
    def name(self) -> str:
        """How names of items begin, and the id of the collection."""
        return f"{self.leaving.what}-{schema.suffix(self.leaving.model)}"

    @property
    def columns(self) -> pa.Schema:
        """Columns of the files."""
        return pa.schema(
            [one for one in self.leaving.columns if one.name not in _PARTITIONS]
        )


def _write(to: _Folder, target: Path) -> Exported:
    to.root.mkdir()
    if to.stac:
        (to.root / ITEMS).mkdir()
    all_covered = Covered()
    links = []
    form = "stac" if to.stac else "partitioned"
    with Manifest(to.root, form, folder.about(to.leaving)) as manifest:
        blocks = to.leaving.blocks(by_year=to.leaving.time is not None)
        for (tile, year), group in groupby(blocks, lambda one: (one.tile, one.year)):
            made, covered, path = _file(to, tile, year, group)
            _join(all_covered, covered)
            noted = manifest.add(
                path,
                item=made.name,
                tile=tile,
                year=year,
                rows=covered.rows,
                bbox=covered.box,
                start=None if covered.start is None else covered.start.isoformat(),
                end=None if covered.end is None else covered.end.isoformat(),
            )
            if to.stac:
                whole = replace(made, size=noted["bytes"], sha256=noted["sha256"])
                href = f"{ITEMS}/{made.name}.json"
                _json(to.root / href, stac_of.item(whole))
                links.append({"href": f"./{href}", "title": made.name})
    if not all_covered.rows:
        raise ArchiveError("no rows are left to write; widen the filters")
    if to.stac:
        _collection(to, all_covered, links)
    return Exported(target, all_covered.rows, manifest.bytes)


def _file(
    to: _Folder, tile: str, year: int | None, blocks: Iterator[Block]
) -> tuple[Made, Covered, Path]:
    """Write the file of one tile and year."""
    leaving, columns = to.leaving, to.columns
    where = f"tile={tile}" + ("" if year is None else f"/year={year}")
    inside = f"{DATA}/{where}" if to.stac else where
    path = to.root / inside / f"{leaving.what}.parquet"
    path.parent.mkdir(parents=True)
    met = Met()

    def made(covered: Covered) -> Made:
        return Made(
            name=f"{to.name}-{tile}" + ("" if year is None else f"-{year}"),
            collection=to.name,
            href=f"../{inside}/{path.name}",
            collection_href=f"../{COLLECTION}",
            contents=leaving.contents(covered),
            columns=columns,
            rows=covered.rows,
            scenes=met.scenes_of(leaving.sources),
            runs=met.runs_of(leaving.sources),
            created=datetime.now(UTC).replace(microsecond=0),
            tile=tile,
            grid=leaving.store.settings.grid,
        )

    def footers(covered: Covered) -> dict[str, str]:
        texts = leaving.footers(covered)
        if "emb" in texts:
            about = json.loads(texts["emb"]) | {
                "stac_item": stac_of.item(made(covered))
            }
            texts["emb"] = json.dumps(about)
        return texts

    def tables() -> Iterator[pa.Table]:
        for block in blocks:
            yield block.rows.select(columns.names)
            to.advance(block.rows.num_rows)

    covered = write_to(met.passing(tables()), columns, path, leaving.time, footers)
    return made(covered), covered, path


def _join(all_covered: Covered, one: Covered) -> None:
    all_covered.rows += one.rows
    all_covered.shapes |= one.shapes
    times = (all_covered.start, one.start), (all_covered.end, one.end)
    all_covered.start = min(filter(None, times[0]), default=None)
    all_covered.end = max(filter(None, times[1]), default=None)
    if all_covered.box is None or one.box is None:
        all_covered.box = all_covered.box or one.box
        return
    west, south, east, north = zip(all_covered.box, one.box, strict=True)
    all_covered.box = (min(west), min(south), max(east), max(north))


def _collection(to: _Folder, covered: Covered, links: list[dict[str, str]]) -> None:
    contents = to.leaving.contents(covered)
    about = stac_of.collection(to.name, contents, links, to.columns)
    _json(to.root / COLLECTION, about)


def _json(path: Path, text: object) -> None:
    path.write_text(json.dumps(text, indent=2) + "\n")
