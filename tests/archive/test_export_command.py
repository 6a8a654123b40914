from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from typer.testing import CliRunner

import terradrift as td
from terradrift import schema
from terradrift.archive.out.filtered import Filters, chosen
from terradrift.cli import app
from terradrift.store.out.leaving import Leaving
from tests.store import made


def run(*words: object) -> tuple[int, str]:
    done = CliRunner().invoke(app, [str(word) for word in words])
    return done.exit_code, done.output


def test_the_command_takes_forms_and_filters(finished: Path, tmp_path: Path) -> None:
    archive = td.open(finished)
    target = tmp_path / "out"
    words = ("--to", "partitioned", "--since", "2019-03", "--until", "2019-04", "-q")
    code, said = run("export", finished, target, *words, "--dry-run")
    query = "SELECT count(*) FROM observations WHERE month(datetime) IN (3, 4)"
    (rows,) = archive.sql(query).fetchone() or (0,)
    assert (code, said.strip()) == (0, f"{rows:,} embeddings would go to {target}")
    code, said = run("export", finished, target, *words)
    assert (code, said.strip()) == (0, f"{rows:,} embeddings to {target}")


def box(west: float, east: float) -> dict[str, float]:
    return {"xmin": west, "ymin": 50.0, "xmax": east, "ymax": 50.1}


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("0,49,2,51", [True, False, False, False]),
        ("170,49,179,51", [False, True, False, False]),
        ("179.95,49,179.96,51", [False, False, True, False]),
        ("179.9,49,-179.9,51", [False, False, True, True]),
        ("-179.97,49,-179.9,51", [False, False, True, True]),
        ("-179.94,49,-179.9,51", [False, False, False, True]),
        ("-180,-90,180,90", [True, True, True, True]),
        ("0,51,2,52", [False, False, False, False]),
    ],
)
def test_boxes_may_cross_the_antimeridian(
    tmp_path: Path, asked: str, found: list[bool]
) -> None:
    leaving = Leaving(made.filled(tmp_path / "a.td"), "embeddings", made.MODEL)
    inside = chosen(leaving, Filters(bbox=asked)).chosen.inside
    assert inside is not None
    boxes = [box(1, 1.1), box(178, 178.1), box(179.95, -179.95), box(179.97, 180.07)]
    rows = pa.table({"bbox": pa.array(boxes, schema.BBOX)})
    assert np.array_equal(inside(rows), found)


def test_no_filter_is_all(tmp_path: Path) -> None:
    leaving = Leaving(made.filled(tmp_path / "a.td"), "embeddings", made.MODEL)
    assert chosen(leaving, Filters()) is leaving
    assert leaving.count() == 192
