"""Vector tiles: nothing lost, nothing twice, places right, and other readers agree."""

import gzip
import itertools
import threading
from pathlib import Path

import numpy as np
import pyogrio
import pytest
import shapely
from fastapi.testclient import TestClient
from hypothesis import given, settings
from hypothesis import strategies as st

from terradrift.serve.app import application
from terradrift.serve.columns import changes as columns
from terradrift.serve.columns import events as event_columns
from terradrift.serve.columns import mercator
from terradrift.serve.columns import patches as patch_columns
from terradrift.serve.columns.changes import Changes
from terradrift.serve.columns.mercator import WORLD
from terradrift.serve.faults import NotThere
from terradrift.serve.tiles import cells, changes, events, near, patches
from terradrift.serve.tiles.place import BUFFER, EXTENT, Place
from tests.serve import mvt
from tests.serve.drawn import Change, archive, batch, scattered

SIDE = 0.002


def held_of(drawn: list[Change]) -> Changes:
    return columns.collect([batch(drawn)], "changes_x")


def block(side: int, times: int = 1) -> list[Change]:
    """A square of patches side by side, each changed so many times."""
    one = np.arange(side) * SIDE
    return [
        Change(6 + x, 50 + y, score=float(8 + at % 97), day=18_000 + at)
        for at, (x, y, _) in enumerate(itertools.product(one, one, range(times)))
    ]


def every(zoom: int) -> list[Place]:
    return [Place(zoom, x, y) for x in range(1 << zoom) for y in range(1 << zoom)]


def around(found: Changes, zoom: int) -> list[Place]:
    """Tiles of a zoom that changes reach into, and those beside."""
    tiles = set()
    corners = found.squares.corners.reshape(-1, 2).astype(np.int64)
    for x, y in (corners >> (mercator.BITS - zoom)).tolist():
        for by, down in itertools.product((-1, 0, 1), repeat=2):
            if 0 <= y + down < 1 << zoom:
                tiles.add(((x + by) % (1 << zoom), y + down))
    return [Place(zoom, x, y) for x, y in sorted(tiles)]


degrees = st.tuples(st.floats(-180, 180), st.floats(-89.5, 89.5))
drawn_changes = st.lists(
    st.builds(
        lambda at, score, kind: Change(*at, score=score, kind=kind),
        degrees,
        st.sampled_from([8.0, 9.5, 9.5, 30.25]),
        st.sampled_from([None, 0, 1]),
    ),
    min_size=1,
    max_size=30,
)


@given(drawn_changes, st.integers(0, 3), st.integers(0, 7))
@settings(max_examples=25, deadline=None)
def test_counts_of_all_tiles_add_up(
    drawn: list[Change], zoom: int, chosen: int
) -> None:
    found = held_of(drawn)
    passes = np.array(
        [(row >> at % 3) & 1 for at, row in enumerate(found.row + chosen)], bool
    )
    strongest = dict.fromkeys(map(int, np.flatnonzero(passes)))
    total = 0
    for place in every(zoom):
        for one in mvt.features(changes.tile(found, passes, place)):
            total += one.properties["n"]
            assert passes[found.ids(np.arange(len(found))).index(one.properties["id"])]
    assert total == passes.sum() == len(strongest)


