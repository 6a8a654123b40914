"""Narrow columns: what they hold, their order, and what is near what."""

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import shapely
from hypothesis import given, settings
from hypothesis import strategies as st

from terradrift.errors import ArchiveError
from terradrift.serve.columns import changes as columns
from terradrift.serve.columns import curve, events, mercator, nearest, patches, squares
from terradrift.serve.columns.mercator import BITS, WORLD
from terradrift.serve.faults import Gone
from terradrift.serve.kept import Kept
from tests.serve.drawn import MODEL, Change, archive, batch, scattered

PLACES = st.tuples(st.integers(0, WORLD - 1), st.integers(0, WORLD - 1))


def test_units_and_degrees_turn_into_each_other() -> None:
    longitude, latitude = (
        np.array([-180.0, 0, 6.1, 179.99]),
        np.array([85.0, 0, 50.2, -84]),
    )
    x, y = mercator.x_of(longitude), mercator.y_of(latitude)
    again = mercator.degrees(x, y)
    np.testing.assert_allclose(again[0], longitude, atol=1e-6)
    np.testing.assert_allclose(again[1], latitude, atol=1e-6)
    assert (x[1], y[1]) == (WORLD // 2, WORLD // 2)
    assert mercator.y_of(np.array([90.0, -90.0])).tolist() == [0, WORLD - 1]
    assert mercator.unit_m(60.0) == pytest.approx(mercator.unit_m(0.0) / 2)


@given(st.lists(PLACES, min_size=1, max_size=50), st.integers(0, 12))
@settings(max_examples=40, deadline=None)
def test_a_tile_is_one_run_of_rows(places: list[tuple[int, int]], zoom: int) -> None:
    x, y = np.array(places).T
    order = np.argsort(curve.keys(x, y), kind="stable")
    x, y = x[order] >> (BITS - zoom), y[order] >> (BITS - zoom)
    ordered = curve.keys(*np.array(places).T)[order]
    for column, line in {*zip(x.tolist(), y.tolist(), strict=True)}:
        ((first, last),) = curve.runs(
            ordered, zoom, np.array([column]), np.array([line])
        )
        inside = np.flatnonzero((x == column) & (y == line))
        assert inside.tolist() == list(range(first, last))


@given(st.data())
@settings(max_examples=40, deadline=None)
def test_squares_that_touch_a_box_are_found_as_one_by_one(data: st.DataObject) -> None:
    middle = data.draw(st.lists(PLACES, min_size=1, max_size=40))
    half = data.draw(st.sampled_from([1, 3000, 1 << 20]))
    west, north = data.draw(PLACES)
    size = data.draw(st.sampled_from([0, 1 << 12, 1 << 22, 1 << 28]))
    around = np.array([[-half, -half], [half, -half], [half, half], [-half, half]])
    corners = (np.array(middle)[:, None] + around).astype(np.int32)
    held, order = squares.sort(corners)
    rows, shift = held.touching(west, north, west + size, north + size)
    expected = set()
    for row, (x, y) in enumerate(np.array(middle)):
        for by in (-WORLD, 0, WORLD):
            beside = x + by + half >= west and x + by - half <= west + size
            if beside and y + half >= north and y - half <= north + size:
                expected.add((row, by))
    assert {*zip(order[rows].tolist(), shift.tolist(), strict=True)} == expected


def test_columns_hold_what_the_table_holds(tmp_path: Path) -> None:
    drawn = scattered(120)
    held = archive(tmp_path / "a.td", drawn)
    found = columns.of(held, held.newest())
    assert len(found) == len(drawn)
    assert (np.diff(found.squares.key.astype(np.int64)) >= 0).all()
    ids = found.ids(np.arange(len(found)))
    for at, change_id in enumerate(ids):
        one = drawn[int(change_id.removeprefix("change-"))]
        assert found.row[at] == int(change_id.removeprefix("change-"))
        assert found.score[at] == np.float32(one.score)
        assert found.kind[at] == (columns.NONE if one.kind is None else one.kind)
        assert found.onset[at] == (columns.UNKNOWN_DAY if one.day is None else one.day)
        number = found.persistence[at]
        word = None if number == columns.NO_WORD else found.words[number]
        assert word == one.persistence
        event = found.event[at]
        assert (None if event < 0 else found.events[int(event)].as_py()) == one.event
    by = sorted(range(len(drawn)), key=lambda row: (-np.float32(drawn[row].score), row))
    assert found.row[found.by_rank].tolist() == by
    day = [-1 << 40 if c.day is None else c.day for c in drawn]
    later = sorted(range(len(drawn)), key=lambda row: (-day[row], by.index(row)))
    assert found.row[found.by_onset].tolist() == later
    assert found.nbytes <= (77 + len("change-00000")) * len(found) + 64


def test_columns_are_made_once_and_shared(tmp_path: Path) -> None:
    held = archive(tmp_path / "a.td", scattered(20))
    generation = held.newest()
    assert columns.of(held, generation) is columns.of(held, generation)
    rows = held.store.dataset(f"patch_changes_{MODEL}").to_table()
    held.store.append(f"patch_changes_{MODEL}", rows.slice(0, 1))
    later = held.newest()
    assert later.version != generation.version
    assert columns.of(held, later) is columns.of(held, generation)
    assert patches.of(held, later) is not patches.of(held, generation)


def test_an_archive_without_changes_has_none(tmp_path: Path) -> None:
    from terradrift.grid import Grid
    from terradrift.serve.held import Held
    from terradrift.store.tables import Settings, Store

    Store.create(tmp_path / "a.td", Settings(Grid(160, gsd=10.0), model=MODEL))
    held = Held(tmp_path / "a.td")
    generation = held.newest()
    assert len(columns.of(held, generation)) == 0
    assert len(patches.of(held, generation)) == 0
    assert len(events.of(held, generation)) == 0


def test_a_change_without_a_place_is_told() -> None:
    rows = batch([Change(6, 50)])
    nowhere = rows.set_column(
        rows.schema.get_field_index("geometry"), "geometry", pa.nulls(1, pa.binary())
    )
    with pytest.raises(ArchiveError, match="1 rows of changes_x have no geometry"):
        columns.collect([nowhere], "changes_x")


def test_a_place_of_another_shape_is_its_box() -> None:
    rows = batch([Change(6, 50), Change(7, 51)])
    hexagon = shapely.Point(6, 50).buffer(0.01, quad_segs=2)
    shapes = pa.array(
        [shapely.to_wkb(hexagon), rows["geometry"][1].as_py()], pa.binary()
    )
    at = rows.schema.get_field_index("geometry")
    found = columns.collect([rows.set_column(at, "geometry", shapes)], "changes_x")
    (row,) = np.flatnonzero(found.row == 0)
    low, high = squares.bounds(found.squares.corners[[row]])
    west, north, east, south = low[0, 0], low[0, 1], high[0, 0], high[0, 1]
    degrees = mercator.degrees(np.array([west, east]), np.array([south, north]))
    np.testing.assert_allclose(np.array(degrees).T.ravel(), hexagon.bounds, atol=1e-6)


def test_patches_have_regime_and_score_whatever_the_order_of_tables(
    tmp_path: Path,
) -> None:
    drawn = scattered(30)
    held = archive(tmp_path / "a.td", drawn)
    found = patches.of(held, held.newest())
    for at, name in enumerate(found.patch_id.to_pylist()):
        number = int(name.split("_")[2])
        assert found.regime[at] == number % 3
        assert found.judged[at] == (number >= 2)
        if number >= 2:
            assert found.score[at] == np.float32(drawn[number].score)


def test_events_know_their_changes(tmp_path: Path) -> None:
    drawn = scattered(120)
    held = archive(tmp_path / "a.td", drawn)
    generation = held.newest()
    found, every = events.of(held, generation), columns.of(held, generation)
    passes = every.score > 8
    n = found.passing(every, passes)
    peaks = found.peaks(every)
    for at, name in enumerate(found.event_id.to_pylist()):
        own = [c for c in drawn if c.event == name]
        assert n[at] == sum(np.float32(c.score) > 8 for c in own)
        assert every.score[peaks[at]] == np.float32(max(c.score for c in own))
    assert found.rank.tolist() == list(range(1, len(found) + 1))


def test_the_nearest_change_is_found() -> None:
    near, strong, far = Change(6, 50, 5), Change(6, 50, 9), Change(6.01, 50, 20)
    found = columns.collect([batch([near, strong, far])], "changes_x")

    def at(
        longitude: float, metres: float, passes: np.ndarray = found.everything
    ) -> int | None:
        place = nearest.at(found, passes, longitude, 50.0, metres)
        return None if place is None else int(found.row[place])

    assert at(6.0, 0) == 1  # both hold the place: the strongest
    assert at(6.0, 0, found.score < 9) == 0
    assert at(6.0045, 1000) == 1  # 0.0035 degrees away, the other 0.0045
    assert at(6.0055, 1000) == 2
    assert at(6.0045, 100) is None
    assert at(6.0045, 255) == 1  # 250.9 m
    across = columns.collect([batch([Change(-179.9995, 0)])], "changes_x")
    assert nearest.at(across, across.everything, 179.9999, 0.0, 10) == 0


def test_kept_things_are_bounded_and_made_once() -> None:
    kept = Kept(100, len)
    made: list[int] = []
    barrier = threading.Barrier(8)

    def ask(key: int) -> None:
        barrier.wait()
        assert kept.get(key, lambda: made.append(key) or bytes(40)) == bytes(40)

    threads = [threading.Thread(target=ask, args=(at % 2,)) for at in range(8)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert sorted(made) == [0, 1]
    assert kept.size == 80
    kept.get(2, lambda: bytes(40))
    assert kept.size == 80
    kept.get(3, lambda: bytes(500))
    assert kept.size == 500  # more than all that is allowed, but asked for again
    with pytest.raises(ZeroDivisionError):
        kept.get(4, lambda: bytes(1 // 0))
    assert kept.get(4, lambda: b"again") == b"again"


def test_after_a_failure_one_of_those_who_waited_makes_it() -> None:
    kept = Kept(100, len)
    begun, go = threading.Event(), threading.Event()
    made: list[int] = []

    def fail() -> bytes:
        begun.set()
        go.wait(10)
        raise ValueError("no")

    def make() -> bytes:
        made.append(1)
        time.sleep(0.05)
        return bytes(40)

    with ThreadPoolExecutor(8) as pool:
        first = pool.submit(kept.get, 1, fail)
        assert begun.wait(10)
        others = [pool.submit(kept.get, 1, make) for _ in range(6)]
        time.sleep(0.05)
        go.set()
        assert isinstance(first.exception(10), ValueError)
        late = pool.submit(kept.get, 1, make)
        assert {one.result(10) for one in (*others, late)} == {bytes(40)}
    assert (len(made), kept.size) == (1, 40)


def test_what_takes_long_keeps_nobody_else_waiting() -> None:
    kept = Kept()
    go = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        slow = pool.submit(kept.get, "slow", lambda: go.wait(10))
        try:
            assert kept.get("quick", lambda: 1) == 1
            assert not slow.done()
        finally:
            go.set()
        assert slow.result(10)


def test_names_are_kept_up_to_a_number(tmp_path: Path) -> None:
    held = archive(tmp_path / "a.td", scattered(10))
    shape = shapely.box(0, 0, 1, 1)
    assert held.regions.keep("one", shape) == "one"
    assert held.regions.get("one") is shape
    for at in range(300):
        held.regions.keep(f"other {at}", shape)
    with pytest.raises(
        Gone, match="the region one is not kept any more; draw it again"
    ):
        held.regions.get("one")


def test_days_are_of_utc() -> None:
    rows = batch([Change(6, 50, day=0)])
    at = rows.schema.get_field_index("onset")
    before = pa.array(
        [datetime(1969, 12, 31, 23, 59, tzinfo=UTC)], rows.schema.field(at).type
    )
    assert columns.collect(
        [rows.set_column(at, "onset", before)], "x"
    ).onset.tolist() == [-1]
