"""Areas drawn on the map."""

from pathlib import Path
from typing import Any

import pytest
import shapely
from fastapi.testclient import TestClient

from terradrift.serve.app import application
from terradrift.serve.held import Held
from terradrift.serve.routes import regions
from terradrift.serve.turned import turned
from tests.serve.drawn import archive, scattered

SQUARE = {
    "type": "Polygon",
    "coordinates": [[[5.9, 49.9], [6.1, 49.9], [6.1, 50.1], [5.9, 50.1], [5.9, 49.9]]],
}


@pytest.fixture(scope="module")
def held(tmp_path_factory: pytest.TempPathFactory) -> Held:
    return archive(tmp_path_factory.mktemp("regions") / "a.td", scattered(50))


@pytest.fixture(scope="module")
def client(held: Held) -> TestClient:
    return TestClient(application(held))


def test_an_area_gets_a_name_and_its_size(client: TestClient, held: Held) -> None:
    found = client.post("/api/regions", json=SQUARE).json()
    # 0.2 degrees by 0.2 degrees at 50 N: 14.33 km by 22.25 km.
    assert found["area_km2"] == pytest.approx(318.9, rel=2e-3)
    assert held.regions.get(found["region"]).equals(shapely.box(5.9, 49.9, 6.1, 50.1))
    turned = {"type": "Polygon", "coordinates": [SQUARE["coordinates"][0][::-1]]}
    assert client.post("/api/regions", json=turned).json()["area_km2"] == pytest.approx(
        found["area_km2"]
    )


def test_the_same_area_has_the_same_name_in_any_wrapping(client: TestClient) -> None:
    feature = {"type": "Feature", "properties": {"a": 1}, "geometry": SQUARE}
    collection = {"type": "FeatureCollection", "features": [feature]}
    names = {
        client.post("/api/regions", json=given).json()["region"]
        for given in (SQUARE, feature, collection, SQUARE)
    }
    assert len(names) == 1


def test_several_areas_are_one(client: TestClient, held: Held) -> None:
    other = shapely.box(6.05, 50.0, 6.2, 50.2)
    features = [
        {"type": "Feature", "geometry": SQUARE},
        {"type": "Feature", "geometry": shapely.geometry.mapping(other)},
    ]
    given = {"type": "FeatureCollection", "features": features}
    name = client.post("/api/regions", json=given).json()["region"]
    expected = shapely.union(shapely.box(5.9, 49.9, 6.1, 50.1), other)
    assert held.regions.get(name).equals(expected)


FIJI = [[177.0, -19.0], [-178.0, -19.0], [-178.0, -16.0], [177.0, -16.0]]


@pytest.mark.parametrize("copy", [-2, -1, 0, 1, 2])
def test_an_area_across_the_antimeridian_is_cut_on_any_copy_of_the_world(
    client: TestClient, held: Held, copy: int
) -> None:
    ring = [[x % 360 + 360 * copy, y] for x, y in [*FIJI, FIJI[0]]]
    found = client.post(
        "/api/regions", json={"type": "Polygon", "coordinates": [ring]}
    ).json()
    cut = shapely.union(
        shapely.box(177, -19, 180, -16), shapely.box(-180, -19, -178, -16)
    )
    assert held.regions.get(found["region"]).equals(cut)
    # Its sides are cut there too: as large as the same two boxes inland.
    inland = (shapely.box(167, -19, 170, -16), shapely.box(-178, -19, -176, -16))
    sizes = [
        client.post("/api/regions", json=shapely.geometry.mapping(one)).json()
        for one in inland
    ]
    assert found["area_km2"] == pytest.approx(sum(one["area_km2"] for one in sizes))
    # There are changes on both sides of it, and the search takes the same area.
    rows = client.get(f"/api/changes?region={found['region']}").json()["rows"]
    assert len({row["longitude"] > 0 for row in rows}) == 2


def test_holes_and_rims_on_the_antimeridian_stay_as_they_are() -> None:
    ring = shapely.box(170, 0, 190, 10).difference(shapely.box(179, 4, 182, 6))
    found = turned(ring)
    assert found.area == pytest.approx(ring.area)
    assert not found.intersects(shapely.box(-180, 4.1, -178.1, 5.9))
    assert turned(shapely.box(180, 0, 190, 1)).equals(shapely.box(-180, 0, -170, 1))
    here = shapely.box(-180, -90, 180, 90)
    assert turned(here) is here
    assert turned(shapely.box(-10, 0, 350, 1)).equals(shapely.box(-180, 0, 180, 1))


def test_filters_know_it(client: TestClient) -> None:
    name = client.post("/api/regions", json=SQUARE).json()["region"]
    inside = client.get(f"/api/count?region={name}").json()["changes"]
    assert 0 < inside < client.get("/api/count").json()["changes"]
    rows = client.get(f"/api/changes?region={name}&limit=1000").json()["rows"]
    assert len(rows) == inside
    assert all(5.89 < row["longitude"] < 6.11 for row in rows)
    gone = client.get("/api/count?region=nobody")
    assert gone.status_code == 410
    assert gone.json() == {
        "error": "the region nobody is not kept any more; draw it again"
    }


@pytest.mark.parametrize(
    ("given", "status", "words"),
    [
        ({"type": "Point", "coordinates": [6, 50]}, 400, "got Point"),
        ({"type": "Feature", "geometry": None}, 400, "got None"),
        ({"type": "FeatureCollection", "features": []}, 400, "got no feature"),
        ({"type": "FeatureCollection", "features": 3}, 400, "got no feature"),
        ({"type": "FeatureCollection", "features": [3]}, 400, "got 3"),
        ({}, 400, "got None"),
        ({"type": "Polygon", "coordinates": []}, 400, "is empty"),
        ({"type": "Polygon", "coordinates": "x"}, 400, "cannot read"),
        (
            {"type": "Polygon", "coordinates": [[[0, 0], [400, 0], [1, 1], [0, 0]]]},
            400,
            "in degrees",
        ),
        (
            {
                "type": "Polygon",
                "coordinates": [[[0, 0], [1, 1], [1, 0], [0, 1], [0, 0]]],
            },
            400,
            "not valid",
        ),
        ([1, 2], 422, "dictionary"),
    ],
)
def test_what_is_no_area_is_refused_in_one_line(
    client: TestClient, given: Any, status: int, words: str
) -> None:
    answer = client.post("/api/regions", json=given)
    assert answer.status_code == status
    assert words in answer.json()["error"]
    assert "\n" not in answer.json()["error"]


def test_a_flat_or_huge_area_is_refused(
    client: TestClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    round_ = shapely.geometry.mapping(shapely.Point(6, 50).buffer(0.1, quad_segs=100))
    monkeypatch.setattr(regions, "VERTICES", 300)
    answer = client.post("/api/regions", json=round_)
    assert answer.status_code == 400
    assert "at most 300 corners, got 401; simplify it" in answer.json()["error"]
    monkeypatch.setattr(regions, "BYTES", 1000)
    assert (
        "at most 1,000 bytes"
        in client.post("/api/regions", json=round_).json()["error"]
    )


def test_deep_nesting_does_no_harm(client: TestClient, tmp_path: Path) -> None:
    deep = '{"type": "Polygon", "coordinates": ' + "[" * 100_000 + "]" * 100_000 + "}"
    answer = client.post(
        "/api/regions", content=deep, headers={"content-type": "application/json"}
    )
    assert answer.status_code in (400, 422)
    assert len(answer.json()["error"]) < 500
