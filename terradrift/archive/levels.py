"""Processing levels of an archive's scenes: one for all, stated or told by `--level`."""

import pyarrow as pa

from terradrift import schema
from terradrift.archive import origins
from terradrift.errors import ArchiveError
from terradrift.store.tables import Store

_COLUMNS = ["scene_id", "processing_level"]


def all_scenes(store: Store, table: pa.Table) -> pa.Table:
    """The scenes held, with levels filled from `table`, and those of `table` beside them.

    `table` is `schema.scenes()`, of which the columns of `origins.COLUMNS` are kept.
    """
    new = table.select(origins.COLUMNS).replace_schema_metadata(None)
    if not store.exists("scenes"):
        return new
    before = filled(store, table)
    held = store.scan("scenes").read_all() if before is None else before
    known = set(held["scene_id"].to_pylist())
    fresh = [scene not in known for scene in table["scene_id"].to_pylist()]
    held = held.select(origins.COLUMNS).replace_schema_metadata(None)
    return pa.concat_tables([held, new.filter(pa.array(fresh, pa.bool_()))])


def refuse_mix(store: Store, table: pa.Table) -> None:
    """Refuse scenes of another level than those held.

    Raises:
        ArchiveError: `table` (`schema.scenes()`) has a level that no scene held has.
    """
    held = {level: scene for scene, level in _held(store).items() if level}
    found = {level: scene for scene, level in _levels(table).items() if level}
    strange = sorted(found.keys() - held.keys())
    if held and strange:
        before, level = min(held), strange[0]
        raise ArchiveError(
            f"{store.root} holds scenes of {before} ({held[before]}), got {level} "
            f"({found[level]}): one archive holds one processing level; "
            f"pass --level {before}, or make another archive"
        )


def filled(store: Store, table: pa.Table) -> pa.Table | None:
    """The scenes held, those without a level with the one of `table`; None: none has."""
    found = _levels(table)
    empty = {scene for scene, level in _held(store).items() if not level}
    if not any(found.get(scene) for scene in empty):
        return None
    held = store.scan("scenes").read_all()
    levels = [
        level or found.get(scene)
        for scene, level in zip(
            *(held[name].to_pylist() for name in _COLUMNS), strict=True
        )
    ]
    slot = held.schema.get_field_index("processing_level")
    named = held.set_column(
        slot, held.schema.field(slot), pa.array(levels, pa.string())
    )
    return named.select(schema.scenes().names)


def _held(store: Store) -> dict[str, str | None]:
    if not store.exists("scenes"):
        return {}
    return _levels(store.scan("scenes", _COLUMNS).read_all())


def _levels(table: pa.Table) -> dict[str, str | None]:
    return dict(zip(*(table[name].to_pylist() for name in _COLUMNS), strict=True))
