"""Find changes, or observations, that are like one: filtered before the search."""

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, Literal

from terradrift import schema
from terradrift import threads as _threads
from terradrift.errors import QueryError
from terradrift.query import checked
from terradrift.query import tables as _tables
from terradrift.query.index import held
from terradrift.query.result import Result
from terradrift.query.search import (
    answer,
    candidates,
    compared,
    example,
    labelled,
    modes,
    plan,
)
from terradrift.query.search import exclude as leaving
from terradrift.query.search.deadline import Deadline
from terradrift.query.search.diverse import Diverse
from terradrift.query.search.example import Asked
from terradrift.query.search.exclude import Exclude, Leave
from terradrift.query.search.labelled import Judged, Refined
from terradrift.query.search.modes import Mode, ModeName, Target
from terradrift.query.search.nearest import Query
from terradrift.query.search.refine import Refine
from terradrift.query.where import Where

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    import lance
    from numpy.typing import ArrayLike
    from shapely.geometry.base import BaseGeometry

    from terradrift.period import Period
    from terradrift.query.index.protocol import Index
    from terradrift.query.search.aim import Aim
    from terradrift.query.sql.limits import Limits
    from terradrift.query.tables import Tables
    from terradrift.space import Space
    from terradrift.store.tables import Store

K_MAX = 100_000

KEYS = {"changes": ("change_id",), "observations": ("patch_id", "datetime")}
"""Columns that name a row of each target; equal distances stand in their order."""

_SEEN = {"changes": "date_after", "observations": "datetime"}


def similar(
    store: "Store",
    *,
    change: str | None = None,
    event: str | None = None,
    like_kind: int | None = None,
    patch: str | None = None,
    date: str | None = None,
    region: "str | Path | Mapping[str, Any] | BaseGeometry | None" = None,
    vector: "ArrayLike | str | Path | None" = None,
    like: str | Sequence[str] = (),
    unlike: str | Sequence[str] = (),
    labels: str | None = None,
    refine: Refine = "auto",
    mode: ModeName | None = None,
    target: Target = "changes",
    k: int = 10,
    within: "str | Path | Mapping[str, Any] | BaseGeometry | None" = None,
    bbox: "str | tuple[float, float, float, float] | None" = None,
    between: "str | Period | tuple[str, str] | None" = None,
    kind: int | Iterable[int] | None = None,
    persistence: str | Iterable[str] | None = None,
    min_score: float | None = None,
    where: str | None = None,
    exclude: Exclude | None = None,
    exclude_radius: "float | str | None" = None,
    per_event: int | None = None,
    per_patch: int | None = None,
    exact: bool | None = None,
    vectors: bool = False,
    columns: Sequence[str] | None = None,
    model: str | None = None,
    space: str | None = None,
    threads: int | None = None,
    device: Literal["auto", "cpu", "cuda"] | None = None,
    limits: "Limits | None" = None,
) -> Result:
    """The `k` rows of `target` that are most like an example, nearest first.

    The example is one of: `change`, the id of a change; `event` or `like_kind`, which stand
    for the mean of their changes' directions; `patch` and `date`, the observation of that
    patch in that period (a day, usually) with the clear one before it; `region`, the mean
    of the changes whose patch it touches; `vector`, numbers of the model's length (twice
    that for `before-after`) or a `.npy` or `.json` file with them; or what was judged:
    `like` and `unlike`, ids of changes, of events (they count as their changes) or
    `PATCH@DATE`, and `labels`, the name of stored labels. `refine` says how that is learned
    from (`refine.direction`). What was judged unlike is never in the answer.

    `mode` says what is compared: the step (`delta`, the default for changes), the opposite
    step (`reverse`), the state `after` or `before` it, both states end to end
    (`before-after`), or both in turn (`after-before`: from what the example became to what
    it was). Observations have one vector, which is compared with the example's
    `after` (or its `before`).

    Conditions narrow the rows before the search, so k rows come back when k exist: `within`
    (a region that the patch touches), `bbox` (degrees), `between` (of `onset`, or of
    `datetime`), `kind`, `persistence`, `min_score`, and `where` (SQL on the columns of the
    view).

    `exclude` leaves out the example's own rows with its events and all of its patches
    (`event`, the default of one example), its own rows alone (`self`, the default of what
    was judged), or nothing (`none`); `exclude_radius` (metres,
    or text such as 5km) what lies so near to it. `per_event` and `per_patch` bound how many
    rows of one event, or of one patch, come back; rows farther away take their place.

    Many rows are searched by an index where there is one (`terradrift index`), which finds
    nearly all of the nearest; the answer's `exact`, `recall` and `plan` say how it was got.
    `exact=True` compares every row that passes; `exact=False` takes the index even for few.
    The farther the nearest rows are from an example, the more of the index is looked at; one
    that is farther than those that recall was measured for is compared with every row.
    On a GPU (`device="cuda"`, or by itself once torch is imported) every row that the index
    covers is compared.

    `limits` bound the rows of the answer, the time from the call on, and the memory of
    `where` in DuckDB. The clock is looked at between batches of rows.

    Cosines are taken in `space`: `raw`, `centre`, `whiten` (the newest that is kept) or a
    label such as `whiten/2`. Without it, in the one that was chosen for the model
    (`Archive.space`); where none was, steps as they are, and states in the archive's
    `centre`. The answer's `space` names it.

    The answer has `rank` (from 1), `distance` (cosine, 0 to 2, smaller is nearer) and the
    target's columns, its vectors only with `vectors`, or those alone that `columns` names:
    one or two are read in a fifth of the time that all take. Equal distances stand in the order of
    their ids, and where they meet the end of an exact answer the first ids are in it; of
    equals an index may find any. Memory holds the answer, the columns of filters and a few
    batches, whatever the archive's size.

    Raises:
        QueryError: k out of range, no such example, a vector that cannot be compared, a
            condition that cannot be read, or the time of `limits` is over; the message says
            which.
        ArchiveError: there is no such space of the model.
    """
    checked.arguments(locals())
    deadline = Deadline.of(limits)
    if not 1 <= k <= K_MAX:
        raise QueryError(f"k must be between 1 and {K_MAX:,}, got {k}")
    chosen = modes.resolve(mode, target)
    asked = Asked(
        change=change,
        event=event,
        like_kind=like_kind,
        patch=patch,
        date=date,
        region=region,
        vector=vector,
    )
    judged = Judged(
        like=checked.ids("like", like),
        unlike=checked.ids("unlike", unlike),
        labels=labels,
        refine=refine,
    )
    conditions = Where.parse(
        within=within,
        bbox=bbox,
        between=between,
        kind=kind,
        persistence=persistence,
        min_score=min_score,
        where=where,
    )
    found_device = plan.device(device)
    left_out = leaving.parse(exclude, judged=bool(judged))
    radius = leaving.parse_radius(exclude_radius)
    diverse = Diverse(per_event, per_patch)
    if target == "observations" and per_event is not None:
        raise QueryError("observations are of no event; pass per_patch instead")
    most = limits.rows if limits else None

    tables = _tables.Opened(store)
    name = model or store.settings.model
    base = candidates.BASE[target]
    table = _tables.of_model(tables, base, name)
    shown = answer.wanted(table, target, columns)
    used = compared.found(store, name, chosen, space)
    given = asked, judged
    found_aim = _aim(
        tables, name, given, chosen, used.space, target=target, deadline=deadline
    )
    query = Query(chosen.columns, found_aim.vectors, KEYS[target], used.space)

    allowed = candidates.find(tables, name, target, conditions, deadline)
    notes = [note for note in (found_aim.note, used.note) if note]
    if allowed is not None and not len(allowed):
        notes.append(candidates.explained(tables, name, target, conditions, deadline))
    elif radius is not None:
        allowed = answer.far(
            tables,
            name,
            target,
            allowed,
            found_aim,
            metres=radius,
            deadline=deadline,
        )
        if not len(allowed):
            notes.append(
                f"all rows that pass lie within {radius:g} m of {found_aim.name}"
            )
    index, trouble = _index(store, f"{base}_{schema.suffix(name or '')}", table, query)
    if trouble:
        notes.append(trouble)
    if index is None and device == "cuda":
        notes.append(
            "rows were compared on the processor: a GPU compares an index's copy of them, "
            "which terradrift index makes"
        )
    search = plan.Search(
        table,
        query,
        allowed,
        index=index,
        exact=exact,
        threads=_threads.resolve(threads),
        device=found_device,
        deadline=deadline,
    )
    wanted = k if most is None else min(k, most)
    leave = _leave(found_aim, left_out, target)
    found = answer.best(search, wanted, leave, diverse)
    rows = answer.whole(
        tables, table, target, found, shown, search.known, vectors=vectors
    )
    if wanted < k:
        notes.append(f"the limit is {wanted:,} rows, {k:,} were asked for")
    if search.passing and len(rows) < wanted:
        notes.append(answer.short(len(rows), wanted, diverse))
    return Result(
        rows,
        "; ".join(notes) or None,
        space=used.label,
        mode=chosen.name,
        exact=search.recall is None,
        recall=search.recall,
        plan=search.told(),
    )


