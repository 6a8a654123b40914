"""In which precision the vectors of a table were made, and which may be added to them."""

from terradrift.archive.choosing import Choice
from terradrift.embed.protocol import ModelCard
from terradrift.errors import ModelMismatchError
from terradrift.store import units
from terradrift.store.tables import Store

PRECISION = "precision"
"""Schema metadata of embeddings: `fp32`, `bf16`, or `bf16,fp32` of a table that holds both.

It is no part of what names the model: where the card calls bfloat16 safe, both go together."""

_UNKNOWN = "unknown"
"""What a table holds that says nothing of it."""


def settle(store: Store, choice: Choice, card: ModelCard, used: str) -> str:
    """What the table says of precision once vectors in `used` are in it; it says so at once.

    Raises:
        ModelMismatchError: it holds vectors in the other precision, and the model's card
            does not call bfloat16 safe.
    """
    table = units.embeddings_table(choice.stored)
    if not store.exists(table) or not store.count(table):
        return used
    metadata = store.dataset(table).schema.metadata or {}
    before = metadata.get(PRECISION.encode(), _UNKNOWN.encode()).decode()
    held = set(before.split(","))
    known = held - {_UNKNOWN}
    if not card.bf16 and known - {used}:
        way = f"pass --precision {min(known)}, or " if len(known) == 1 else ""
        raise ModelMismatchError(
            f"{store.root} holds vectors of {choice.stored} made in {before}, got {used}, "
            f"and bfloat16 moves those of this model too far; {way}embed into another archive"
        )
    both = ",".join(sorted(held | {used}))
    if both != before:
        with store.lock("embed"):
            store.dataset(table).update_schema_metadata({PRECISION: both})
    return both
