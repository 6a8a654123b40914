"""Find changes, or observations, that are like one: exact, filtered before the search."""

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any, Literal

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from terradrift import threads as _threads
from terradrift.errors import QueryError
from terradrift.query import lance_scan
from terradrift.query import tables as _tables
from terradrift.query.result import Result
from terradrift.query.search import candidates, example
from terradrift.query.search.nearest import Found, nearest
from terradrift.query.sql.views import open_tables
from terradrift.query.where import Where
from terradrift.space import RAW
from terradrift.store import spaces

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import lance
    from numpy.typing import ArrayLike
    from shapely.geometry.base import BaseGeometry

    from terradrift.period import Period
    from terradrift.query.tables import Tables
    from terradrift.store.tables import Store

K_MAX = 100_000

On = Literal["delta", "after", "before", "before+after"]
Target = Literal["changes", "observations"]


def similar(
    store: "Store",
    *,
    change: str | None = None,
    event: str | None = None,
    patch: str | None = None,
    date: str | None = None,
    vector: "ArrayLike | None" = None,
    on: On | None = None,
    target: Target = "changes",
    k: int = 10,
    within: "str | Path | Mapping[str, Any] | BaseGeometry | None" = None,
    bbox: "str | tuple[float, float, float, float] | None" = None,
    between: "str | Period | tuple[str, str] | None" = None,
    kind: int | Iterable[int] | None = None,
    persistence: str | Iterable[str] | None = None,
    min_score: float | None = None,
    where: str | None = None,
    exclude_self: bool = True,
    vectors: bool = False,
    model: str | None = None,
    threads: int | None = None,
) -> Result:
    """The `k` rows of `target` that are most like an example, nearest first.

    The example is one of: `change`, the id of a change; `event`, standing for its change
    of the highest score; `patch` and `date`, the observation
    of that patch in that period (a day, usually) with the clear one before it; `vector`,
    numbers of the model's length (twice that for `before+after`).

    `on` says what is compared: the step (`delta`, the default for changes), the state
    `after` or `before` it, or both states end to end (`before+after`). Observations have one
    vector, which is compared with the example's `after` (or its `before`).

    Conditions narrow the rows before the search, so k rows come back when k exist: `within`
    (a region that the patch touches), `bbox` (degrees), `between` (of `onset`, or of
    `datetime`), `kind`, `persistence`, `min_score`, and `where` (SQL on the columns of the
    view). `exclude_self` leaves out the example.

    Cosines are taken in the archive's current space of the model (`space` of the answer; see
    `Archive.space`).

    The answer has `rank` (from 1), `distance` (cosine, 0 to 2, smaller is nearer) and the
    target's columns, its vectors only with `vectors`. Equal distances stand in the order of
    their ids. Memory holds the answer and a few batches, whatever the archive's size.

    Raises:
        QueryError: k out of range, no such example, a vector that cannot be compared, or a
            condition that cannot be read; the message says which.
    """
    if not 1 <= k <= K_MAX:
        raise QueryError(f"k must be between 1 and {K_MAX:,}, got {k}")
    if target not in candidates.BASE:
        raise QueryError(f"target must be changes or observations, got {target!r}")
    conditions = Where.parse(
        within=within,
        bbox=bbox,
        between=between,
        kind=kind,
        persistence=persistence,
        min_score=min_score,
        where=where,
    )
    tables = open_tables(store)
    name = model or store.settings.model
    asked = example.find(
        tables,
        name,
        change=change,
        event=event,
        patch=patch,
        date=date,
        vector=vector,
    )
    table = _tables.of_model(tables, candidates.BASE[target], name)
    column = "delta" if target == "changes" else "embedding"
    space = spaces.current(store, name) if name else None
    asked_for = asked.query(target, on, _tables.dimensions(table, column))
    query = asked_for.within(space)
    if not query.vectors.any():
        raise QueryError(
            f"{asked.name} is the middle of the archive and has no direction in the space "
            f"{space.label if space else RAW}; choose another example"
        )
    own = asked.own(target) if exclude_self else None
    itself = candidates.row_ids(table, own) if own else np.empty(0, np.uint64)
    allowed = candidates.find(tables, name, target, conditions)
    names = [*query.columns, *query.keys, lance_scan.ROW_ID]
    found = nearest(
        lance_scan.scan(table, {name: f"`{name}`" for name in names}, allowed),
        query,
        k + len(itself),
        allowed=allowed,
        threads=_threads.resolve(threads),
    )
    rows = _rows(table, found, ~np.isin(found.row_ids, itself), k, vectors=vectors)
    if target == "observations":
        rows = _with_place(tables, rows)
    note = None
    if len(rows) < k:
        note = f"{len(rows):,} rows pass the conditions and can be compared, {k:,} were asked for"
    return Result(rows, note, space=space.label if space else RAW)


def _rows(
    table: "lance.LanceDataset",
    found: Found,
    others: NDArray[np.bool_],
    k: int,
    *,
    vectors: bool,
) -> pa.Table:
    """The first `k` rows found that are `others`, with `rank` and `distance`."""
    best = np.flatnonzero(others)[:k]
    wanted = [
        field.name
        for field in table.schema
        if vectors or not lance_scan.is_vector(field.type)
    ]
    rows = lance_scan.take(table, found.row_ids[best], wanted)
    rank = pa.array(np.arange(1, len(best) + 1, dtype=np.int32))
    distance = pa.array(found.distances[best])
    return rows.add_column(0, "rank", rank).add_column(1, "distance", distance)


def _with_place(tables: "Tables", rows: pa.Table) -> pa.Table:
    """Observations with the place of their patch."""
    if "patches" not in tables:
        return rows
    wanted = pc.unique(rows["patch_id"]).to_pylist()
    names = ["patch_id", "longitude", "latitude", "bbox", "geometry"]
    condition = (
        f"patch_id IN ({', '.join(map(_tables.literal, wanted))})" if wanted else None
    )
    places = tables["patches"].to_table(columns=names, filter=condition)
    at = pc.index_in(rows["patch_id"], value_set=places["patch_id"])
    for name in names[1:]:
        rows = rows.append_column(places.schema.field(name), places[name].take(at))
    return rows
