"""Maps that one can move: coloured, bounded, built without a network."""

import socket
import sys
from pathlib import Path
from typing import Any, NoReturn

import numpy as np
import pyarrow as pa
import pytest
import shapely

import terradrift as td
from terradrift.errors import QueryError
from terradrift.query.result import Result
from terradrift.query.shown import explore


@pytest.fixture(autouse=True)
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    """No address can be looked up, so nothing can be fetched."""
    pytest.importorskip("lonboard")

    def refused(*_: Any, **__: Any) -> NoReturn:
        raise OSError("no network in this test")

    monkeypatch.setattr(socket, "getaddrinfo", refused)


def rows(count: int = 5, **columns: object) -> pa.Table:
    squares = [shapely.box(i, 0, i + 1, 1) for i in range(count)]
    held = {
        "change_id": [f"c{i}" for i in range(count)],
        "score": np.arange(count, dtype=np.float32),
        "geometry": pa.array(shapely.to_wkb(squares), pa.binary()),
    }
    return pa.table(held | columns)


def colours(drawn: Any) -> list[list[int]]:
    held = drawn.layers[0].get_fill_color
    flat = (
        pa.chunked_array(held).combine_chunks() if not isinstance(held, list) else held
    )
    found: list[list[int]] = flat.to_pylist()
    return found


def test_scores_are_coloured_by_rank_and_nothing_is_fetched() -> None:
    drawn = explore.draw(rows())
    assert drawn.basemap is None
    found = colours(drawn)
    assert len(found) == 5
    light = [sum(one[:3]) for one in found]
    assert light == sorted(light)
    assert found[-1][:3] == [254, 232, 56]


def test_the_nearest_match_is_the_brightest() -> None:
    held = rows(distance=np.linspace(0, 1, 5)).drop_columns("score")
    light = [sum(one[:3]) for one in colours(Result(held).explore())]
    assert light == sorted(light, reverse=True)


def test_kinds_have_colours_of_their_own_and_none_is_grey() -> None:
    kinds = pa.array([1, 2, 1, None, -1], pa.int32())
    found = colours(explore.draw(rows(kind=kinds), by="kind"))
    assert found[0] == found[2] != found[1]
    assert found[3][:3] == found[4][:3] == [128, 128, 128]


def test_points_are_drawn_where_there_is_no_geometry() -> None:
    held = pa.table(
        {"longitude": [3.0, 4.0], "latitude": [50.0, 51.0], "z": [1.0, 2.0]}
    )
    assert type(explore.draw(held).layers[0]).__name__ == "ScatterplotLayer"
    assert type(explore.draw(rows()).layers[0]).__name__ == "PolygonLayer"


def test_more_rows_than_are_drawn_are_told() -> None:
    with pytest.warns(UserWarning, match="first 3 rows are drawn"):
        drawn = Result(rows()).explore(limit=3)
    assert len(colours(drawn)) == 3


def test_an_archive_and_a_relation_open(finished: Path) -> None:
    archive = td.open(finished)
    drawn = archive.explore("patches")
    assert len(colours(drawn)) == archive.store.count("patches")
    relation = archive.sql("SELECT patch_id, longitude, latitude FROM patches")
    with pytest.warns(UserWarning, match="first 10 rows"):
        assert len(colours(relation.explore(limit=10))) == 10
    with pytest.raises(QueryError, match="expected one of changes, events, patches"):
        archive.explore("scenes")  # type: ignore[arg-type]  # what is tested


def test_what_cannot_be_drawn_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(QueryError, match="expected a column geometry"):
        explore.draw(pa.table({"x": [1]}))
    with pytest.raises(QueryError, match="got none"):
        explore.draw(rows(0))
    with pytest.raises(QueryError, match="to colour by, got colour"):
        explore.draw(rows(), by="colour")
    monkeypatch.setitem(sys.modules, "lonboard", None)
    with pytest.raises(QueryError, match=r"pip install 'terradrift\[notebook\]'"):
        explore.draw(rows())
