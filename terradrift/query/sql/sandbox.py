"""What SQL may do: read the archive's tables, and nothing else.

Two walls. The connection is sealed (no files, no network, no extensions, no settings), and
every statement is parsed first: only SELECT passes, and only with the table functions
listed here, so that neither a sealed-off door nor a raw memory pointer can be tried.
"""

import json
import os
import re
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import duckdb

from terradrift.errors import QueryError

TABLE_FUNCTIONS = frozenset(
    {
        "duckdb_columns",
        "duckdb_functions",
        "duckdb_tables",
        "duckdb_types",
        "duckdb_views",
        "generate_series",
        "histogram",
        "histogram_values",
        "json_each",
        "json_tree",
        "pragma_table_info",
        "range",
        "repeat",
        "series",
        "similar_changes",
        "st_generatepoints",
        "summary",
        "unnest",
    }
)
"""Table functions that only compute, describe the tables, or are ours and read them."""

SCALAR_FUNCTIONS_REFUSED = frozenset({"write_log", "nextval", "currval"})

_EXPLAIN = re.compile(
    r"\s*explain\s+(analyze\s+)?(\(\s*(format|analyze)\b[^)]*\)\s*)?", re.IGNORECASE
)
_COMMENTS = re.compile(r"^(\s*(--[^\n]*(\n|$)|/\*.*?\*/))*", re.DOTALL)
_OURS = re.compile(
    r"exception occurred while executing the UDF: (?:Query|Archive|Schema)Error: (.*?)\s+At:\n",
    re.DOTALL,
)
"""What a function of ours says, as DuckDB hands it over."""
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


def seal(
    connection: duckdb.DuckDBPyConnection, *, threads: int, memory_bytes: int | None
) -> None:
    """Close every way out of the connection, for good; `memory_bytes` None: half of all."""
    limit = memory_bytes or _memory_bytes() // 2
    connection.execute(f"SET GLOBAL threads = {threads:d}")
    connection.execute(f"SET GLOBAL memory_limit = '{limit:d}B'")
    for statement in _SEAL:
        connection.execute(statement)


def check(connection: duckdb.DuckDBPyConnection, text: str) -> None:
    """Raise `QueryError` unless `text` is one statement that only reads the tables."""
    kind, query = _statement(connection, text)
    if kind == "EXPLAIN":
        plain = _EXPLAIN.sub("", query, count=1)
        if plain != query:
            kind, query = _statement(connection, plain)
    if kind != "SELECT":
        raise QueryError(
            f"SQL here only reads: expected a SELECT statement, got {kind.replace('_', ' ')}"
        )
    _check_tree(_parsed(connection, query))


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
    query = _COMMENTS.sub("", text, count=1).lstrip()
    kind = statement.type.name
    # DuckDB rewrites some pragmas to SELECT.
    return ("PRAGMA" if query[:6].lower() == "pragma" else kind), query


def _parsed(connection: duckdb.DuckDBPyConnection, query: str) -> Any:  # noqa: ANN401 - a JSON tree
    row = connection.execute("SELECT json_serialize_sql($1::VARCHAR)", [query])
    (tree,) = row.fetchone() or ("{}",)
    found = json.loads(tree)
    if found.get("error", True):
        raise QueryError(
            "SQL here only reads: expected a SELECT statement, got one that DuckDB "
            f"does not run as such ({_one_line(str(found.get('error_message')))})"
        )
    return found


def _check_tree(node: Any) -> None:  # noqa: ANN401 - a JSON tree
    """Refuse functions that reach outside, wherever they stand in the parsed statement."""
    if isinstance(node, list):
        for part in node:
            _check_tree(part)
    elif isinstance(node, dict):
        name = str(node.get("function_name", "")).lower()
        if name in SCALAR_FUNCTIONS_REFUSED:
            raise _reaches_outside(name)
        if node.get("type") == "TABLE_FUNCTION":
            called = str((node.get("function") or {}).get("function_name", "")).lower()
            if called not in TABLE_FUNCTIONS:
                raise _reaches_outside(called)
        for part in node.values():
            _check_tree(part)


def _reaches_outside(name: str) -> QueryError:
    return QueryError(
        f"SQL here reads the archive's tables only, got {name}(); "
        "load other data in Python and join it there"
    )


def query_error(error: Exception) -> QueryError:
    """What DuckDB said, with its candidates, in one line."""
    if ours := _OURS.search(str(error)):
        return QueryError(_one_line(ours[1]))
    said = str(error).split("\n\nLINE ")[0].split("\nLINE ")[0]
    if isinstance(error, duckdb.PermissionException):
        return QueryError(
            f"SQL here has no access outside the archive: {_one_line(said)}"
        )
    return QueryError(f"SQL cannot be answered: {_one_line(said)}")


def _one_line(text: str) -> str:
    return " ".join(text.split())


def _memory_bytes() -> int:
    """Memory of the machine, or what the cgroup leaves of it."""
    total = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    try:
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
    except OSError:
        return total
    return total if limit == "max" else min(total, int(limit))
