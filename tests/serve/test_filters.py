"""What passes filters, against the same conditions one by one."""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
import pyarrow as pa
import pytest
import shapely
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from shapely.geometry.base import BaseGeometry

from terradrift.query.where import Where
from terradrift.serve import filters as serve_filters
from terradrift.serve.app import application
from terradrift.serve.columns import changes as columns
from terradrift.serve.columns import inside
from terradrift.serve.faults import Gone
from terradrift.serve.filters import Filters, filters, mask, passing
from terradrift.serve.held import Held
from terradrift.serve.search import matched
from tests.serve.drawn import Change, archive, batch, scattered

DRAWN = scattered(150)
EPOCH = date(1970, 1, 1)


@dataclass(frozen=True)
class Found:
    """What a search found."""

    change_ids: list[str]
    distances: NDArray[np.float32]


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Held:
    found = archive(tmp_path_factory.mktemp("filters") / "a.td", DRAWN)
    found.regions.keep("west", shapely.box(-61, -4, -59.998, -2))
    ids = [f"change-{at:05d}" for at in (70, 3, 110, 41, 20)]
    found.searches.keep(
        "five", Found([*ids, "change-99999"], np.arange(6, dtype=np.float32))
    )
    return found


def passes(one: Change, given: Filters) -> bool:
    """The conditions on columns, as they are told."""
    day = None if one.day is None else EPOCH + timedelta(days=one.day)
    return (
        (given.since is None or (day is not None and day >= given.since))
        and (given.until is None or (day is not None and day <= given.until))
        and (not given.kinds or (-1 if one.kind is None else one.kind) in given.kinds)
        and (not given.persistence or one.persistence in given.persistence)
        and np.float32(one.score) >= np.float32(min(given.min_score, 1e38))
        and (given.event is None or one.event == given.event)
    )


days = st.none() | st.integers(16_990, 19_010).map(
    lambda day: EPOCH + timedelta(days=day)
)
asked = st.builds(
    Filters,
    since=days,
    until=days,
    kinds=st.lists(st.sampled_from([-1, 0, 1, 2, 3, 99]), max_size=3).map(tuple),
    persistence=st.lists(
        st.sampled_from(["persistent", "gradual", "no such"]), max_size=2
    ).map(tuple),
    min_score=st.sampled_from([0.0, 5.5, 8.3, 12.0, 1e9, 1e300]),
    event=st.sampled_from([None, "event-3", "event-4", "no such"]),
    region=st.sampled_from([None, "west"]),
    search=st.sampled_from([None, "five"]),
)


@given(asked)
@settings(max_examples=80, deadline=None)
def test_a_change_passes_if_all_conditions_hold(held: Held, given: Filters) -> None:
    generation = held.newest()
    found = columns.of(held, generation)
    expected = [row for row, one in enumerate(DRAWN) if passes(one, given)]
    if given.region:
        shape = held.regions.get(given.region)
        touches = [shape.intersects(shapely.Polygon(one.corners)) for one in DRAWN]
        expected = [row for row in expected if touches[row]]
    if given.search:
        ranked = [int(name[7:]) for name in held.searches.get(given.search).change_ids]
        expected = [row for row in ranked if row in expected]
    got = passing(held, generation, given)
    assert got.rows.tolist() == expected
    assert sorted(found.row[mask(held, generation, given)].tolist()) == sorted(expected)
    if given.search:
        assert got.rank is not None
        assert got.distance is not None
        assert got.rank.tolist() == [ranked.index(row) + 1 for row in expected]
        assert got.distance.tolist() == [float(ranked.index(row)) for row in expected]
    assert serve_filters.rows(held, generation, given).tolist() == expected


def test_a_mask_is_made_once(held: Held) -> None:
    generation = held.newest()
    one = mask(held, generation, Filters(kinds=(2,), region="west"))
    assert mask(held, generation, Filters(kinds=(2,), region="west")) is one
    kept = columns.of(held, generation).masks
    assert 0 < kept.size < 1 << 20


def test_what_is_not_kept_is_told(held: Held) -> None:
    with pytest.raises(Gone, match="the region x is not kept any more; draw it again"):
        mask(held, held.newest(), Filters(region="x"))
    with pytest.raises(Gone, match="the search x is not kept any more; search again"):
        passing(held, held.newest(), Filters(search="x"))


