"""Static catalogues, collections, items and item collections, by path and by URL."""

import functools
import http.server
import json
import re
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from terradrift.errors import SourceError
from terradrift.ingest.scene import Filters, Options, find_scenes, to_table
from terradrift.period import Period
from tests.ingest.geotiffs import write

TYPE = "image/tiff; application=geotiff"


def item(
    scene_id: str, collection: str | None, day: int, **said: Any
) -> dict[str, Any]:
    """A one-band item beside its file."""
    return {
        "type": "Feature",
        "stac_version": "1.0.0",
        "id": scene_id,
        "collection": collection,
        "geometry": None,
        "properties": {"datetime": f"2018-05-{day:02}T10:00:00Z", **said},
        "links": [],
        "assets": {
            "image": {
                "href": f"./{scene_id}.tif",
                "type": TYPE,
                "eo:bands": [{"name": "red", "common_name": "red"}],
                "raster:bands": [{"scale": 0.0001, "offset": 0, "nodata": 0}],
            }
        },
    }


def catalogue(
    folder: Path, links: list[tuple[str, str]], kind: str = "Catalog"
) -> Path:
    """A catalogue or collection file with these (relation, href) links."""
    said: dict[str, Any] = {
        "type": kind,
        "id": folder.name,
        "stac_version": "1.0.0",
        "description": "test",
        "links": [{"rel": rel, "href": href} for rel, href in links],
    }
    if kind == "Collection":
        said["license"] = "CC0-1.0"
        said["extent"] = {
            "spatial": {"bbox": [[-180, -90, 180, 90]]},
            "temporal": {"interval": [[None, None]]},
        }
    path = folder / ("catalog.json" if kind == "Catalog" else "collection.json")
    folder.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(said))
    return path


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """A catalogue of two collections with two scenes each."""
    root = tmp_path / "root"
    for name in ("a", "b"):
        for day in (1, 2):
            scene_id = f"{name}{day}"
            write(root / name / f"{scene_id}.tif")
            # Items of `b` leave out which collection they are in.
            said = item(scene_id, "a" if name == "a" else None, day)
            (root / name / f"{scene_id}.json").write_text(json.dumps(said))
        links = [("item", f"./{name}{day}.json") for day in (1, 2)]
        catalogue(root / name, links, "Collection")
    return catalogue(
        root, [("child", "./a/collection.json"), ("child", "./b/collection.json")]
    )


def ids(source: str | Path, **filters: Any) -> list[str]:
    found = find_scenes(str(source), Filters(**filters), Options())
    return sorted(scene.id for scene in found)


def test_a_catalogue_is_found_by_file_or_folder(archive: Path) -> None:
    assert ids(archive) == ids(archive.parent) == ["a1", "a2", "b1", "b2"]


