"""A real STAC API server on loopback (`rustac serve`), asked through pystac-client."""

import json
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pystac
import pytest

from terradrift.errors import SourceError
from terradrift.ingest import stac
from terradrift.ingest.scene import Filters, Options, find_scenes, to_table
from terradrift.period import Period
from tests.ingest.geotiffs import write

SCENES = 230  # more than two pages of 100
START = pystac.utils.str_to_datetime("2018-01-01T10:00:00Z")


def feature(number: int, image: Path) -> dict[str, Any]:
    """Scene `number`; from 200 on they lie in Fiji, either side of the antimeridian."""
    west = 3.0 if number < 200 else (179.0 if number % 2 else -180.0)
    south = 50.0 if number < 200 else -18.0
    ring = [
        [west, south],
        [west + 1, south],
        [west + 1, south + 1],
        [west, south + 1],
        [west, south],
    ]
    when = START.replace(year=2018 + number // 100, month=1 + number % 12)
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": f"s{number:03}",
        "collection": "even" if number % 2 == 0 else "odd",
        "geometry": {"type": "Polygon", "coordinates": [ring]},
        "bbox": [west, south, west + 1, south + 1],
        "properties": {
            "datetime": when.isoformat().replace("+00:00", "Z"),
            "eo:cloud_cover": number % 100,
        },
        "links": [],
        "assets": {
            "image": {
                "href": str(image),
                "type": "image/tiff; application=geotiff",
                "eo:bands": [{"name": "red", "common_name": "red"}],
                "raster:bands": [{"scale": 0.0001, "offset": 0, "nodata": 0}],
            }
        },
    }


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    for _ in range(200):
        if server.poll() is not None:
            pytest.fail(f"rustac ended with status {server.returncode}")
        try:
            with urllib.request.urlopen(url, timeout=1):  # noqa: S310 - loopback
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.05)
    pytest.fail(f"rustac does not answer at {url}")


def serve(*paths: Path) -> tuple[str, subprocess.Popen[bytes]]:
    url = f"127.0.0.1:{free_port()}"
    program = Path(sys.executable).with_name("rustac")
    server = subprocess.Popen(
        [program, "serve", "--create-collections", "-a", url, *paths],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    wait_for(f"http://{url}", server)
    return f"http://{url}", server


@pytest.fixture(scope="module")
def api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """URL of a server that holds `SCENES` items in two collections."""
    folder = tmp_path_factory.mktemp("api")
    image = write(folder / "image.tif")
    items = folder / "items.json"
    features = [feature(number, image) for number in range(SCENES)]
    items.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    url, server = serve(items)
    yield url
    server.kill()
    server.wait()


def ids(url: str, **filters: Any) -> list[str]:
    return [scene.id for scene in find_scenes(url, Filters(**filters), Options())]


def test_all_pages_are_followed(api: str) -> None:
    found = ids(api)
    assert len(found) == len(set(found)) == SCENES


def test_the_server_is_asked_for_the_filters(api: str) -> None:
    """Fewer items come over the line than the server holds."""
    filters = Filters(period=Period.parse("2018"), collections=("odd",))
    came = list(stac.read_items(api, filters))
    assert {scene.collection_id for scene in came} == {"odd"}
    assert {scene.datetime.year for scene in came if scene.datetime} == {2018}
    assert len(came) == 50


def test_place_time_collection_and_cloud_filter_together(api: str) -> None:
    found = ids(
        api,
        bbox=(3.2, 50.2, 3.4, 50.4),
        period=Period.parse("2018/2019"),
        collections=("even",),
        max_cloud=10,
    )
    assert found == sorted(found)
    assert sorted(found) == sorted(
        f"s{number:03}" for number in range(0, 200, 2) if number % 100 <= 10
    )


def test_a_bbox_across_the_antimeridian_finds_both_sides_once(api: str) -> None:
    found = ids(api, bbox=(179.5, -17.5, -179.5, -17.0))
    assert sorted(found) == [f"s{number:03}" for number in range(200, SCENES)]


def test_a_bbox_elsewhere_finds_nothing(api: str) -> None:
    with pytest.raises(SourceError, match="that match the filters, got none of 0"):
        ids(api, bbox=(40.0, 0.0, 41.0, 1.0))


def test_a_collection_of_an_api_is_searched(api: str) -> None:
    found = ids(f"{api}/collections/odd", period=Period.parse("2018"))
    assert found == sorted(found)
    assert len(found) == 50
    assert all(int(scene_id[1:]) % 2 for scene_id in found)


def test_pages_of_items_are_followed(api: str) -> None:
    found = ids(f"{api}/collections/odd/items?limit=20")
    assert len(found) == len(set(found)) == SCENES // 2


@pytest.mark.shared
def test_a_static_catalogue_and_an_api_of_it_give_one_table(
    shared: Any, tmp_path: Path
) -> None:
    source = shared("data/s2-flanders-2018-transplant/catalog.json")
    features = []
    for scene in find_scenes(str(source), Filters(), Options()):
        scene.make_asset_hrefs_absolute()
        scene.clear_links()
        features.append(scene.to_dict(include_self_link=False))
    items = tmp_path / "items.json"
    items.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    url, server = serve(items)
    try:
        filters = Filters(period=Period.parse("2017-08/2018-11"), max_cloud=60)
        from_api, skipped = to_table(
            find_scenes(url, filters, Options()), Options(), "run"
        )
    finally:
        server.kill()
        server.wait()
    static, _ = to_table(find_scenes(str(source), filters, Options()), Options(), "run")
    assert skipped == []
    assert static.num_rows > 50
    assert from_api.drop_columns("stac_item").equals(static.drop_columns("stac_item"))


def test_a_server_that_ends_is_said_in_one_line() -> None:
    with pytest.raises(SourceError, match=r"STAC API.*127\.0\.0\.1") as caught:
        ids(f"http://127.0.0.1:{free_port()}")
    assert "\n" not in str(caught.value)
