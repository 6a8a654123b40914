"""What SQL may do: read the archive's tables, and nothing else.

Two walls. The connection is sealed (no files, no network, no extensions, no settings), and
every statement is parsed first: only SELECT passes, only on the archive's views, and only
with functions listed in `allowed`, so that neither a sealed-off door nor a raw memory
pointer can be tried.
"""

import json
import os
import re
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import duckdb

from terradrift.errors import QueryError
from terradrift.query.sql import allowed, deep, macros, udf
from terradrift.query.sql import tree as parts

_SHOWN = frozenset({"", '"tables"'})
"""What SHOW may tell of: the views, and for DESCRIBE a query."""

_OF_A_TABLE = ("histogram", "histogram_values", "pragma_table_info")
"""Table functions that take the name of a table as a text, which may be that of a file."""

_INNER_TABLES = ("columns_described_",)

_CATALOGS = ("", "memory")

_SYSTEM = frozenset({"system", "temp", "memory", "pg_catalog", "information_schema"})
"""Not before a function: a schema of DuckDB's own. A column may stand there, to call it on."""

_BUILT_IN = ("duckdb_", "pg_", "pragma_", "sqlite_")
"""How the names of DuckDB's own views start, which tell of settings, paths and pointers."""

_LIKE_A_FILE = re.compile(r"[./\\:*]")

_EXPLAIN = re.compile(
    r"\s*explain\s+(analyze\s+)?(\(\s*(format|analyze)\b[^)]*\)\s*)?", re.IGNORECASE
)
_TOKENS_MAX = 10_000
"""Words and signs of a statement: planning cannot be interrupted, and may be quadratic."""

_BYTES_MAX = 1 << 20
_COMMENTS_MAX = 100

_SEAL = (
    "SET GLOBAL TimeZone = 'UTC'",
    "SET GLOBAL python_enable_replacements = false",
    "SET GLOBAL allow_community_extensions = false",
    "SET GLOBAL autoinstall_known_extensions = false",
    "SET GLOBAL autoload_known_extensions = false",
    "SET GLOBAL temp_directory = ''",
    "SET GLOBAL enable_external_access = false",
    "SET GLOBAL lock_configuration = true",
)


_AHEAD: list[tuple[duckdb.DuckDBPyConnection, bool]] = []


def spatial_file() -> Path | None:
    """The `spatial` extension of this DuckDB as the installed wheel holds it, or None."""
    spec = find_spec("duckdb_extension_spatial")
    if spec is None or spec.origin is None:
        return None
    file = (
        Path(spec.origin).parent
        / "extensions"
        / f"v{duckdb.__version__}"
        / "spatial.duckdb_extension"
    )
    return file if file.is_file() else None


def load_spatial(connection: duckdb.DuckDBPyConnection) -> bool:
    """Load `spatial` from its wheel, never from the network; False where it is absent."""
    file = spatial_file()
    if file is None:
        return False
    quoted = str(file).replace("'", "''")
    connection.execute(f"LOAD '{quoted}'")
    return True


def opened() -> tuple[duckdb.DuckDBPyConnection, bool]:
    """A connection to an instance of its own, and whether `spatial` is loaded in it."""
    if _AHEAD:
        return _AHEAD.pop()
    connection = duckdb.connect(":memory:")
    return connection, load_spatial(connection)


def open_ahead() -> None:
    """Open now what the next `opened` gives: loading `spatial` takes a tenth of a second."""
    _AHEAD.append(opened())


def seal(
    connection: duckdb.DuckDBPyConnection, *, threads: int, memory_bytes: int | None
) -> None:
    """Close every way out of the connection, for good; `memory_bytes` None: half of all."""
    limit = memory_bytes or half_of_memory()
    connection.execute(f"SET GLOBAL threads = {threads:d}")
    connection.execute(f"SET GLOBAL memory_limit = '{limit:d}B'")
    for statement in _SEAL:
        connection.execute(statement)


def check(connection: duckdb.DuckDBPyConnection, text: str) -> Any:  # noqa: ANN401 - a JSON tree
    """The parsed statement; raises `QueryError` unless it is one that only reads the tables."""
    _check_length(text)
    kind, query = _statement(connection, text)
    if kind == "EXPLAIN":
        plain = _EXPLAIN.sub("", query, count=1)
        if plain != query:
            kind, query = _statement(connection, plain)
    if kind != "SELECT":
        raise QueryError(
            f"SQL here only reads: expected a SELECT statement, got {kind.replace('_', ' ')}"
        )
    tree = _parsed(connection, query)
    _check_tree(tree)
    return tree


