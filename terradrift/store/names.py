"""Which tables an archive may hold, and the schema each name promises (pure)."""

from collections.abc import Callable, Mapping
from itertools import takewhile

import pyarrow as pa

from terradrift import schema
from terradrift.errors import ArchiveError, ModelMismatchError, SchemaError

_PLAIN: Mapping[str, Callable[[], pa.Schema]] = {
    "scenes": schema.scenes,
    "patches": schema.patches,
    "labels": schema.labels,
    "runs": schema.runs,
}
_PER_MODEL: Mapping[str, Callable[[], pa.Schema]] = {
    "units": schema.units,
    "scores": schema.scores,
    "patch_changes": schema.patch_changes,
    "events": schema.events,
    "kinds": schema.kinds,
    "alerts": schema.alerts,
    "anomalies": schema.anomalies,
    "taxonomy": schema.taxonomy,
    "regimes": schema.regimes,
}
_WITH_VECTORS: Mapping[str, tuple[Callable[[int], pa.Schema], str]] = {
    "embeddings": (schema.embeddings, "embedding"),
    "changes": (schema.changes, "delta"),
}

_BY_DETECT = ("scores", "changes", "patch_changes", "events")
"""Tables that `detect` replaces whole, whatever form they had."""

IDENTITY = (
    "model",
    "revision",
    "weights_sha256",
    "bands",
    "preprocessing",
    "quantization",
)
"""Schema metadata that must be equal for two embeddings to be comparable."""

_LONGEST = 80
"""Characters of a part of these that a message shows."""


def known(table: str) -> bool:
    """Whether an archive may hold a table of that name."""
    return _base(table) is not None


def _base(table: str) -> str | None:
    """The table's name without its model, None where an archive has no such table."""
    if table in _PLAIN:
        return table
    for base in (*_PER_MODEL, *_WITH_VECTORS):
        if table.startswith(f"{base}_") and len(table) > len(base) + 1:
            return base
    return None


def kind(table: str) -> str:
    """The table's name without its model.

    Raises:
        ArchiveError: no such table in an archive.
    """
    if base := _base(table):
        return base
    may = [*_PLAIN, *(f"{name}_<model>" for name in (*_PER_MODEL, *_WITH_VECTORS))]
    raise ArchiveError(
        f"an archive has no table {table!r}; expected one of {', '.join(may)}"
    )


def expected(table: str, actual: pa.Schema) -> pa.Schema:
    """The schema that `table` must have, with the metadata of `actual`.

    Vectors may have any length, but all columns of vectors the same.

    Raises:
        SchemaError: `actual` is not of that schema.
    """
    base = kind(table)
    if base in _WITH_VECTORS:
        build, column = _WITH_VECTORS[base]
        want = build(_dimensions(actual, column, table))
    else:
        want = (_PLAIN | _PER_MODEL)[base]()  # type: ignore[operator]
    try:
        schema.check(actual, want, table)
    except SchemaError as error:
        if base in _BY_DETECT and schema.name(actual) != schema.name(want):
            raise SchemaError(
                f"{error}; run terradrift detect to make it anew"
            ) from None
        raise
    return want.with_metadata({**(actual.metadata or {}), **want.metadata})


def _dimensions(actual: pa.Schema, column: str, table: str) -> int:
    index = actual.get_field_index(column)
    type_ = actual.field(index).type if index >= 0 else None
    if type_ is None or not pa.types.is_fixed_size_list(type_):
        raise SchemaError(
            f"{table}: column {column} must be a fixed_size_list of float16, "
            f"got {type_ or 'no such column'}"
        )
    return int(type_.list_size)


def check_model(held: pa.Schema, given: pa.Schema, table: str) -> None:
    """Raise `ModelMismatchError` unless both schemas name the same model in every part."""
    ours, theirs = _identity(held), _identity(given)
    differs = [key for key in IDENTITY if ours.get(key) != theirs.get(key)]
    if differs:
        raise ModelMismatchError(
            f"{table} holds vectors of {_shown(ours, theirs, differs)}, got "
            f"{_shown(theirs, ours, differs)}; distances between models mean nothing. "
            "Embed into another archive, or use what this one holds"
        )


def _identity(found: pa.Schema) -> dict[str, str]:
    decoded = {
        key.decode(): value.decode() for key, value in (found.metadata or {}).items()
    }
    return {key: decoded[key] for key in IDENTITY if key in decoded}


def _shown(identity: dict[str, str], other: dict[str, str], differs: list[str]) -> str:
    """The model, and in few words what of it `other` has otherwise."""
    name = f"{identity.get('model', 'no model')}@{identity.get('revision', '?')}"
    keys = [key for key in differs if key not in ("model", "revision")]
    parts = [f"{key} {_part(identity.get(key), other.get(key))}" for key in keys]
    return f"{name} ({', '.join(parts)})" if parts else name


def _part(text: str | None, other: str | None) -> str:
    """`text`; of a long one the words that `other` has otherwise, shortened."""
    if text is None:
        return "not stated"
    if max(len(text), len(other or "")) <= _LONGEST:
        return text
    cut = _otherwise(text, other or "", "; ")
    if len(cut) > _LONGEST:
        cut = _otherwise(text, other or "", " ")
    cut = cut.strip()
    return cut if len(cut) <= _LONGEST else f"{cut[:_LONGEST]}..."


def _otherwise(text: str, other: str, between: str) -> str:
    """The parts of `text` after those that both begin with, and before those at the end."""
    parts, others = text.split(between), other.split(between)
    first = _alike(parts, others)
    last = _alike(parts[first:][::-1], others[first:][::-1])
    shown = between.join(parts[first : len(parts) - last]) or "nothing more"
    return ("... " if first else "") + shown + (" ..." if last else "")


def _alike(one: list[str], other: list[str]) -> int:
    """How many parts both begin with."""
    return len(
        list(takewhile(lambda pair: pair[0] == pair[1], zip(one, other, strict=False)))
    )