@pytest.mark.parametrize("zoom", [0, 3, 5, 8])
def test_a_cell_shows_its_strongest_change(zoom: int) -> None:
    found = held_of(scattered(150))
    shown, stands = {}, {}
    for place in around(found, zoom):
        for one in mvt.features(changes.tile(found, found.everything, place)):
            ((x, y),) = one.rings[0]
            assert one.type == mvt.POINT
            assert 0 <= x < EXTENT
            assert 0 <= y < EXTENT
            key = (
                (place.x * EXTENT + x) // cells.CELL,
                (place.y * EXTENT + y) // cells.CELL,
            )
            assert key not in shown
            shown[key] = one.properties
            stands[key] = (place.x * EXTENT + x, place.y * EXTENT + y)
    expected: dict[tuple[int, int], list[int]] = {}
    middle = found.squares.corners.astype(np.int64)
    middle = (middle.min(axis=1) + middle.max(axis=1)) // 2 % WORLD
    for row, at in enumerate(
        (middle >> (mercator.BITS - zoom - cells.LEVELS)).tolist()
    ):
        expected.setdefault(tuple(at), []).append(row)
    assert shown.keys() == expected.keys()
    for key, rows in expected.items():
        best = min(rows, key=lambda row: found.rank[row])
        assert shown[key]["n"] == len(rows)
        if len(np.unique(middle[rows], axis=0)) > 2:
            there = np.array(key) * cells.CELL + cells.CELL // 2
        else:
            there = middle[best] >> (mercator.BITS - zoom - EXTENT.bit_length() + 1)
        assert stands[key] == tuple(there)
        assert shown[key]["id"] == found.ids(np.array([best]))[0]
        assert shown[key]["score"] == pytest.approx(float(found.score[best]), abs=0.006)


def test_properties_that_are_not_known_are_left_out() -> None:
    found = held_of([Change(6, 50, kind=None, day=None, persistence=None, event=None)])
    (one,) = mvt.features(changes.tile(found, found.everything, Place(0, 0, 0)))
    assert one.properties.keys() == {"id", "score", "n"}
    found = held_of([Change(6, 50, kind=3, day=-5, persistence="gradual")])
    (one,) = mvt.features(changes.tile(found, found.everything, Place(0, 0, 0)))
    assert one.properties["onset"] == -5
    assert one.properties["kind"] == 3
    assert found.words[one.properties["persistence"]] == "gradual"


@pytest.mark.parametrize("zoom", [12, 14, 17])
def test_near_in_every_change_is_its_patch(zoom: int) -> None:
    drawn = scattered(60)
    found = held_of(drawn)
    assert zoom >= near.nearest_zoom(found.squares)
    parts: dict[str, list[shapely.Polygon]] = {}
    for place in around(found, zoom):
        for one in mvt.features(changes.tile(found, found.everything, place)):
            assert one.properties["n"] == 1
            (ring,) = one.rings
            assert mvt.area(ring) > 0
            origin = np.array([place.x, place.y]) * EXTENT
            inside = shapely.Polygon(np.array(ring) + origin)
            tile = shapely.box(*origin, *(origin + EXTENT))
            parts.setdefault(one.properties["id"], []).append(inside.intersection(tile))
    whole = EXTENT << zoom
    for at, one in enumerate(drawn):
        x = (one.corners[:, 0] / 360 + 0.5) * whole
        sine = np.sin(
            np.radians(np.clip(one.corners[:, 1], -85.0511287798, 85.0511287798))
        )
        y = (0.5 - np.arctanh(sine) / 2 / np.pi) * whole
        expected = shapely.Polygon(np.stack([x, y], axis=1))
        drawn_area = sum(part.area for part in parts[f"change-{at:05d}"])
        # Rounding to whole numbers moves each side by half of one at most.
        assert drawn_area == pytest.approx(expected.area, abs=0.8 * expected.length + 4)


def test_a_square_on_the_antimeridian_is_in_both_tiles() -> None:
    found = held_of([Change(179.9998, 10, width=0.002)])
    zoom = 14
    y = int(mercator.y_of(np.array([10.0]))[0]) >> (mercator.BITS - zoom)
    east = mvt.features(
        changes.tile(found, found.everything, Place(zoom, (1 << zoom) - 1, y))
    )
    west = mvt.features(changes.tile(found, found.everything, Place(zoom, 0, y)))
    (right,), (left,) = east, west
    assert right.properties == left.properties
    step = np.array(left.rings[0]) - np.array(right.rings[0])
    assert (step == [-EXTENT, 0]).all()


