"""STAC documents, the Embedding extension, and what they link to."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from terradrift.conform import checking
from terradrift.conform.finding import Finding
from tests.conform import made


def codes(found: list[Finding], level: str = "error") -> set[str]:
    return {one.code for one in found if one.level == level}


def changed(which: str, *path: Any, to: Any = None) -> Callable[[], dict[str, Any]]:
    """A document with one place changed; without `to` the place is taken away."""

    def make() -> dict[str, Any]:
        held = made.item() if which == "item" else made.collection()
        at = held
        for key in path[:-1]:
            at = at[key]
        if to is None:
            del at[path[-1]]
        else:
            at[path[-1]] = to
        return {which: held}

    return make


BROKEN = {
    "item without type": (changed("item", "type"), "stac.type"),
    "item without id": (changed("item", "id"), "stac.id"),
    "item without links": (changed("item", "links"), "stac.links"),
    "item without box": (changed("item", "bbox"), "stac.bbox"),
    "item of no version": (changed("item", "stac_version", to="9"), "stac.stac_version"),
    "item without any time": (
        changed("item", "properties", "start_datetime"), "stac.start_datetime"),
    "item that ends before it starts": (
        changed("item", "properties", "end_datetime", to="2019-01-01T00:00:00Z"),
        "stac.datetime"),
    "geometry in metres": (
        changed("item", "geometry", "coordinates",
                to=[[[5e5, 5e6], [6e5, 5e6], [6e5, 6e6], [5e5, 5e6]]]),
        "stac.geometry"),
    "geometry of too few points": (
        changed("item", "geometry", "coordinates", to=[[[3, 51], [4, 51], [3, 51], [9]]]),
        "stac.geometry"),
    "asset embedding": (
        changed("item", "assets", to={"embedding": {"href": "./made.parquet"}}),
        "emb.embeddings"),
    "asset whose file is gone": (
        changed("item", "assets", "embeddings", "href", to="./gone.parquet"),
        "stac.asset"),
    "field on the asset": (
        changed("item", "assets", "embeddings", "emb:dimensions", to=4), "emb.asset"),
    "quantization without method": (
        changed("item", "properties", "emb:quantization", "method"), "emb.method"),
    "quantization with a scale of one number": (
        changed("item", "properties", "emb:quantization", "scale", to=1.0), "emb.scale"),
    "quantization with a name of its own": (
        changed("item", "properties", "emb:quantization", "zero", to=1),
        "emb.quantization"),
    "preprocessing as text": (
        changed("item", "properties", "emb:preprocessing", to="as it is"),
        "emb.preprocessing"),
    "energy of a device unknown": (
        changed("item", "properties", "emb:energy", to={"device_type": "tpu"}),
        "emb.device_type"),
    "dimensions on the item": (
        changed("item", "properties", "emb:dimensions", to=4), "emb.unknown"),
    "extension not declared": (
        changed("item", "stac_extensions", to=[]), "emb.stac_extensions"),
    "collection of another name": (
        changed("item", "collection", to="other"), "stac.collection"),
    "link to nothing": (
        changed("item", "links", 0, "href", to="./gone.json"), "stac.link"),
    "collection without licence": (changed("collection", "license"), "stac.license"),
    "collection without extent": (changed("collection", "extent"), "stac.extent"),
    "collection without type of embedding": (
        changed("collection", "emb:type"), "emb.type"),
    "collection without dimensions": (
        changed("collection", "emb:dimensions"), "emb.dimensions"),
    "dimensions as text": (
        changed("collection", "emb:dimensions", to="4"), "emb.dimensions"),
    "dimensions other than the file's": (
        changed("collection", "emb:dimensions", to=5), "emb.dimensions"),
    "collection without data type": (changed("collection", "data_type"), "emb.data_type"),
    "data type unknown": (changed("collection", "data_type", to="f4"), "emb.data_type"),
    "data type other than the file's": (
        changed("collection", "data_type", to="int8"), "emb.data_type"),
    "layout unknown": (
        changed("collection", "emb:chip_layout", "layout_type", to="hexagons"),
        "emb.layout_type"),
    "layout without its type": (
        changed("collection", "emb:chip_layout", "layout_type"), "emb.layout_type"),
    "chips of one side": (
        changed("collection", "emb:chip_layout", "chip_size", to=[32]), "emb.chip_size"),
    "no link to the model": (changed("collection", "links", 1), "emb.model"),
    "no link to the source": (changed("collection", "links", 2), "emb.source-data"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_breakage_is_named(name: str, tmp_path: Path) -> None:
    make, code = BROKEN[name]
    found = checking.check(made.catalogue(tmp_path / "made", make()))
    assert code in codes(found)
    assert "unreadable" not in codes(found)


def test_a_good_catalogue_has_no_finding_but_what_is_elsewhere(tmp_path: Path) -> None:
    start = made.catalogue(tmp_path / "made")
    for path in (start, start.with_name("item.json"), start.parent):
        assert codes(checking.check(path)) == set()
        assert codes(checking.check(path), "warning") == set()
    catalog = {
        "type": "Catalog",
        "stac_version": "1.1.0",
        "id": "all",
        "description": "all",
        "links": [
            {"rel": "child", "href": "./made/collection.json"},
            {"rel": "child", "href": "https://example.org/collection.json"},
        ],
    }
    (tmp_path / "catalog.json").write_text(json.dumps(catalog))
    found = checking.check(tmp_path)
    assert {one.code for one in found} == {"stac.remote"}


def test_a_file_behind_an_item_is_checked(tmp_path: Path) -> None:
    start = made.catalogue(tmp_path / "made")
    made.parquet_file(tmp_path / "made" / "made.parquet", footer=False)
    found = checking.check(start)
    assert codes(found) == {"geoparquet.geo"}
    where = [one.where for one in found if one.level == "error"]
    assert where == [str(tmp_path / "made" / "made.parquet")]


def test_doubts_are_warnings(tmp_path: Path) -> None:
    item = made.item()
    item["bbox"] = [3.0, 51.0, 4.0, 51.05]
    item["properties"]["processing:version"] = "05.00"
    item["assets"]["embeddings"]["type"] = "image/tiff"
    collection = made.collection()
    del collection["item_assets"]
    parts = {"item": item, "collection": collection}
    found = checking.check(made.catalogue(tmp_path / "made", parts))
    assert codes(found) == set()
    assert codes(found, "warning") == {
        "stac.bbox",
        "stac.stac_extensions",
        "stac.media_type",
        "emb.item_assets",
    }


def test_loops_and_hostile_links_come_to_an_end(tmp_path: Path) -> None:
    item = made.item()
    item["links"] += [
        {"rel": "parent", "href": "./item.json"},
        {"rel": "root", "href": "./loop.json"},
        {"rel": "item", "href": "/dev/zero"},
        {"rel": "item", "href": "x\0y"},
        {"rel": "item", "href": 5},
    ]
    start = made.catalogue(tmp_path / "made", {"item": item})
    (start.parent / "loop.json").symlink_to("loop.json")
    found = checking.check(start)
    assert codes(found) == {"stac.link", "stac.href"}


@pytest.mark.parametrize("href", ["http://[x", "./" + "a" * 5_000])
def test_a_link_that_can_be_no_path_is_named(href: str, tmp_path: Path) -> None:
    item = made.item()
    item["links"].append({"rel": "parent", "href": href})
    found = checking.check(made.catalogue(tmp_path / "made", {"item": item}))
    assert codes(found) == {"stac.href"}


def test_a_name_with_a_space_is_found_raw_and_encoded(tmp_path: Path) -> None:
    item = made.item()
    asset = item["assets"]["embeddings"]
    for href in ("./my%20emb.parquet", "./my emb.parquet"):
        asset["href"] = href
        start = made.catalogue(tmp_path / href[2:], {"item": item})
        (start.parent / "made.parquet").rename(start.parent / "my emb.parquet")
        assert codes(checking.check(start)) == set()


@pytest.mark.parametrize("west", [-179.9, 180.1])
def test_squares_around_the_world_or_beyond_180_degrees_are_warnings(
    tmp_path: Path, west: float
) -> None:
    ring = [[west, 51], [179.9, 51], [179.9, 51.1], [west, 51.1], [west, 51]]
    item = made.item()
    item["geometry"]["coordinates"] = [ring]
    found = checking.check(made.catalogue(tmp_path / "made", {"item": item}))
    assert "stac.antimeridian" in codes(found, "warning")


def test_a_published_item_of_the_extension_passes(tmp_path: Path) -> None:
    """STAC 1.0.0, as in the extension's own examples."""
    item = made.item() | {"stac_version": "1.0.0"}
    start = made.catalogue(tmp_path / "made", {"item": item})
    found = checking.check(start)
    assert codes(found) == set()
    assert "stac.version" in codes(found, "note")


