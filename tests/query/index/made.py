"""Changes with vectors of many kinds, and what the exact search says of them."""

from pathlib import Path

import numpy as np
import pyarrow as pa

from terradrift.grid import Grid
from terradrift.query import lance_scan
from terradrift.query.search.nearest import Found, Query, nearest
from terradrift.space import Space, fit
from terradrift.store.tables import Settings, Store
from tests.query.conftest import DIMENSIONS, MODEL, changes_table, vectors

TABLE = "changes_toy_v1_0"
COLUMNS = (("delta",), ("after",), ("before", "after"))


def clustered(rows: int, dimensions: int = DIMENSIONS, seed: int = 0) -> np.ndarray:
    """Vectors around 20 centres, off the origin as those of networks are."""
    centres = np.random.default_rng(0).normal(size=(20, dimensions))
    rng = np.random.default_rng(seed + 1)
    noise = 0.4 * rng.normal(size=(rows, dimensions))
    return (2 + centres[rng.integers(0, 20, rows)] + noise).astype(np.float16)


def archive(folder: Path, rows: pa.Table) -> Store:
    made = Store.create(folder / "index.td", Settings(Grid(), model=MODEL))
    made.append(TABLE, rows)
    return made


def odd_rows(count: int) -> pa.Table:
    """Changes of which some have zeros, NaN, infinity or null in a vector."""
    rng = np.random.default_rng(5)
    rows = changes_table(count)
    for name in ("delta", "before", "after"):
        values = clustered(count, seed=len(name)) - (2 if name == "delta" else 0)
        values[rng.integers(0, count, 20)] = 0
        values[rng.integers(0, count, 20), 3] = np.nan
        values[rng.integers(0, count, 20), 1] = np.inf
        lists = vectors(values).to_pylist()
        for at in rng.integers(0, count, 20).tolist():
            lists[at] = None
        field = rows.schema.field(name)
        at = rows.schema.get_field_index(name)
        rows = rows.set_column(at, field, pa.array(lists, field.type))
    return rows


def spaces() -> tuple[Space | None, ...]:
    values = clustered(500, seed=9).astype(np.float32)
    return None, *(fit(name, [values], DIMENSIONS, 1) for name in ("centre", "whiten"))


def streamed(
    store: Store, query: Query, k: int, allowed: np.ndarray | None = None
) -> Found:
    table = store.dataset(TABLE)
    names = [*query.columns, *query.keys, lance_scan.ROW_ID]
    batches = lance_scan.scan(table, {name: f"`{name}`" for name in names})
    return nearest(batches, query, k, allowed=allowed)


def question(columns: tuple[str, ...], space: Space | None, seed: int = 0) -> Query:
    values = clustered(len(columns), seed=seed + 50).astype(np.float32)
    if columns == ("delta",):
        values -= 2
    return Query(columns, values, ("change_id",)).within(space)


def same(found: Found, expected: Found) -> bool:
    return np.array_equal(found.row_ids, expected.row_ids) and np.allclose(
        found.distances, expected.distances, atol=1e-9
    )