def test_no_seam_between_tiles() -> None:
    found = held_of(block(12))
    zoom = near.nearest_zoom(found.squares) + 1
    seen: dict[str, set[tuple[tuple[int, int], ...]]] = {}
    for place in around(found, zoom):
        for one in mvt.features(changes.tile(found, found.everything, place)):
            ring = [
                (x + place.x * EXTENT, y + place.y * EXTENT) for x, y in one.rings[0]
            ]
            seen.setdefault(one.properties["id"], set()).add(tuple(ring))
    assert len(seen) == len(found)
    assert {len(rings) for rings in seen.values()} == {1}


def test_far_beyond_a_tile_shapes_are_cut() -> None:
    found = held_of([Change(6, 50, width=0.002)])
    x, y = (
        int(v[0])
        for v in (mercator.x_of(np.array([6.0])), mercator.y_of(np.array([50.0])))
    )
    shift = mercator.BITS - 22
    (one,) = mvt.features(
        changes.tile(found, found.everything, Place(22, x >> shift, y >> shift))
    )
    low, high = np.array(one.rings[0]).min(axis=0), np.array(one.rings[0]).max(axis=0)
    assert low.tolist() == [-BUFFER] * 2
    assert high.tolist() == [EXTENT + BUFFER] * 2
    assert mvt.area(one.rings[0]) > 0