CORE = [
    "item without id",
    "item without links",
    "item without box",
    "item without any time",
    "collection without licence",
    "collection without extent",
]
BEYOND = [
    "item that ends before it starts",
    "geometry in metres",
    "asset whose file is gone",
    "link to nothing",
    "collection of another name",
]


@pytest.fixture(scope="module")
def offline(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Schemas of STAC core as files, by the address that validators know them by."""
    from pystac.validation.local_validator import get_local_schema_cache

    folder = tmp_path_factory.mktemp("schemas")
    found = {}
    for i, (address, schema) in enumerate(get_local_schema_cache().items()):
        path = folder / f"{i}.json"
        path.write_text(json.dumps(schema))
        found[address] = str(path)
    return found


def theirs(document: dict[str, Any], path: Path, schemas: dict[str, str]) -> list[bool]:
    """Whether stac-validator and pystac let the core of a document pass."""
    from pystac.errors import STACValidationError
    from pystac.validation import JsonSchemaSTACValidator
    from stac_validator.stac_validator import StacValidate

    path.write_text(json.dumps(document))
    document = json.loads(path.read_text())
    validate = StacValidate(str(path), core=True, schema_map=schemas)
    said = [validate.run()]
    from pystac import STACObjectType

    kind = {"Feature": STACObjectType.ITEM, "Collection": STACObjectType.COLLECTION}
    try:
        JsonSchemaSTACValidator().validate_core(
            document, kind[document["type"]], "1.1.0"
        )
        said.append(True)
    except STACValidationError:
        said.append(False)
    return said


@pytest.mark.filterwarnings("ignore:The .stac_validator. package:DeprecationWarning")
def test_other_validators_agree_on_core_and_are_silent_beyond(
    tmp_path: Path, offline: dict[str, str]
) -> None:
    path = tmp_path / "one.json"
    for good in (made.item(), made.collection()):
        assert theirs(good, path, offline) == [True, True]
    for name in CORE:
        (document,) = BROKEN[name][0]().values()
        assert theirs(document, path, offline) == [False, False], name
    for name in BEYOND:
        (document,) = BROKEN[name][0]().values()
        assert theirs(document, path, offline) == [True, True], name
