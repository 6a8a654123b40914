"""Names that are not there, and the ones that were meant.

DuckDB names candidates for some mistakes; it knows neither which other view has a column
nor this field's words for what elsewhere is called `lat` or `cluster_id`.
"""

import re
from collections.abc import Collection, Iterable
from difflib import get_close_matches

import duckdb

from terradrift.errors import QueryError

COLUMNS = {
    "lat": ("latitude",),
    "lon": ("longitude",),
    "long": ("longitude",),
    "lng": ("longitude",),
    "x": ("longitude",),
    "y": ("latitude",),
    "date": ("datetime", "onset", "date_after", "started"),
    "day": ("datetime", "onset", "started"),
    "time": ("datetime", "onset", "started"),
    "timestamp": ("datetime", "onset", "started"),
    "acquired": ("datetime",),
    "start": ("onset", "started"),
    "begin": ("onset", "started"),
    "end": ("ended",),
    "geom": ("geometry",),
    "the_geom": ("geometry",),
    "wkb": ("geometry",),
    "wkb_geometry": ("geometry",),
    "shape": ("geometry",),
    "bounds": ("bbox",),
    "cluster": ("kind",),
    "cluster_id": ("kind",),
    "class": ("kind", "verdict"),
    "label": ("kind", "name"),
    "category": ("kind",),
    "id": ("change_id", "event_id", "patch_id", "scene_id", "run_id"),
    "cell": ("patch_id",),
    "cell_id": ("patch_id",),
    "patch": ("patch_id",),
    "change": ("change_id",),
    "event": ("event_id",),
    "scene": ("scene_id",),
    "item_id": ("scene_id",),
    "vector": ("embedding", "delta"),
    "emb": ("embedding", "delta"),
    "embeddings": ("embedding", "delta"),
    "distance": ("drift",),
    "pvalue": ("p_value",),
    "probability": ("p_value",),
    "confidence": ("score", "p_value"),
    "magnitude": ("drift", "score"),
    "cloud": ("cloud_percent",),
    "cloud_cover": ("cloud_percent",),
    "clear": ("clear_percent",),
}
"""What columns are called elsewhere, to what they are called here, the likeliest first."""

TABLES = {
    "cluster": "kinds",
    "clusters": "kinds",
    "classes": "kinds",
    "cells": "patches",
    "grid": "patches",
    "places": "patches",
    "images": "scenes",
    "items": "scenes",
    "acquisitions": "scenes",
    "vectors": "embeddings",
    "chips": "observations",
    "detections": "changes",
    "anomaly": "anomalies",
    "regime": "regimes",
}
"""Likewise for views."""

FUNCTIONS = {
    "cosine_similarity": "1 - cosine_distance(a, b)",
    "cosine_sim": "1 - cosine_distance(a, b)",
    "cosine": "cosine_distance",
    "similar": "similar_changes",
    "nearest": "similar_changes",
    "knn": "similar_changes",
    "drift": "drift_between",
    "timeseries": "series",
    "time_series": "series",
    "history": "series",
    "bbox": "in_bbox",
    "intersects_bbox": "in_bbox",
    "intersects": "within",
    "contains_point": "within",
    "biggest_change": "largest_change",
    "latest_change": "last_change",
    "to_month": "month_of",
}
"""Likewise for functions."""

_COLUMN = (
    re.compile(r'Referenced column "(?P<name>[^"]+)" not found'),
    re.compile(
        r'(?:Table|Values list) "(?P<table>[^"]+)" does not have a column named "(?P<name>[^"]+)"'
    ),
    re.compile(r'Column "(?P<name>[^"]+)" (?:in \w+ list not found|does not exist)'),
)
_TABLE = re.compile(r'Table with name "?(?P<name>[\w.]+)"? does not exist')
_ROWS = re.compile(r'Function "(?P<name>\w+)" is a table function but it was used as')
_STUMBLED = re.compile(
    r'Parser Error: syntax error at (?:end of input|or near "(?P<near>.*?)")'
)
_WORD = re.compile(r"\w+|.", re.DOTALL)
_FUNCTION = re.compile(r"Function with name \"?(?P<name>\w+)\"? does not exist")


def better(
    connection: duckdb.DuckDBPyConnection, text: str, error: QueryError
) -> QueryError:
    """`error` with the name that was meant where one of `text` is not there; one line."""
    said = str(error)
    for pattern in _COLUMN:
        if found := pattern.search(said):
            parts = found.groupdict()
            return _no_column(connection, text, parts["name"], parts.get("table"))
    if found := _TABLE.search(said):
        return _no_table(connection, found["name"])
    if found := _ROWS.search(said):
        return _said(
            f"{found['name']} gives rows, not one value; write FROM {found['name']}(...)"
        )
    if found := _FUNCTION.search(said):
        return _no_function(connection, found["name"])
    return error