def test_a_search_that_found_nothing_lets_nothing_pass(held: Held) -> None:
    none = matched.Found(pa.array([], pa.string()), np.empty(0, np.float32))
    held.searches.keep("none", none)
    assert not mask(held, held.newest(), Filters(search="none")).any()
    client = TestClient(application(held))
    told = client.get("/api/count", params={"search": "none"}).json()
    assert (told["changes"], told["events"]) == (0, 0)
    for what in ("changes", "events"):
        asked = {"what": what, "format": "csv", "search": "none"}
        answer = client.get("/api/download", params=asked)
        assert (answer.status_code, answer.headers["x-rows"]) == (200, "0")


def test_filters_of_a_question_are_in_one_order() -> None:
    one = filters(kind=[3, -1, 3], persistence=["gradual", "transient", "gradual"])
    assert (one.kinds, one.persistence) == ((-1, 3), ("gradual", "transient"))
    assert one == filters(kind=[-1, 3], persistence=["transient", "gradual"])


def regions() -> st.SearchStrategy[BaseGeometry]:
    """Areas around the patches of the first place; some share sides with patches exactly."""
    west, south = 5.98, 49.98
    corner = st.tuples(st.floats(0, 0.04), st.floats(0, 0.04))
    ring = st.lists(corner, min_size=3, max_size=7, unique=True)
    free = ring.map(
        lambda r: shapely.make_valid(
            shapely.Polygon([(west + x, south + y) for x, y in r])
        )
    )
    one = st.sampled_from([c for c in DRAWN if c.longitude < 7 and c.longitude > 5])
    exact = one.map(lambda c: shapely.Polygon(c.corners))
    beside = one.map(
        lambda c: shapely.box(
            *c.corners[1], c.corners[1][0] + 0.01, c.corners[1][1] + 0.01
        )
    )
    areas = st.one_of(free, exact, beside).filter(lambda s: s.area > 0)
    return st.lists(areas, min_size=1, max_size=3).map(
        lambda parts: shapely.union_all(parts).buffer(0)
    )


@given(regions())
@settings(max_examples=60, deadline=None)
def test_a_region_holds_what_within_says(held: Held, region: BaseGeometry) -> None:
    found, stored = _of(held)
    exact = Where(region=region).touched(stored)
    asked: list[int] = []
    got = _inside(found, stored, region, asked)
    assert (got == exact[found.row]).all()


def test_few_places_are_read_for_a_region() -> None:
    side = np.arange(60) * 0.002
    drawn = [Change(6 + x, 50 + y) for x in side for y in side]
    found = columns.collect([batch(drawn)], "x")
    stored = [shapely.to_wkb(shapely.Polygon(one.corners)) for one in drawn]
    region = shapely.Point(6.06, 50.06).buffer(0.04)
    asked: list[int] = []
    got = _inside(found, stored, region, asked)
    exact = Where(region=region).touched(stored)
    assert (got == exact[found.row]).all()
    assert len(asked) < 20


@pytest.mark.parametrize("west", [179.0, -180.0])
def test_at_the_edge_of_the_world_the_stored_place_counts(
    held: Held, west: float
) -> None:
    found, stored = _of(held)
    for region in (
        shapely.box(west, -18, west + 1, -16),
        shapely.box(15, 84, 25, 86.5),
    ):
        exact = Where(region=region).touched(stored)
        assert (_inside(found, stored, region, []) == exact[found.row]).all()


def _of(held: Held) -> tuple[columns.Changes, list[bytes]]:
    found = columns.of(held, held.newest())
    stored = [shapely.to_wkb(shapely.Polygon(one.corners)) for one in DRAWN]
    return found, stored


def _inside(
    found: columns.Changes, stored: list[bytes], region: BaseGeometry, asked: list[int]
) -> NDArray[np.bool_]:
    def read(at: NDArray[np.int64]) -> pa.Array:
        asked.extend(at.tolist())
        return pa.array([stored[row] for row in found.row[at]], pa.binary())

    return inside.touching(region, found.squares.corners, found.blocks, read)
