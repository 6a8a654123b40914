"""Only conditions that are surely understood become SQL."""

from datetime import UTC, datetime

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest

from terradrift import schema
from terradrift.query import pushdown

CHANGES = schema.changes(4)
XMIN, KIND, SCORE, ONSET = (
    pc.field("bbox", "xmin"),
    pc.field("kind"),
    pc.field("score"),
    pc.field("onset"),
)
MAY = pa.scalar(datetime(2018, 5, 1, 12, 30, 0, 250, tzinfo=UTC), schema.INSTANT)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        (XMIN < 3.0000000000000004, "`bbox`.`xmin` < 3.0000000000000004"),
        (XMIN >= -1e-7, "`bbox`.`xmin` >= -1e-7"),
        ((XMIN < 1e300) & (KIND == -1), "`bbox`.`xmin` < 1e+300 AND `kind` = -1"),
        (pa.scalar(0.1, pa.float32()) < SCORE, "`score` > arrow_cast(0.1, 'Float32')"),
        (ONSET <= MAY, "`onset` <= timestamp '2018-05-01 12:30:00.000250'"),
        (
            ((XMIN < 1) & (XMIN > 0)) & ((ONSET > MAY) & (KIND > 2)),
            (
                "`bbox`.`xmin` < 1 AND `bbox`.`xmin` > 0 AND "
                "`onset` > timestamp '2018-05-01 12:30:00.000250' AND `kind` > 2"
            ),
        ),
    ],
)
def test_comparisons_joined_by_and_become_sql(
    expression: pc.Expression, expected: str
) -> None:
    assert pushdown.sql(str(expression), CHANGES) == expected


@pytest.mark.parametrize(
    "expression",
    [
        (XMIN < 1) | (KIND == 1),
        ~(XMIN < 1),
        (XMIN < 1) & KIND.isin([1, 2]),
        (XMIN < 1) & (pc.field("tile") == "a"),
        (XMIN < 1) & (pc.field("tile") == ") and (kind < 3)"),
        (XMIN < 1) & (pc.field("tile") == "(nowhere < 3)"),
        (XMIN < 1) & KIND.is_null(),
        (XMIN < 1) & (KIND != 3),
        (XMIN < 1) & (pc.field("longitude") > XMIN),
        pa.scalar(np.nan) > XMIN,
        pa.scalar(np.inf) > XMIN,
    ],
)
def test_everything_else_is_left_to_arrow(expression: pc.Expression) -> None:
    assert pushdown.sql(str(expression), CHANGES) is None