def test_a_relative_path_gives_absolute_hrefs(
    archive: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(archive.parent.parent)
    table, skipped = to_table(
        find_scenes("root", Filters(), Options()), Options(), "run"
    )
    assert skipped == []
    hrefs = [assets[0]["href"] for assets in table["assets"].to_pylist()]
    assert all(Path(href).is_absolute() and Path(href).is_file() for href in hrefs)


def test_a_collection_and_an_item_are_sources_too(archive: Path) -> None:
    assert ids(archive.parent / "a") == ["a1", "a2"]
    assert ids(archive.parent / "b" / "collection.json") == ["b1", "b2"]
    assert ids(archive.parent / "a" / "a2.json") == ["a2"]


def test_items_get_the_collection_they_lie_in(archive: Path) -> None:
    assert ids(archive, collections=("b",)) == ["b1", "b2"]
    assert ids(archive, collections=("a",), period=Period.parse("2018-05-02")) == ["a2"]


def test_nothing_is_read_before_the_first_item_is_asked_for(tmp_path: Path) -> None:
    lazy = find_scenes(str(tmp_path / "gone"), Filters(), Options())
    with pytest.raises(SourceError, match=r"got .*gone: nothing there"):
        next(lazy)


def test_an_item_collection_is_a_source(tmp_path: Path) -> None:
    write(tmp_path / "x.tif")
    whole = {"type": "FeatureCollection", "features": [item("x", "c", 1)]}
    path = tmp_path / "items.json"
    path.write_text(json.dumps(whole))
    table, skipped = to_table(
        find_scenes(str(path), Filters(), Options()), Options(), "run"
    )
    assert (table.num_rows, skipped) == (1, [])


def test_an_item_collection_of_which_a_part_is_missing_is_refused(
    tmp_path: Path,
) -> None:
    whole = {
        "type": "FeatureCollection",
        "features": [item("x", "c", 1)],
        "links": [{"rel": "next", "href": "https://example.com", "method": "POST"}],
    }
    path = tmp_path / "items.json"
    path.write_text(json.dumps(whole))
    with pytest.raises(
        SourceError, match="got one page of more; pass the landing page"
    ):
        ids(path)


def test_item_collections_follow_their_pages(tmp_path: Path) -> None:
    for name, scene_id, after in (("1.json", "x", "2.json"), ("2.json", "y", None)):
        links = [{"rel": "next", "href": after}] if after else []
        whole = {"type": "FeatureCollection", "features": [item(scene_id, "c", 1)]}
        (tmp_path / name).write_text(json.dumps(whole | {"links": links}))
    assert ids(tmp_path / "1.json") == ["x", "y"]


def test_filters_that_nothing_fits_say_so(archive: Path) -> None:
    with pytest.raises(SourceError, match=r"got none of 4; widen --bbox"):
        ids(archive, period=Period.parse("2019"))


@pytest.mark.parametrize(
    ("spoil", "problem"),
    [
        (lambda path: path.unlink(), r"a1\.json, got: .*No such file"),
        (lambda path: path.write_text("{"), r"a1\.json, got: Expecting"),
        (lambda path: path.write_text('{"type": "Feature"}'), r"a1\.json, got: "),
        (
            lambda path: path.write_text(
                path.read_text().replace('"2018-05-01T10:00:00Z"', "null")
            ),
            r"a1\.json, got: .*datetime is None",
        ),
    ],
)
def test_an_item_that_cannot_be_read_is_skipped_by_name(
    archive: Path, spoil: Any, problem: str
) -> None:
    spoil(archive.parent / "a" / "a1.json")
    found = find_scenes(str(archive), Filters(), Options())
    table, skipped = to_table(found, Options(), "run")
    assert sorted(table["scene_id"].to_pylist()) == ["a2", "b1", "b2"]
    assert [bad.scene_id for bad in skipped] == ["a1"]
    assert re.search(problem, skipped[0].reason), skipped[0].reason
    assert "\n" not in skipped[0].reason


def test_a_collection_that_is_not_there_is_refused(archive: Path) -> None:
    (archive.parent / "b" / "collection.json").unlink()
    with pytest.raises(SourceError, match=r"at .*b/collection\.json, got none"):
        ids(archive)


def test_a_catalogue_that_links_to_itself_ends(tmp_path: Path) -> None:
    catalogue(tmp_path / "c", [("child", "./catalog.json")])
    with pytest.raises(SourceError, match="got none of 0"):
        ids(tmp_path / "c")


@pytest.mark.parametrize("text", ["{}", "[]", "not json", '{"type": "Feature"}'])
def test_json_that_is_no_stac_is_refused(tmp_path: Path, text: str) -> None:
    path = tmp_path / "x.json"
    path.write_text(text)
    with pytest.raises(SourceError, match=r"expected a STAC API.* at .*x\.json, got"):
        ids(path)


def test_a_file_that_is_no_json_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "x.tif")
    with pytest.raises(SourceError, match=r"x\.tif, which is no JSON file"):
        ids(path)


class Quiet(http.server.SimpleHTTPRequestHandler):
    """Serves files without a line for each."""

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - its name
        pass


@pytest.fixture
def served(archive: Path) -> Iterator[str]:
    """The catalogue's URL on loopback."""
    handler = functools.partial(Quiet, directory=str(archive.parent))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


def test_a_catalogue_by_url_gives_urls(served: str) -> None:
    found = find_scenes(f"{served}/catalog.json", Filters(), Options())
    table, skipped = to_table(found, Options(), "run")
    assert skipped == []
    assert table["crs"].to_pylist() == ["EPSG:32631"] * 4  # from the files' headers
    hrefs = {assets[0]["href"] for assets in table["assets"].to_pylist()}
    assert f"{served}/a/a1.tif" in hrefs


def test_a_url_with_nothing_behind_it_is_refused(served: str) -> None:
    with pytest.raises(SourceError, match=r"gone\.json, got none: .*404"):
        ids(f"{served}/gone.json")
    with pytest.raises(SourceError, match="got none"):
        ids("http://127.0.0.1:9/catalog.json")