def without_semicolon(text: str) -> str:
    """The one statement in `text`, without the `;` around it and what comes after."""
    data = text.encode()
    start, end = 0, len(data)
    for at, kind in duckdb.tokenize(text):
        if kind == duckdb.token_type.operator and data[at : at + 1] == b";":
            if data[start:at].strip():
                end = at
                break
            start = at + 1
    return data[start:end].decode()


def _check_length(text: str) -> None:
    size = len(text.encode())
    # DuckDB reads comments within comments in quadratic time.
    if size > _BYTES_MAX or text.count("/*") > _COMMENTS_MAX:
        raise QueryError(
            f"SQL takes a statement of at most {_BYTES_MAX >> 20} MiB with at most "
            f"{_COMMENTS_MAX} comments, got {size:,} bytes; bind long values ($name)"
        )
    words = len(duckdb.tokenize(text))
    if words > _TOKENS_MAX:
        raise QueryError(
            f"SQL takes a statement of at most {_TOKENS_MAX:,} words and signs, got "
            f"{words:,}; bind long lists as values ($name)"
        )


def _statement(connection: duckdb.DuckDBPyConnection, text: str) -> tuple[str, str]:
    """The kind and the text of the only statement, without comments before it."""
    try:
        statements = connection.extract_statements(text)
    except duckdb.Error as error:
        raise query_error(error) from error
    if len(statements) != 1:
        dynamic = re.match(r"\s*pivot\b", text, re.IGNORECASE) is not None
        what = "PIVOT without a list of values" if dynamic else f"{len(statements)}"
        hint = "write PIVOT ... ON column IN (...)" if dynamic else "send one at a time"
        raise QueryError(f"SQL takes one SELECT statement, got {what}; {hint}")
    (statement,) = statements
    (start, _), *_ = duckdb.tokenize(text)  # comments are no tokens
    query = text.encode()[start:].decode()
    kind = statement.type.name
    # DuckDB rewrites some pragmas to SELECT.
    return ("PRAGMA" if query[:6].lower() == "pragma" else kind), query


def _parsed(connection: duckdb.DuckDBPyConnection, query: str) -> Any:  # noqa: ANN401 - a JSON tree
    row = connection.execute("SELECT json_serialize_sql($1::VARCHAR)", [query])
    (tree,) = row.fetchone() or ("{}",)
    try:
        found = json.loads(tree)
    except RecursionError as error:
        raise QueryError(
            "SQL takes a statement with less nesting; split it with WITH"
        ) from error
    if found.get("error", True):
        raise QueryError(
            "SQL here only reads: expected a SELECT statement, got one that DuckDB "
            f"does not run as such ({_one_line(str(found.get('error_message')))})"
        )
    return found


def _check_tree(tree: Any) -> None:  # noqa: ANN401 - a JSON tree
    """Refuse what reaches outside, wherever it stands in the parsed statement."""
    for node in parts.nodes(tree):
        if isinstance(node, dict):
            _check_node(node)


def _check_node(node: dict[str, Any]) -> None:
    kind = node.get("type")
    if kind == "TABLE_FUNCTION":
        called = node.get("function") or {}
        name = str(called.get("function_name", "")).lower()
        if name not in allowed.TABLE_FUNCTIONS | macros.NAMES:
            raise _reaches_outside(f"{name}()")
        if name in _OF_A_TABLE:
            _check_table({"table_name": _table_named(called)})
    elif kind == "BASE_TABLE":
        _check_table(node)
    elif kind == "SHOW_REF":
        _check_show(node)
    elif "function_name" in node:
        _check_function(node)
    elif "cast_type" in node and parts.names(node["cast_type"], deep.REFUSED_TYPE):
        raise _reaches_outside(f"the type {deep.REFUSED_TYPE}")


