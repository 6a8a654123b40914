"""An archive of imported embeddings has no scenes: all but pictures is served."""

import numpy as np
import pytest
from fastapi.testclient import TestClient

import terradrift as td
from terradrift.serve.app import application
from terradrift.serve.held import Held
from tests.store.rasters import made


@pytest.fixture(scope="module")
def client(tmp_path_factory: pytest.TempPathFactory) -> TestClient:
    folder = tmp_path_factory.mktemp("imported")
    ground, other = made.unit(160, 160), made.unit(40, 40, seed=9)
    for year in range(2018, 2024):
        if year == 2021:
            ground[40:80, 40:80] = other
        noise = np.random.default_rng(year).normal(size=ground.shape)
        vectors = ground + 0.05 * noise
        length = np.linalg.norm(vectors, axis=-1, keepdims=True)
        made.alphaearth(folder / "in", year, vectors / length)
    archive = td.create(folder / "a.td", td.Grid(80, 10.0))
    archive.import_(folder / "in")
    archive.detect(quiet=True, min_segment=1)
    return TestClient(application(Held(folder / "a.td")))


def test_changes_and_series_are_told_without_scenes(client: TestClient) -> None:
    rows = client.get("/api/changes").json()["rows"]
    assert rows
    one = f"/api/change/{rows[0]['change_id']}"
    told = client.get(one).json()
    assert told["chips"]["source"] is None
    assert told["chips"]["scenes"] == {"before": None, "after": None}
    assert len(client.get(f"{one}/series").json()["times"]) == 6
    found = client.post(
        "/api/similar", json={"change": rows[0]["change_id"], "k": 3, "exclude": "self"}
    )
    assert found.json().get("total") == 3, found.text
    picture = client.get(f"{one}/chip/before.png")
    assert picture.status_code == 404
    assert "no scenes of its own" in picture.json()["error"]
    assert client.get("/api/archive").json()["counts"]["scenes"] == 0
