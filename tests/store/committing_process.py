"""The toy units of `embedding_process` through a committer, to be killed at any moment."""

from terradrift.store.committer import Committer
from terradrift.store.parts import write
from terradrift.store.tables import Store
from terradrift.store.units import done
from tests.store import made
from tests.store.embedding_process import units


def embed(root: str, commit_units: int) -> None:
    """Do what is not done yet: what comes late on a day in a run of its own, as plans do."""
    store = Store.open(root)
    for late in (False, True):
        before = done(store, made.MODEL)
        with Committer(
            store, made.MODEL, made.columns(), commit_units=commit_units
        ) as committer:
            for tile, scenes, batch in units():
                unit = made.tile_name(tile), scenes, batch
                if late == scenes[0].endswith("-late") and (
                    (scenes[0], unit[0]) not in before
                ):
                    committer.add(write(committer.target, [unit], committer.days))
