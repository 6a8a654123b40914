"""In what order a model of several dates may be given scenes: never before what is stored."""

from terradrift.archive.choosing import Choice
from terradrift.errors import ArchiveError
from terradrift.ingest.plan import Plan, Unit
from terradrift.store import sameday, units
from terradrift.store.tables import Store


def too_late(store: Store, todo: Plan, choice: Choice) -> tuple[Unit, ...]:
    """Units of `todo` on a day before one that the store holds rows of, of the same tile.

    A vector of several dates is made from the days before it as well. One that is stored
    has not seen such a unit, and would be another had the unit come in time. Always none
    for a model that looks at one date.
    """
    table = units.embeddings_table(choice.stored)
    if choice.how.dates == 1 or not store.exists(table):
        return ()
    rows = store.scan(table, ["tile", "datetime"], batch_size=1 << 16)
    last: dict[str, int] = {}
    for tile, day in sameday.places(rows):
        last[tile] = max(day, last.get(tile, day))
    return tuple(
        unit
        for unit in todo.units
        if unit.tile in last
        and int(unit.day.astype("datetime64[D]").astype(int)) < last[unit.tile]
    )


def reason(late: tuple[Unit, ...], choice: Choice) -> str:
    """Why these units are not embedded."""
    first = min(late, key=lambda unit: (unit.day, unit.tile))
    return (
        f"tile {first.tile} on {first.day.astype('datetime64[D]')} is older than vectors of "
        f"{choice.stored} that are stored, which were made from {choice.how.dates} dates "
        "each without it"
    )


def refuse(store: Store, late: tuple[Unit, ...], choice: Choice) -> None:
    """Refuse units that come too late.

    Raises:
        ArchiveError: there are any.
    """
    if not late:
        return
    scene = min(late, key=lambda unit: (unit.day, unit.tile)).scene_ids[0]
    others = len({name for unit in late for name in unit.scene_ids}) - 1
    more = f" and {others} other scenes" if others else ""
    raise ArchiveError(
        f"{store.root}: scene {scene}{more} came too late: {reason(late, choice)}; embed "
        "into another archive, where scenes are ingested in order of time, or pass "
        "--skip-bad to leave such scenes out"
    )
