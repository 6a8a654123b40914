"""The page's questions of an archive of real scenes."""

import io
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

import terradrift as td
from terradrift.serve.app import application
from terradrift.serve.held import Held


@pytest.mark.slow
@pytest.mark.shared
def test_a_real_change_is_told_shown_and_found_again(
    shared: Callable[[str], Path], tmp_path: Path
) -> None:
    catalog = shared("data/s2-flanders-2018-transplant/catalog.json")
    place = tmp_path / "real.td"
    td.create(place, td.Grid(40)).run(catalog, quiet=True)
    with TestClient(application(Held(place))) as client:
        facts = client.get("/api/archive").json()
        best = client.get("/api/events").json()["rows"][0]
        change = client.get(f"/api/change/{best['change_id']}").json()
        assert change["chips"]["source"] == "scenes"
        assert any("unchanged patches" in one.lower() for one in change["words"])
        series = client.get(f"/api/change/{best['change_id']}/series").json()
        assert sum(one is not None for one in series["z"]) > 5
        for which in ("before", "after", "difference"):
            answer = client.get(f"/api/change/{best['change_id']}/chip/{which}.png")
            seen = np.asarray(Image.open(io.BytesIO(answer.content)).convert("RGB"))
            assert seen.std() > 5
        like = client.post("/api/similar", json={"change": best["change_id"], "k": 5})
        assert 0 < like.json()["total"] <= 5
        assert client.get("/api/background").json()["datetime"]
        assert client.get("/api/count").json()["changes"] == facts["counts"]["changes"]