def _aim(
    tables: "Tables",
    model: str | None,
    given: tuple[Asked, Judged],
    mode: "Mode",
    space: "Space | None",
    *,
    target: str,
    deadline: Deadline,
) -> "Aim":
    """What to look for: one example, or what was learned from what was judged."""
    asked, judged = given
    if not judged:
        if judged.refine != "auto":
            raise QueryError(
                f"refine={judged.refine} says how to learn from like=, unlike= or labels=; "
                "got none of them: pass some, or leave refine out"
            )
        table = _tables.of_model(tables, candidates.BASE[target], model)
        dimensions = _tables.dimensions(table, mode.columns[0])
        return example.find(
            tables,
            model,
            asked,
            mode,
            space,
            dimensions=dimensions,
            deadline=deadline,
        )
    if asked.ways:
        raise QueryError(
            "expected one example, or like=, unlike= and labels=; got both: like the "
            "example too"
        )
    return labelled.find(
        tables, model, judged, mode, space, target=target, deadline=deadline
    )


def _leave(aim: "Aim", exclude: Exclude, target: str) -> Leave:
    """What is left out; what was judged unlike in any case."""
    if exclude == "none" and isinstance(aim, Refined):
        return Leave(aim.unliked, "self", _SEEN[target])
    return Leave(aim.own, exclude, _SEEN[target])


def _index(
    store: "Store", name: str, table: "lance.LanceDataset", query: Query
) -> "tuple[Index | None, str | None]":
    """The index of this search, and what is wrong with one that cannot be read."""
    told = store, name, table, query.columns, query.space
    index = held.opened(*told)
    return index, held.trouble(*told) if index is None else None
