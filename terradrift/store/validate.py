"""What is wrong with an archive, one sentence per problem; streaming."""

from collections.abc import Iterator

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from terradrift.errors import ArchiveError, SchemaError
from terradrift.grid import parse_id
from terradrift.store import layout, names, sameday
from terradrift.store.series import vectors_of
from terradrift.store.tables import Store

_SHOWN = 3
_VECTORS = {"embeddings": ["embedding"], "changes": ["before", "after", "delta"]}
_KEYS = {
    "scenes": "scene_id",
    "patches": "patch_id",
    "changes": "change_id",
    "patch_changes": "patch_id",
    "events": "event_id",
    "kinds": "kind",
    "alerts": "alert_id",
    "taxonomy": "regime",
    "regimes": "patch_id",
    "labels": "label_id",
    "runs": "run_id",
}


def validate(store: Store) -> list[str]:
    """Every problem found, as sentences that name table and rows; empty: all is well.

    Reads every table once, vectors included, a tile or a batch at a time.
    """
    found = [
        f"{entry.name} is not a table of an archive"
        for entry in sorted(store.root.glob("*.lance"))
        if not names.known(entry.stem)
    ]
    for table in store.tables():
        try:
            store.dataset(table)
        except (SchemaError, ArchiveError) as error:
            found.append(str(error))
            continue
        found += _table(store, table)
    return found


def _table(store: Store, table: str) -> Iterator[str]:
    kind = names.kind(table)
    if kind in _KEYS:
        yield from _keys(store, table, _KEYS[kind])
    if kind in _VECTORS:
        yield from _vectors(store, table, _VECTORS[kind])
    if kind == "patches":
        yield from _cells(store)
    if kind in ("embeddings", "scores", "anomalies"):
        yield from _observations(store, table)
    if kind == "embeddings":
        yield from _ledger(store, table)
    if kind in (
        "embeddings",
        "scores",
        "changes",
        "patch_changes",
        "anomalies",
        "regimes",
    ):
        yield from _places(store, table)
    if kind == "scores":
        yield from _scored(store, table)


def _keys(store: Store, table: str, column: str) -> Iterator[str]:
    """Keys that are null or stand twice."""
    keys = store.scan(table, [column]).read_all()[column]
    if keys.null_count:
        yield f"{table}: {keys.null_count} rows have no {column}"
    counts = pc.value_counts(keys.drop_null())
    twice = counts.filter(pc.greater(counts.field("counts"), 1)).field("values")
    if len(twice):
        yield f"{table}: {column} {_some(twice)} stands more than once"


def _vectors(store: Store, table: str, columns: list[str]) -> Iterator[str]:
    """Vectors that are missing, not finite, or nothing but zeros."""
    bad = dict.fromkeys(columns, 0)
    missing = dict.fromkeys(columns, 0)
    for batch in store.scan(table, columns):
        for column in columns:
            vectors = batch.column(column)
            missing[column] += vectors.null_count
            values = vectors_of(vectors.drop_null())
            # A float16 is NaN or infinite exactly where its five exponent bits are set.
            whole = (values.view(np.uint16) & 0x7C00) != 0x7C00
            bad[column] += int(len(values) - whole.all(axis=1).sum())
    for column in columns:
        if bad[column]:
            yield f"{table}: {bad[column]} vectors in {column} hold NaN or infinity"
        if missing[column] and table.startswith("embeddings"):
            yield f"{table}: {missing[column]} rows have no {column}"


def _cells(store: Store) -> Iterator[str]:
    """Patches whose id is not that of a cell of the archive's grid."""
    grid = store.settings.grid
    columns = ["patch_id", "tile", "row", "col"]
    for batch in store.scan("patches", columns):
        wrong = [
            row["patch_id"]
            for row in batch.to_pylist()
            if not _is_cell(row, grid.patch_size)
        ]
        if wrong:
            yield (
                f"patches: {_some(wrong)} is no patch of {grid.patch_size} m at its "
                "row and column"
            )
            return


def _is_cell(row: dict[str, object], size: int) -> bool:
    try:
        _, at_row, at_col = parse_id(str(row["patch_id"]))
    except ValueError:
        return False
    sized = f"_{size}m_" in str(row["patch_id"])
    return sized and (at_row, at_col) == (row["row"], row["col"])


