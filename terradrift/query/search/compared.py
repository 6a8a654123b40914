"""The space that a search compares vectors in, and what to know of it."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from terradrift import schema
from terradrift.space import RAW
from terradrift.store import spaces

if TYPE_CHECKING:
    from terradrift.query.search.modes import Mode
    from terradrift.space import Space
    from terradrift.store.tables import Store

NO_CENTRE = (
    "states are compared as they are, and nearly all look alike so: terradrift index fits "
    "the archive's centre, which tells them apart better"
)


@dataclass(frozen=True, slots=True, eq=False)
class Compared:
    """What cosines are taken in."""

    space: "Space | None"
    note: str | None = None
    """What to know of it, told with the answer."""

    @property
    def label(self) -> str:
        """Such as `centre/1`, or `raw`."""
        return RAW if self.space is None else self.space.label


def found(
    store: "Store", model: str | None, mode: "Mode", asked: str | None = None
) -> Compared:
    """The space that `mode` is compared in: the one asked for, or see `spaces.of_search`.

    Raises:
        ArchiveError: there is no such space of the model, or its file is damaged.
    """
    if model is None:
        return Compared(None)
    space = spaces.of_search(store, model, steps=mode.steps, asked=asked)
    chosen = asked is not None or schema.suffix(model) in store.settings.spaces
    lacking = space is None and not mode.steps and not chosen
    return Compared(space, NO_CENTRE if lacking else None)