def quoted(
    connection: duckdb.DuckDBPyConnection, text: str, error: QueryError
) -> QueryError:
    """`error` with what to write where a word of SQL's own stands for a column of `text`.

    DuckDB stumbles over such a word, or over the sign after it.
    """
    found = _STUMBLED.search(str(error))
    if found is None:
        return error
    near = (found["near"] or "").lower()
    words = _words(text)
    after = [*(word for word, _ in words[1:]), ""]
    held = _columns(connection)
    known = {column for columns in held.values() for column in columns}
    here = {column for view in _named(held, text) for column in held[view]}
    for (word, is_keyword), beside in zip(words, after, strict=True):
        column = is_keyword and (word in known or word in COLUMNS)
        if column and near in (word, beside):
            others = [] if word in here else COLUMNS.get(word, ())
            meant = " or ".join(other for other in others if other in here)
            hint = f"; did you mean {meant}?" if meant else ""
            return QueryError(
                f'{error}: {word} is a word of SQL; as a name write it "{word}"{hint}'
            )
    return error


def _named(held: Iterable[str], text: str) -> list[str]:
    """Views whose names stand in the statement."""
    return [view for view in held if re.search(rf"\b{view}\b", text, re.IGNORECASE)]


def _words(text: str) -> list[tuple[str, bool]]:
    """Words and signs of a statement in lower case, and whether each is a keyword."""
    data = text.encode()
    tokens = duckdb.tokenize(text)
    ends = [*(start for start, _ in tokens[1:]), len(data)]
    return [
        (_first(data[start:end].decode()), kind == duckdb.token_type.keyword)
        for (start, kind), end in zip(tokens, ends, strict=True)
    ]


def _first(text: str) -> str:
    """The word or sign that `text` starts with; what follows are spaces and comments."""
    return _WORD.findall(text)[0].lower() if text else ""


def _no_column(
    connection: duckdb.DuckDBPyConnection, text: str, name: str, table: str | None
) -> QueryError:
    held = _columns(connection)
    among = [table] if table in held else _named(held, text)
    here = [column for view in among for column in held[view]]
    where = f" in {', '.join(among)}" if among else ""
    meant = [word for word in COLUMNS.get(name.lower(), ()) if word in here]
    if not meant and name.lower() not in here:
        meant = _near(name, here)
    if meant:
        return _said(f"no column {name}{where}; did you mean {' or '.join(meant)}?")
    views = [view for view in _short_first(held) if name.lower() in held[view]]
    if views:
        return _said(
            f"no column {name}{where}; {' and '.join(views[:3])} "
            f"{'has' if len(views) == 1 else 'have'} it"
        )
    shown = f"; there are {', '.join(dict.fromkeys(here))}" if here else ""
    return _said(f"no column {name}{where}{shown}")


def _short_first(held: Iterable[str]) -> list[str]:
    """Views of the current model before those of one by name."""
    return sorted(held, key=lambda view: (len(view), view))


def _no_table(connection: duckdb.DuckDBPyConnection, name: str) -> QueryError:
    views = list(_columns(connection))
    near = views_meant(name, views)
    if near:
        return _said(f"no view {name}; did you mean {' or '.join(near)}?")
    plain = [view for view in views if "_" not in view or view == "patch_changes"]
    return _said(f"no view {name}; there are {', '.join(plain)}")


def views_meant(name: str, views: Collection[str]) -> list[str]:
    """At most three of `views` that `name` may stand for, the likeliest first."""
    meant = TABLES.get(name.lower())
    return [meant] if meant is not None and meant in views else _near(name, views)


def _no_function(connection: duckdb.DuckDBPyConnection, name: str) -> QueryError:
    rows = connection.execute(
        "SELECT DISTINCT lower(function_name), internal FROM duckdb_functions()"
    ).fetchall()
    # Those that end in an underscore are parts of others.
    ours = [known for known, internal in rows if not (internal or known[-1] == "_")]
    if name.lower() in ours:
        return _said(f"{name} gives one value, not rows; write SELECT {name}(...)")
    meant = FUNCTIONS.get(name.lower())
    near = (
        [meant]
        if meant
        else _near(name, ours) or _near(name, [n for n, _ in rows if n[-1] != "_"])
    )
    hint = f"; did you mean {' or '.join(near)}?" if near else "; see docs/sql.md"
    return _said(f"no function {name}{hint}")


def _columns(connection: duckdb.DuckDBPyConnection) -> dict[str, list[str]]:
    """Each view of the archive with its columns."""
    rows = connection.execute(
        "SELECT table_name, list(column_name ORDER BY column_index) "
        "FROM duckdb_columns() WHERE NOT internal AND database_name = 'memory' "
        "AND schema_name = 'main' "
        "GROUP BY ALL ORDER BY ALL"
    ).fetchall()
    return {view: list(map(str.lower, columns)) for view, columns in rows}


def _near(name: str, names: Iterable[str]) -> list[str]:
    """At most three of `names` that read like `name`, the nearest first."""
    known = dict.fromkeys(names)
    near = get_close_matches(name.lower(), known, n=3, cutoff=0.6)
    starts = [other for other in known if len(name) > 2 and other.startswith(name)]
    return list(dict.fromkeys([*near, *starts]))[:3]


def _said(what: str) -> QueryError:
    return QueryError(f"SQL cannot be answered: {what}")
