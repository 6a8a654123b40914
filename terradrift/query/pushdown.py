"""Arrow filters on fields of structs in Lance's SQL (pure).

DuckDB hands filters over as Arrow expressions. Lance 14 refuses those that name a field of
a struct (`bbox.xmin`), but answers the same condition in SQL three times as fast as Arrow
can. An expression shows itself only as text, so this reads the plain form that boxes and
periods have, and leaves every other to Arrow.
"""

import re

import pyarrow as pa

_NUMBER = r"-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?"
_INSTANT = r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(?:\.\d+)?Z"
_COMPARISON = re.compile(
    r"\((?:FieldRef\.Nested\(FieldRef\.Name\((?P<struct>\w+)\) FieldRef\.Name\((?P<field>\w+)\)\)"
    rf"|(?P<column>\w+)) (?P<operator><|<=|>|>=|==) (?P<value>{_NUMBER}|{_INSTANT})\)"
)
_NUMBERS = {
    pa.float64(): "{}",
    pa.float32(): "arrow_cast({}, 'Float32')",
    pa.int32(): "{}",
    pa.int64(): "{}",
}


def sql(expression: str, schema: pa.Schema) -> str | None:
    """The condition in Lance's SQL, or None unless it is comparisons joined by `and`.

    Columns are compared with numbers or UTC instants, in their own type.
    """
    if '"' in expression:  # a text may hold anything
        return None
    parts: list[str] = []

    def read(match: re.Match[str]) -> str:
        part = _comparison(match, schema)
        parts.append(part or "")
        return "" if part else match[0]

    rest = _COMPARISON.sub(read, expression)
    # With the comparisons taken out, only brackets and `and` may be left.
    if not parts or re.sub(r"[()]|\band\b|\s", "", rest):
        return None
    return " AND ".join(parts)


def _comparison(match: re.Match[str], schema: pa.Schema) -> str | None:
    struct, field, column = match["struct"], match["field"], match["column"]
    name = f"`{struct}`.`{field}`" if struct else f"`{column}`"
    type_ = schema.field(struct or column).type
    if struct:
        type_ = type_.field(field).type
    value = _literal(match["value"], type_)
    operator = "=" if match["operator"] == "==" else match["operator"]
    return None if value is None else f"{name} {operator} {value}"


def _literal(value: str, type_: pa.DataType) -> str | None:
    if value.endswith("Z"):
        instant = pa.types.is_timestamp(type_)
        return f"timestamp '{value.removesuffix('Z')}'" if instant else None
    form = _NUMBERS.get(type_)
    return form.format(value) if form else None
