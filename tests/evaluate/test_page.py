import json
from dataclasses import replace
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from terradrift.archive import places
from terradrift.evaluate import maps, page
from terradrift.evaluate.figure import png
from terradrift.evaluate.result import Evaluation, Picture
from terradrift.evaluate.summary import evaluate
from terradrift.evaluate.write import write
from terradrift.grid import Grid
from tests.evaluate import test_summary as made
from tests.evaluate.ground import EPSG


def corners(*moves: int) -> np.ndarray:
    """Squares of the patches of `test_summary`, repeated so many patches to the east."""
    corner = [np.array([EPSG, 56_000, 5_000 + m]) for m in moves]
    cells = np.concatenate([made.GROUND.cells + place for place in corner])
    return places.corners(Grid(100), cells)


@pytest.fixture(scope="module")
def result() -> Evaluation:
    ground = replace(made.GROUND, corners=corners(0))
    names = replace(
        made.OBJECTS, kind=np.array(["a very long name of a class of change"] * 3)
    )
    truth = replace(made.TRUTH, kind=np.where(made.CHANGED, str(names.kind[0]), ""))
    return evaluate(truth, made.judged(), ground, objects=names, archive="x.td")


def test_the_table_fits_a_terminal_of_100_columns(result: Evaluation) -> None:
    lines = str(result).splitlines()
    assert max(map(len, lines)) <= 100
    assert {"Ranking of patches", "What it costs to find them"} <= {*lines}


def test_the_page_shows_the_picture_and_every_table(result: Evaluation) -> None:
    text = page.markdown(result, "evaluation.png")
    assert "](evaluation.png)" in text
    for heading in ("Ranking of patches", "Objects one by one", "Notes"):
        assert f"## {heading}" in text


def test_files_are_written_whole(result: Evaluation, tmp_path: Path) -> None:
    written = write(result, tmp_path / "new")
    assert [path.name for path in written] == [
        "evaluation.json",
        "evaluation.md",
        "evaluation.png",
    ]
    assert sorted(path.name for path in (tmp_path / "new").iterdir()) == [
        path.name for path in written
    ]
    assert json.loads(written[0].read_text())["archive"] == "x.td"
    assert Image.open(BytesIO(written[2].read_bytes())).size[0] > 1000


def test_a_picture_without_map_or_onsets_is_smaller(result: Evaluation) -> None:
    bare = replace(
        result, picture=replace(result.picture, corners=None, days=np.zeros(0))
    )
    small, large = (Image.open(BytesIO(png(one))).size for one in (bare, result))
    assert small[1] < large[1]


def picture(squares: np.ndarray) -> Picture:
    n = len(squares)
    changed = np.arange(n) == n - 1
    every = np.ones(n, bool)
    return Picture(squares, changed, ~changed, changed, every, np.zeros(0))


def test_ground_that_lies_apart_is_drawn_apart_most_changes_first() -> None:
    assert len(maps.areas(picture(corners(0)))) == 1
    parts = maps.areas(picture(corners(0, 400, 5000)))
    assert [len(part.rows) for part in parts] == [made.N] * 3
    assert parts[0].rows[-1] == 3 * made.N - 1


def test_a_thin_area_stays_whole() -> None:
    row = np.arange(40)
    cells = np.column_stack([np.full(40, EPSG), 56_000 + row, 5_000 + row])
    assert len(maps.areas(picture(places.corners(Grid(100), cells)))) == 1


def test_a_wide_scatter_is_cut_to_what_fits(result: Evaluation) -> None:
    squares = corners(*range(0, 12 * 500, 500))
    n = len(squares)
    many = replace(
        result,
        picture=replace(
            result.picture,
            corners=squares,
            changed=np.arange(n) % 5 == 0,
            unchanged=np.arange(n) % 5 > 1,
            reported=np.arange(n) % 3 == 0,
            judged=np.arange(n) % 7 > 0,
        ),
    )
    assert Image.open(BytesIO(png(many))).size[0] > 1000
