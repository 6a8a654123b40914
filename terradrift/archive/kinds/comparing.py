"""What became of kinds between two fits that an archive keeps."""

from terradrift import schema
from terradrift.archive.kinds import fits as kind_fits
from terradrift.archive.kinds.clustering import vectors
from terradrift.detect.kinds import fates as fates_
from terradrift.detect.kinds.fates import Fate
from terradrift.errors import ArchiveError
from terradrift.store.tables import Store


def compare(
    store: Store, model: str, first: int, second: int | None = None, *, threads: int
) -> list[Fate]:
    """What became of the kinds of one fit in another, by the changes of now.

    Args:
        store: of the archive.
        model: whose kinds.
        first: number of the earlier fit.
        second: of the later; None: the newest.
        threads: of the search.

    Raises:
        ArchiveError: no such fit, no changes, or vectors of another length.
    """
    table = f"changes_{schema.suffix(model)}"
    if not store.exists(table):
        raise ArchiveError(
            f"{store.root} holds no changes of {model}; run terradrift detect first"
        )
    latest = max(kind_fits.numbers(store, model), default=0)
    fits = [
        kind_fits.read(store, model, number)
        for number in (first, latest if second is None else second)
    ]
    changes = store.scan(table, ["before", "delta"]).read_all()
    before, delta = vectors(changes, "before"), vectors(changes, "delta")
    try:
        old, new = (
            fit.fitted.assign(before, delta, threads=threads).kind for fit in fits
        )
    except ValueError as error:
        raise ArchiveError(f"{store.root}: {error}; run terradrift cluster") from error
    return fates_.compare(old, new)
