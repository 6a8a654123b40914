"""The form in which columns are described."""

from collections.abc import Mapping
from dataclasses import dataclass

UNITS: Mapping[str, str] = {
    "id": "names a row of this or another view",
    "text": "words",
    "JSON": "a text that holds JSON",
    "list": "a list; its meaning says of what",
    "structure": "named fields; its meaning says which",
    "UTC": "an instant, shown in UTC",
    "days": "days",
    "degrees": "degrees, WGS 84 (OGC:CRS84, longitude before latitude)",
    "metres": "metres on the ground",
    "km2": "square kilometres",
    "percent": "0 to 100",
    "0..1": "a share or a probability",
    "cosine": "cosine distance: 0 same direction, 1 unrelated, 2 opposite",
    "index": "normalised difference of two reflectances, -1 to 1",
    "index difference": "after less before of an index, -2 to 2",
    "silhouette": "-1 to 1",
    "robust sd": "robust standard deviations (1.4826 MAD)",
    "ratio": "a number to compare with others of its column",
    "count": "how many",
    "number": "tells rows apart or orders them; its size means nothing else",
    "rank": "from 1, best first",
    "per 1,000 km2 and year": "a rate",
    "digital numbers": "as stored in a scene's files",
    "embedding": "a vector of the model, in the model's own units",
    "yes or no": "a truth value",
    "score": "the method's own; compare within one method and archive only",
}
"""All units, each in words."""

NEVER = "never"


@dataclass(frozen=True, slots=True)
class Column:
    """What a column holds; its type is the schema's."""

    unit: str
    """One of `UNITS`."""
    meaning: str
    """One sentence, without the full stop."""
    source: str
    """The verb that writes it, or the standard or method that it follows."""
    null: str = NEVER
    """When it is null."""


@dataclass(frozen=True, slots=True)
class View:
    """What one row is, and what its columns hold."""

    row: str
    key: tuple[str, ...]
    columns: Mapping[str, Column]
