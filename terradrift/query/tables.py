"""The tables of one model, as searches need them."""

from typing import TYPE_CHECKING

from terradrift import schema
from terradrift.errors import QueryError

if TYPE_CHECKING:
    from collections.abc import Mapping

    import lance

    Tables = Mapping[str, "lance.LanceDataset"]

_MADE_BY = {"changes": "detect", "embeddings": "embed", "patches": "ingest"}


def of_model(tables: "Tables", base: str, model: str | None) -> "lance.LanceDataset":
    """The table `base` of `model`.

    Raises:
        QueryError: it is not there; the message says what makes it.
    """
    if model is None:
        raise QueryError("the archive has no model yet; run terradrift embed first")
    name = f"{base}_{schema.suffix(model)}"
    if name not in tables:
        held = sorted(other for other in tables if other.startswith(f"{base}_"))
        raise QueryError(
            f"the archive has no {base} of {model}, it has "
            f"{', '.join(held) or 'none of any model'}; run terradrift {_MADE_BY[base]} first"
        )
    return tables[name]


def dimensions(table: "lance.LanceDataset", column: str) -> int:
    """Length of the vectors in `column`."""
    return int(table.schema.field(column).type.list_size)


def literal(text: str) -> str:
    """`text` as a string literal of Lance's SQL."""
    return "'" + text.replace("'", "''") + "'"