def _observations(store: Store, table: str) -> Iterator[str]:
    """Patches with two rows on one day, and rows in another tile than their patch's."""
    dataset = store.dataset(table)
    twice: list[str] = []
    count = 0
    for ranges in layout.layout(dataset).runs.values():
        rows = layout.read_table(dataset, ["patch_id", "datetime"], ranges)
        patch = rows["patch_id"].combine_chunks().dictionary_encode()
        codes = patch.indices.to_numpy(zero_copy_only=False).astype(np.int64)
        key = np.sort(codes * (1 << 32) + sameday.days(rows["datetime"]))
        again = key[1:][np.diff(key) == 0]
        count += len(again)
        twice += [patch.dictionary[int(one >> 32)].as_py() for one in again[:_SHOWN]]
    if count:
        yield (
            f"{table}: {count} rows are of a patch and day that another row is of, "
            f"such as {_some(twice)}"
        )


def _ledger(store: Store, table: str) -> Iterator[str]:
    """Rows that no unit of the ledger accounts for, and the other way round."""
    units = f"units_{table.partition('_')[2]}"
    counted: dict[tuple[str, str], int] = {}
    for batch in store.scan(table, ["scene_id", "tile"]):
        pairs = pa.Table.from_batches([batch]).group_by(["scene_id", "tile"])
        for row in pairs.aggregate([([], "count_all")]).to_pylist():
            pair = (row["scene_id"], row["tile"])
            counted[pair] = counted.get(pair, 0) + row["count_all"]
    if not store.exists(units):
        if counted:
            yield f"{units} is missing; {len(counted)} units of {table} are not in a ledger"
        return
    entries = store.scan(units).read_all().to_pylist()
    ledger = {(row["scene_id"], row["tile"]): row["rows"] for row in entries}
    if len(ledger) != len(entries):
        yield f"{units}: {len(entries) - len(ledger)} units stand more than once"
    unknown = [pair for pair in counted if pair not in ledger]
    if unknown:
        yield (
            f"{table}: rows of {len(unknown)} units are not in {units}, such as scene "
            f"{unknown[0][0]} on tile {unknown[0][1]}"
        )
    more = [pair for pair, rows in counted.items() if rows > ledger.get(pair, rows)]
    if more:
        yield (
            f"{table}: {len(more)} units have more rows than {units} says, such as scene "
            f"{more[0][0]} on tile {more[0][1]}"
        )


def _places(store: Store, table: str) -> Iterator[str]:
    """Rows of patches that the table of patches does not have, or has in another tile."""
    if not store.exists("patches"):
        yield f"{table} has rows but the archive has no patches"
        return
    patches = store.dataset("patches")
    held = layout.layout(patches).runs
    dataset = store.dataset(table)
    count, shown = 0, list[str]()
    for tile, ranges in layout.layout(dataset).runs.items():
        known = layout.read_table(
            patches, ["patch_id"], held.get(tile, np.empty((0, 2), np.int64))
        )["patch_id"]
        rows = layout.read_table(dataset, ["patch_id"], ranges)["patch_id"]
        lost = rows.filter(pc.invert(pc.is_in(rows, value_set=known)))
        count += len(lost)
        shown += lost.slice(0, _SHOWN).to_pylist()
    if count:
        yield (
            f"{table}: {count} rows are of patches that are not in patches under their "
            f"tile, such as {_some(shown)}"
        )


def _scored(store: Store, table: str) -> Iterator[str]:
    """Scores of observations that are not there."""
    vectors = f"embeddings_{table.partition('_')[2]}"
    if not store.exists(vectors):
        yield f"{table} has rows but there is no table {vectors}"
        return
    scores, held = store.dataset(table), store.dataset(vectors)
    there = layout.layout(held).runs
    count = 0
    for tile, ranges in layout.layout(scores).runs.items():
        theirs = there.get(tile, np.empty((0, 2), np.int64))
        columns = ["patch_id", "datetime"]
        known = _pairs(layout.read_table(held, columns, theirs))
        count += int(
            np.isin(
                _pairs(layout.read_table(scores, columns, ranges)), known, invert=True
            ).sum()
        )
    if count:
        yield f"{table}: {count} scores are of observations that are not in {vectors}"


def _pairs(rows: pa.Table) -> NDArray[np.str_]:
    """(n,) patch and instant as one text each."""
    instants = rows["datetime"].cast(pa.int64()).cast(pa.string())
    joined = pc.binary_join_element_wise(rows["patch_id"], instants, " ")
    return np.array(joined.to_pylist(), dtype=np.str_)


def _some(values: pa.Array | list[str]) -> str:
    """The first few of the values, in words."""
    listed = [
        str(value)
        for value in (values.to_pylist() if isinstance(values, pa.Array) else values)
    ]
    shown = ", ".join(listed[:_SHOWN])
    return f"{shown} and others" if len(listed) > _SHOWN else shown
