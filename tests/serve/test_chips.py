"""Chips: what they show, in which colours, and what is said where nothing can be read."""

import asyncio
import io
import threading
from pathlib import Path

import numpy as np
import pytest
from fastapi import Request
from fastapi.testclient import TestClient
from PIL import Image

from terradrift.archive.pixels_of import STOP
from terradrift.report import difference
from terradrift.report.pictures import UNKNOWN
from terradrift.serve.chips.pool import Pool
from terradrift.serve.faults import Crowded, Ended
from tests.serve import loops


@pytest.fixture(scope="module")
def change(many: Path) -> dict:
    import terradrift as td

    (row,) = (
        td.open(many)
        .sql(
            "SELECT change_id, d_ndvi, date_before, date_after FROM changes "
            "ORDER BY d_ndvi LIMIT 1"
        )
        .to_arrow_table()
        .to_pylist()
    )
    return row


def _picture(client: TestClient, change: dict, which: str, size: int) -> np.ndarray:
    answer = client.get(
        f"/api/change/{change['change_id']}/chip/{which}.png?size={size}"
    )
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"] == "image/png"
    return np.array(Image.open(io.BytesIO(answer.content)).convert("RGB"))


def test_before_and_after_differ_and_have_the_size_asked_for(
    client: TestClient, change: dict
) -> None:
    before = _picture(client, change, "before", 200)
    after = _picture(client, change, "after", 200)
    assert before.shape == after.shape == (200, 200, 3)
    assert np.abs(before.astype(int) - after).mean() > 3
    # The outline of the patch: white in a dark casing.
    assert (before == 255).all(-1).sum() > 20


def test_lost_green_is_brown_and_the_header_says_so(
    client: TestClient, change: dict
) -> None:
    assert change["d_ndvi"] < -0.1
    url = f"/api/change/{change['change_id']}"
    told = client.get(url).json()["chips"]
    answer = client.get(f"{url}/chip/difference.png")
    assert answer.headers["x-meaning"] == told["difference"]["meaning"]
    assert told["difference"]["low"] == -told["difference"]["high"]
    assert told["before"] <= f"{change['date_before']:%Y-%m-%dT%H:%M:%SZ}"
    assert told["after"] >= f"{change['date_after']:%Y-%m-%dT%H:%M:%SZ}"
    spectra = client.get(f"{url}/spectra").json()
    (ndvi,) = (one for one in spectra["indices"] if one["index"] == "ndvi")
    assert ndvi["difference"] == pytest.approx(ndvi["after"] - ndvi["before"], abs=1e-4)
    assert ndvi["difference"] < 0
    shown = _picture(client, change, "difference", 312).astype(int)
    middle = shown[135:177, 135:177].reshape(-1, 3)
    red, blue = middle[:, 0].mean(), middle[:, 2].mean()
    assert red > blue


def test_colours_have_a_fixed_meaning() -> None:
    scale = difference.NDVI
    values = np.array([[-9.0, -0.6, 0.0, 0.6, 9.0, np.nan]])
    (shown,) = scale.paint(values).tolist()
    assert shown[0] == shown[1]
    assert shown[3] == shown[4]
    assert min(shown[2]) > 235
    assert tuple(shown[5]) == UNKNOWN
    assert scale.legend()["colours"][4] == "#{:02x}{:02x}{:02x}".format(*shown[2])


def test_without_bands_of_an_index_reflectance_is_compared() -> None:
    before = np.full((2, 2, 2), 0.1, np.float32)
    after = before + np.float32(0.05)
    assert difference.scale(("vv", "vh")) is difference.REFLECTANCE
    found = difference.difference(before, after, ("vv", "vh"))
    np.testing.assert_allclose(found, 0.05, rtol=1e-5)
    ndvi = difference.difference(before, after * 2, ("nir", "red"))
    np.testing.assert_allclose(ndvi, 0, atol=1e-6)


@pytest.mark.parametrize("size", ["0", "63", "1025", "-1", "x"])
def test_sizes_are_bounded(client: TestClient, change: dict, size: str) -> None:
    url = f"/api/change/{change['change_id']}/chip/before.png?size={size}"
    answer = client.get(url)
    assert answer.status_code == 422
    assert "size" in answer.json()["error"]


def test_work_that_nobody_waits_for_is_not_begun() -> None:
    done: list[str] = []
    leave, begun, go = asyncio.Event(), threading.Event(), threading.Event()

    async def stays() -> dict[str, str]:
        await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def leaves() -> dict[str, str]:
        await leave.wait()
        return {"type": "http.disconnect"}

    def first() -> str:
        begun.set()
        go.wait(60)
        done.append("first")
        return "made"

    async def asked() -> None:
        pool = Pool(readers=1, most_waiting=1)
        request = Request({"type": "http"}, stays)
        busy = asyncio.ensure_future(pool.run(first, request))
        # The thread has it, and takes the next one after it alone.
        assert await asyncio.to_thread(begun.wait, 60)
        gone = asyncio.ensure_future(
            pool.run(lambda: done.append("second"), Request({"type": "http"}, leaves))
        )
        await asyncio.sleep(0)  # it is in the queue
        with pytest.raises(Crowded):
            await pool.run(lambda: None, request)
        leave.set()
        with pytest.raises(Ended, match="nobody waits"):
            await gone
        go.set()
        assert await busy == "made"
        assert await pool.run(lambda: "again", request) == "again"

    loops.run(asked())
    assert done == ["first"]


def test_the_end_of_the_server_waits_for_no_picture() -> None:
    begun, go, over = (threading.Event() for _ in range(3))
    stopped: list[bool] = []

    def reading() -> None:
        begun.set()
        begun.set()
        go.wait(60)
        stop = STOP.get()
        stopped.append(stop is not None and stop.is_set())
        over.set()

    async def stays() -> dict[str, str]:
        await asyncio.Event().wait()
        return {"type": "http.disconnect"}

    async def asked() -> None:
        pool = Pool(readers=1)
        request = Request({"type": "http"}, stays)
        both = [
            asyncio.ensure_future(pool.run(reading, request)),
            asyncio.ensure_future(pool.run(lambda: None, request)),
        ]
        await asyncio.to_thread(begun.wait, 10)
        await asyncio.to_thread(pool.close)
        for one in [*both, asyncio.ensure_future(pool.run(lambda: None, request))]:
            with pytest.raises(Ended, match="the server ends"):
                await asyncio.wait_for(one, 10)
        assert not stopped  # nobody waited for the first
        go.set()

    loops.run(asked())
    assert over.wait(10)
    assert stopped == [True]