def test_a_crowded_tile_is_bounded_and_still_whole(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    found = held_of(block(20, times=3))
    zoom = 10  # all in one tile
    place = Place(zoom, int(mercator.x_of(np.array([6.01]))[0]) >> 20, 0)
    place = Place(zoom, place.x, int(mercator.y_of(np.array([50.01]))[0]) >> 20)
    monkeypatch.setattr(near, "LEAST_PX", 1)

    def made() -> list[mvt.Feature]:
        return mvt.features(changes.tile(found, found.everything, place))

    def whole() -> int:
        return sum(one.properties["n"] for one in made())

    assert len(made()) == whole() == 1200
    monkeypatch.setattr(near, "FEATURES", 1199)
    assert {one.type for one in made()} == {mvt.POLYGON}
    assert len(made()) == 400
    assert whole() == 1200
    assert all(one.properties["n"] == 3 for one in made())
    best = {found.ids(np.array([g.min()]))[0] for g in _by_patch(found)}
    assert {one.properties["id"] for one in made()} == best
    scores = [one.properties["score"] for one in made()]
    assert scores == sorted(scores)  # the strongest are drawn last
    monkeypatch.setattr(near, "FEATURES", 399)
    assert {one.type for one in made()} == {mvt.POINT}
    assert whole() == 1200


def _by_patch(found: Changes) -> list[np.ndarray]:
    """Where the strongest of each patch stands, first of each."""
    key = found.squares.key
    groups = [np.flatnonzero(key == one) for one in np.unique(key)]
    return [found.by_rank[[found.rank[rows].min()]] for rows in groups]


def test_another_reader_reads_the_same(tmp_path: Path) -> None:
    found = held_of(scattered(40))
    zoom = near.nearest_zoom(found.squares)
    some = 0
    for place in [Place(2, 2, 1), *around(found, zoom)[:40]]:
        tile = changes.tile(found, found.everything, place)
        if not tile:
            continue
        version, extent, ours = mvt.layers(tile)["changes"]
        assert (version, extent) == (2, EXTENT)
        path = tmp_path / f"tile-{place.x}.mvt"
        path.write_bytes(tile)
        theirs = pyogrio.read_dataframe(path, layer="changes", CLIP="NO")
        assert theirs["id"].tolist() == [one.properties["id"] for one in ours]
        assert theirs["n"].tolist() == [one.properties["n"] for one in ours]
        for shape, one in zip(theirs.geometry, ours, strict=True):
            ring = np.array(one.rings[0])
            flipped = np.stack([ring[:, 0], EXTENT - ring[:, 1]], axis=1)
            assert shape.bounds == (*flipped.min(axis=0), *flipped.max(axis=0))
            some += 1
    assert some > 20


def test_patches_far_out_show_the_most_frequent_regime(tmp_path: Path) -> None:
    held = archive(tmp_path / "a.td", scattered(90))
    found = patch_columns.of(held, held.newest())
    total = 0
    for place in every(2):
        for one in mvt.features(patches.tile(found, place), "patches"):
            assert one.type == mvt.POLYGON
            total += one.properties["n"]
            ((x, y), (right, low)) = one.rings[0][0], one.rings[0][2]
            assert (right - x, low - y) == (cells.CELL, cells.CELL)
            inside = cells.of(found.squares, place, None)
            rows = next(
                rows
                for rows in np.split(inside.rows, inside.starts[1:])
                if cells.corner(found.squares, place, rows[:1]).tolist() == [[x, y]]
            )
            counted = np.bincount(found.regime[rows])
            assert one.properties["regime"] == counted.argmax()
            judged = found.judged[rows]
            assert one.properties["judged"] == judged.any()
            best = np.nanmax(found.score[rows])
            assert one.properties["score"] == pytest.approx(float(best), abs=0.006)
    assert total == len(found)
    zoom = near.nearest_zoom(found.squares)
    names = set()
    for x, y in {(p.x, p.y) for p in around(held_of(scattered(90)), zoom)}:
        for one in mvt.features(patches.tile(found, Place(zoom, x, y)), "patches"):
            names.add(one.properties["id"])
    assert names == set(found.patch_id.to_pylist())


def test_events_are_outlines(tmp_path: Path) -> None:
    drawn = [
        Change(6 + at * SIDE, 50, score=20 - at, event="event-a") for at in range(6)
    ]
    drawn += [Change(6.2 + at * SIDE, 50, event="event-b") for at in range(3)]
    held = archive(tmp_path / "a.td", drawn)
    generation = held.newest()
    found, all_ = event_columns.of(held, generation), columns.of(held, generation)
    n = found.passing(all_, all_.everything)
    areas: dict[str, float] = {}
    for place in around(all_, 13):
        for one in mvt.features(events.tile(found, n, place), "events"):
            assert mvt.area(one.rings[0]) > 0
            tile = shapely.box(0, 0, EXTENT, EXTENT)
            part = shapely.Polygon(one.rings[0]).intersection(tile).area
            areas[one.properties["id"]] = areas.get(one.properties["id"], 0) + part
            expected = (
                ("event-a", 1, 6)
                if part and one.properties["n"] == 6
                else ("event-b", 2, 3)
            )
            assert (
                one.properties["id"],
                one.properties["rank"],
                one.properties["n"],
            ) == expected
    scale = EXTENT / (WORLD >> 13)
    for name, outline in zip(found.event_id.to_pylist(), found.outlines, strict=True):
        assert areas[name] == pytest.approx(outline.area * scale**2, rel=0.15)
    far = mvt.features(events.tile(found, n, Place(3, 4, 2)), "events")
    assert [one.properties["id"] for one in far] == [
        "event-a"
    ]  # both are in one square of 16 px
    assert not events.tile(found, np.zeros_like(n), Place(0, 0, 0))


def test_many_events_are_thinned_by_rank(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn = [
        Change(
            6 + 0.01 * (at % 8),
            50 + 0.01 * (at // 8),
            score=40 - at,
            event=f"event-{at:02d}",
        )
        for at in range(32)
    ]
    held = archive(tmp_path / "a.td", drawn)
    generation = held.newest()
    found, all_ = event_columns.of(held, generation), columns.of(held, generation)
    n = found.passing(all_, all_.everything)
    monkeypatch.setattr(events, "OUTLINES", 0)
    place = Place(10, int(mercator.x_of(np.array([6.05]))[0]) >> 20, 0)
    place = Place(10, place.x, int(mercator.y_of(np.array([50.02]))[0]) >> 20)
    ranks = [
        one.properties["rank"]
        for one in mvt.features(events.tile(found, n, place), "events")
    ]
    assert 1 in ranks
    assert 1 < len(ranks) < 32
    assert ranks == sorted(ranks, reverse=True)


def test_there_is_no_tile_beyond_the_world() -> None:
    for zoom, x, y in ((-1, 0, 0), (23, 0, 0), (3, 8, 0), (3, 0, 8), (3, -1, 0)):
        with pytest.raises(NotThere, match="no tile"):
            Place.of(zoom, x, y)


def test_tiles_are_sent_once(tmp_path: Path) -> None:
    held = archive(tmp_path / "a.td", scattered(40))
    client = TestClient(application(held))
    version = held.newest().version
    path = f"/tiles/changes/2/2/1.mvt?v={version}"
    first = client.get(path)
    assert first.status_code == 200
    assert first.headers["content-type"] == "application/vnd.mapbox-vector-tile"
    assert first.headers["content-encoding"] == "gzip"
    assert "immutable" in first.headers["cache-control"]
    assert mvt.features(first.content)
    again = client.get(path, headers={"if-none-match": first.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")
    plain = client.get(path, headers={"accept-encoding": "identity"})
    assert plain.content == first.content
    assert "content-encoding" not in plain.headers
    assert plain.headers["etag"] != first.headers["etag"]
    for answer, coding in ((first, "gzip"), (plain, "identity")):
        asked = {"accept-encoding": coding, "if-none-match": answer.headers["etag"]}
        assert client.get(path, headers=asked).status_code == 304
    unnamed = client.get("/tiles/changes/2/2/1.mvt")
    assert unnamed.content == first.content
    assert "immutable" not in unnamed.headers["cache-control"]
    other = client.get(path + "&min_score=12")
    assert other.headers["etag"] != first.headers["etag"]
    assert client.get("/tiles/changes/2/2/1.mvt?v=gone").status_code == 410
    assert client.get("/tiles/changes/2/4/1.mvt").status_code == 404
    assert (
        client.get(f"/tiles/events/2/2/1.mvt?v={version}&event=event-3").status_code
        == 200
    )
    assert client.get(f"/tiles/patches/2/2/1.mvt?v={version}").status_code == 200
    raw = client.get(path, headers={"accept-encoding": "gzip"})
    assert gzip.compress(raw.content, 1, mtime=0)[:2] == b"\x1f\x8b"


def test_many_threads_get_the_same_tiles(tmp_path: Path) -> None:
    held = archive(tmp_path / "a.td", scattered(60))
    version = held.newest().version
    client = TestClient(application(held))
    paths = [
        f"/tiles/changes/2/{x}/{y}.mvt?v={version}" for x in range(4) for y in range(4)
    ]
    found: list[dict[str, bytes]] = [{} for _ in range(6)]

    def ask(into: dict[str, bytes]) -> None:
        for path in paths:
            into[path] = client.get(path).content

    threads = [threading.Thread(target=ask, args=(one,)) for one in found]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert all(one == found[0] for one in found)
    assert (
        sum(
            p["n"]
            for t in found[0].values()
            for p in (f.properties for f in mvt.features(t))
        )
        == 62
    )


def test_ragged_events_are_drawn_at_every_zoom(tmp_path: Path) -> None:
    rng = np.random.default_rng(8)
    drawn = []
    for event in range(10):
        rows, cols = np.nonzero(rng.random((14, 14)) < rng.uniform(0.3, 0.9))
        drawn += [
            Change(
                6 + 0.02 * event + x * SIDE,
                50 + y * SIDE * 2 / 3,
                event=f"event-{event}",
            )
            for x, y in zip(cols.tolist(), rows.tolist(), strict=True)
        ]
    held = archive(tmp_path / "a.td", drawn)
    generation = held.newest()
    found, all_ = event_columns.of(held, generation), columns.of(held, generation)
    n = found.passing(all_, all_.everything)
    for zoom in (8, 9, 11, 13):
        names = set()
        for place in around(all_, zoom):
            for one in mvt.features(events.tile(found, n, place), "events"):
                names.add(one.properties["id"])
                assert mvt.area(one.rings[0]) > 0
                assert (
                    np.abs(np.array(one.rings[0]) - EXTENT / 2).max()
                    <= EXTENT / 2 + BUFFER
                )
        assert len(names) == 10 or zoom < 10
