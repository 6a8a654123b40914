"""`run --dry-run`: what a source would bring and what would be read, with nothing written."""

import pyarrow as pa

from terradrift import schema
from terradrift.archive import embedding, ingesting
from terradrift.archive.choosing import Choice
from terradrift.archive.ingesting import Ingested
from terradrift.archive.purpose import Purpose
from terradrift.ingest.plan import Plan
from terradrift.ingest.scene import Filters, Options
from terradrift.store.tables import Store


def preview(
    store: Store,
    source: str,
    filters: Filters,
    options: Options,
    choice: Choice,
    *,
    skip_bad: bool,
    sizes: bool = False,
) -> tuple[Ingested, Plan]:
    """What `ingest` would add and `embed` would then read; the archive may not exist yet.

    `sizes`: whether the model says how large the patches of a new archive are.

    Raises: as `ingesting.survey`.
    """
    seen = ingesting.survey(
        store,
        "",
        source,
        filters,
        options,
        skip_bad=skip_bad,
        purpose=Purpose(choice, sizes),
    )
    scenes = _with(store, "scenes", seen.new)
    patches = seen.patches if seen.anew else _with(store, "patches", seen.patches)
    return seen.told(), embedding.plan_of(store, choice, scenes, patches, seen.settings)


def _with(store: Store, table: str, new: pa.Table) -> pa.Table:
    """The rows that the archive holds, and the new ones."""
    if not store.exists(table):
        return new
    held = store.scan(table).read_all().replace_schema_metadata(None)
    columns = {"scenes": schema.scenes, "patches": schema.patches}[table]()
    plain = new.select(columns.names).replace_schema_metadata(None)
    return pa.concat_tables([held.select(columns.names), plain])
