"""A table on its way out: its rows with their places, and what files of it say of it."""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Literal

import lance
import pyarrow as pa

from terradrift import schema
from terradrift.store import footer, spatial
from terradrift.store.footer import Contents
from terradrift.store.out.sources import Sources, sources
from terradrift.store.parquet import Covered, rows_per_group
from terradrift.store.spatial import ALL, ITEM, PLACE, Block, Chosen
from terradrift.store.tables import Store
from terradrift.store.units import embeddings_table

Dtype = Literal["float16", "float32"]

TABLES = ("changes", "events", "embeddings", "scores", "patches")
"""What leaves as rows with a place."""

_TIMES = {
    "embeddings": "datetime",
    "changes": "onset",
    "events": "start",
    "scores": "datetime",
}
_FULL_PLACE = ("longitude", "latitude", *PLACE)
_PLACES: dict[str, tuple[str, ...]] = {
    "embeddings": PLACE,
    "scores": _FULL_PLACE,
    "patch_changes": _FULL_PLACE,
}
_OF_PLACE = {field.name: field.type for field in schema.patches()}
_WITH_VECTORS = ("embeddings", "changes")
"""Tables that have an `emb` footer, or a STAC item with the embedding extension."""


@dataclass(frozen=True, eq=False)
class Leaving:
    """One table of a model, as an export writes it. Everything is read at one version."""

    store: Store
    what: str
    """One of `TABLES`; patches come with what changed on them, where detect was run."""
    model: str
    dtype: Dtype = "float16"
    """Of vectors in the file."""
    chosen: Chosen = ALL
    vectors: bool = True
    """Whether rows are given with their vectors; without, with longitude and latitude."""

    def __post_init__(self) -> None:
        if self.dtype not in ("float16", "float32"):
            raise ValueError(f"dtype must be float16 or float32, got {self.dtype!r}")

    @property
    def table(self) -> str:
        """Name of the table without its model."""
        if self.what != "patches":
            return self.what
        held = self.store.exists(f"patch_changes_{schema.suffix(self.model)}")
        return "patch_changes" if held else "patches"

    @property
    def time(self) -> str | None:
        """The column that tells when; None for patches."""
        return _TIMES.get(self.what)

    @property
    def has_vectors(self) -> bool:
        """Whether rows hold vectors."""
        return self.what in _WITH_VECTORS

    @property
    def has_tiles(self) -> bool:
        """Whether every row is of one tile."""
        return "tile" in self.dataset.schema.names

    @cached_property
    def dataset(self) -> lance.LanceDataset:
        """The table as it was first asked for.

        Raises:
            ArchiveError: there is none.
        """
        own = "" if self.table == "patches" else f"_{schema.suffix(self.model)}"
        return self.store.dataset(self.table + own)

    @cached_property
    def columns(self) -> pa.Schema:
        """The file's columns: the table's, with its place, and vectors of `dtype`."""
        fields = [
            self.dataset.schema.field(name).remove_metadata() for name in self._own
        ]
        added = self._added
        if added and "scene_id" in self.dataset.schema.names:
            fields.append(pa.field(ITEM, pa.string()))
        fields += [pa.field(name, _OF_PLACE[name]) for name in added]
        value = pa.float16() if self.dtype == "float16" else pa.float32()
        return pa.schema(
            [
                pa.field(field.name, pa.list_(value, field.type.list_size))
                if pa.types.is_fixed_size_list(field.type)
                else field
                for field in fields
            ]
        )

    @property
    def _own(self) -> list[str]:
        """Columns of the table that leave."""
        return [
            field.name
            for field in self.dataset.schema
            if self.vectors or not pa.types.is_fixed_size_list(field.type)
        ]

    @property
    def _added(self) -> tuple[str, ...]:
        """Columns of `patches` that leave with them."""
        added = _PLACES.get(self.table, ())
        return _FULL_PLACE if added and not self.vectors else added

    @cached_property
    def sources(self) -> Sources:
        """Scenes and runs that rows may come from."""
        return sources(self.store)

    def count(self) -> int:
        """How many rows leave."""
        if self.chosen.inside is not None and not self.has_tiles:
            return sum(block.rows.num_rows for block in self._by_rank())
        return spatial.count(self.store, self.dataset, self.chosen)

    def blocks(self, *, by_year: bool = False) -> Iterator[Block]:
        """The rows in `columns`, tile by tile along a Hilbert curve; events by their rank."""
        found = (
            spatial.blocks(
                self.store,
                self.dataset,
                self.time,
                self.chosen,
                rows_per_group(self.dataset.schema),
                place=self._added,
                by_year=by_year,
                columns=self._own,
            )
            if self.has_tiles
            else self._by_rank()
        )
        for block in found:
            rows = block.rows.select(self.columns.names).replace_schema_metadata(None)
            yield Block(block.tile, block.year, rows.cast(self.columns))

    def _by_rank(self) -> Iterator[Block]:
        rows = self.dataset.to_table(self._own, filter=self.chosen.where)
        rows = rows.sort_by("rank")
        if self.chosen.inside is not None:
            rows = rows.filter(pa.array(self.chosen.inside(rows)))
        yield Block("", None, rows)

    def footers(self, covered: Covered) -> dict[str, str]:
        """The footers of a GeoParquet file of what was `covered`."""
        contents = self.contents(covered)
        own = {
            "schema": schema.name(self.dataset.schema),
            "model": dict(contents.model),
        }
        texts = {
            "geo": footer.geo(contents, sorted(covered.shapes)),
            footer.TERRADRIFT: own,
        }
        if self.has_vectors and covered.rows:  # it says when, which nothing is of
            texts["emb"] = footer.emb(contents)
        return {name: json.dumps(value) for name, value in texts.items()}

    def contents(self, covered: Covered) -> Contents:
        """What a file says of itself that covers so much."""
        grid, held = self.store.settings.grid, self._embeddings
        metadata = {} if held is None else held.metadata or {}
        described = {key.decode(): value.decode() for key, value in metadata.items()}
        described.pop("terradrift:schema", None)
        return Contents(
            kind=self.what,
            model=described,
            dimensions=0 if held is None else held.field("embedding").type.list_size,
            dtype=self.dtype,
            patch_size=grid.patch_size,
            patch_px=None if grid.gsd is None else grid.patch_px,
            grid_crs=grid.crs,
            bands=self.store.settings.bands,
            bbox=covered.box,
            start=covered.start,
            end=covered.end,
            collections=self.sources.collections,
            sources=self.sources.links,
        )

    @cached_property
    def _embeddings(self) -> pa.Schema | None:
        """Columns of the model's vectors, whose metadata describe it; None: imported away."""
        table = embeddings_table(self.model)
        return self.store.dataset(table).schema if self.store.exists(table) else None