def _check_function(node: dict[str, Any]) -> None:
    """Refuse functions that are not listed, those inside ours, and DuckDB's by its schema."""
    name = str(node["function_name"]).lower()
    schema = str(node.get("schema") or "").lower()
    catalog = str(node.get("catalog") or "").lower()
    if schema in _SYSTEM or _LIKE_A_FILE.search(schema) or catalog not in _CATALOGS:
        raise _reaches_outside(f"{'.'.join(filter(None, (catalog, schema, name)))}()")
    if name in deep.STRUCTURED:
        _check_structure(name, node.get("children") or [])
    if allowed.function(name) or name in allowed.TABLE_FUNCTIONS:
        return
    if name.endswith("_") or name in _functions_of_duckdb():
        raise _reaches_outside(f"{name}()")


def _check_structure(name: str, children: list[Any]) -> None:
    """Refuse a second argument that is not a text written out, and not deep."""
    structure = children[1].get("value") if len(children) == 2 else None
    text = structure.get("value") if isinstance(structure, dict) else None
    if not isinstance(text, str):
        raise QueryError(
            f"SQL here takes {name}(json, 'structure') with its text in it"
        )
    deep.check(text)


def _check_show(node: dict[str, Any]) -> None:
    told = (
        str(node.get(part) or "")
        for part in ("catalog_name", "schema_name", "table_name")
    )
    catalog, schema, name = told
    if catalog or schema or name not in _SHOWN:
        raise _reaches_outside(
            f"SHOW {'.'.join(filter(None, (catalog, schema, name)))}"
        )


def _table_named(called: dict[str, Any]) -> str:
    """The table that a function's first argument names; one that is not plain is refused."""
    first = (called.get("children") or [{}])[0]
    if first.get("type") == "COLUMN_REF" and len(first["column_names"]) == 1:
        (name,) = first["column_names"]
    else:
        value = first.get("value")
        name = value.get("value") if isinstance(value, dict) else None
    if first.get("alias") or not isinstance(name, str) or not name.isidentifier():
        raise QueryError(
            f"SQL here takes {called.get('function_name')}(view, ...) with the name of a view"
        )
    return name


def _check_table(node: dict[str, Any]) -> None:
    """Refuse tables other than the archive's; of DuckDB's own a few are allowed."""
    parts = [
        str(node.get(part, "")).lower()
        for part in ("catalog_name", "schema_name", "table_name")
    ]
    catalog, schema, name = parts
    plain = schema in {"", "main"} and not (
        name.startswith(_BUILT_IN) or name in _INNER_TABLES or _LIKE_A_FILE.search(name)
    )
    described = schema == "information_schema" and name in allowed.VIEWS
    if catalog not in _CATALOGS or not (plain or described):
        raise _reaches_outside(".".join(filter(None, parts)))


@lru_cache(maxsize=1)
def _functions_of_duckdb() -> frozenset[str]:
    """Names of all functions of this DuckDB; others it refuses itself, naming near ones."""
    with duckdb.connect(":memory:") as connection:
        load_spatial(connection)
        rows = connection.execute(
            "SELECT DISTINCT lower(function_name) FROM duckdb_functions()"
        ).fetchall()
    return frozenset(name for (name,) in rows)


def _reaches_outside(what: str) -> QueryError:
    return QueryError(
        f"SQL here reads the archive's tables only, got {what}; "
        "load other data in Python and join it there"
    )


def query_error(error: Exception) -> QueryError:
    """What DuckDB said, with its candidates, in one line."""
    if (ours := udf.said(error)) is not None:
        return QueryError(_one_line(ours))
    said = str(error).split("\n\nLINE ")[0].split("\nLINE ")[0]
    if isinstance(error, duckdb.PermissionException):
        return QueryError(
            f"SQL here has no access outside the archive: {_one_line(said)}"
        )
    if said.startswith("Out of Memory Error"):
        said = re.split(r"Possible solutions|Database is launched", said)[0]
        return QueryError(
            f"SQL needs more memory than it may have ({_one_line(said)}); narrow it, or "
            "raise --memory (in Python limits=Limits(memory_bytes=...))"
        )
    return QueryError(f"SQL cannot be answered: {_one_line(said)}")


def _one_line(text: str) -> str:
    return " ".join(text.split())


def half_of_memory() -> int:
    """Bytes: half of the machine's memory, or of what the cgroup leaves of it."""
    return _memory_bytes() // 2


def _memory_bytes() -> int:
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
    except OSError:
        return total
    return total if limit == "max" else min(total, int(limit))
