import json
from pathlib import Path

import pyarrow as pa
import pystac
import pytest

from terradrift import schema
from terradrift.errors import ArchiveError
from terradrift.store.out import links, partitioned
from terradrift.store.out.leaving import Leaving
from terradrift.store.out.sources import sources
from terradrift.store.spatial import Chosen
from terradrift.store.tables import Store
from tests.store import made

COLLECTION = "https://example.org/sentinel-2-l2a"


def scenes(store: Store) -> None:
    def row(day: int, href: str) -> dict[str, object]:
        links = [
            {"rel": "self", "href": href},
            {"rel": "collection", "href": COLLECTION},
        ]
        return dict.fromkeys(schema.scenes().names) | {
            "scene_id": made.scene_name(day),
            "collection": "sentinel-2-l2a",
            "processing_baseline": "05.00",
            "stac_item": json.dumps({"links": links}),
        }

    rows = [row(0, "https://example.org/S0000"), row(1, "/home/me/S0001.json")]
    store.append("scenes", pa.Table.from_pylist(rows, schema.scenes()))


def runs(store: Store) -> None:
    row = dict.fromkeys(schema.runs().names) | {
        "run_id": "run-1",
        "verb": "embed",
        "parameters": json.dumps({"model": made.MODEL, "precision": "auto"}),
        "versions": json.dumps({"terradrift": "0.0.9"}),
        "device": "cpu",
        "ended": made.instant(900).item(),
    }
    store.append("runs", pa.Table.from_pylist([row], schema.runs()))


@pytest.fixture
def collection(store: Store, tmp_path: Path) -> pystac.Collection:
    scenes(store)
    runs(store)
    leaving = Leaving(store, "embeddings", made.MODEL)
    partitioned.export(leaving, tmp_path / "out", stac=True)
    return pystac.Collection.from_file(tmp_path / "out" / "collection.json")


def test_pystac_walks_it_and_finds_the_files(
    collection: pystac.Collection, tmp_path: Path
) -> None:
    items = list(collection.get_items())
    assert len(items) == 3
    for item in items:
        assert next(iter(item.assets)) == "embeddings"
        path = Path(item.assets["embeddings"].get_absolute_href() or "")
        assert (
            path.stat().st_size == item.assets["embeddings"].extra_fields["file:size"]
        )
        assert item.get_collection() is collection
        assert item.datetime is None
        times = item.common_metadata.start_datetime, item.common_metadata.end_datetime
        assert [one and one.isoformat() for one in times] == [
            "2018-01-01T10:30:00+00:00",
            "2018-01-04T10:30:00+00:00",
        ]


def test_items_say_what_made_them(collection: pystac.Collection) -> None:
    item = next(iter(collection.get_items()))
    said = item.properties
    assert said["processing:version"] == "05.00"
    assert said["processing:datetime"].startswith("2020-06-19T10:30:00")
    assert said["processing:software"] == {"terradrift": "0.0.9"}
    assert said["emb:runtime_parameters"]["precision"] == "auto"
    assert said["emb:quantization"]["quantized_dtype"] == "float16"
    assert "emb:energy" not in said
    assert said["proj:code"] == "EPSG:32631"
    left, bottom, right, top = said["proj:bbox"]
    assert (right - left, top - bottom) == (32 * 40, 32 * 40)
    assert said["proj:transform"] == [40, 0, left, 0, -40, top]
    source = [link.href for link in item.links if link.rel == "emb:source-data"]
    assert source == [
        "https://example.org/S0000",
        "urn:terradrift:scene:S0001",  # a path of this machine says nothing elsewhere
        "urn:terradrift:scene:S0002",
        "urn:terradrift:scene:S0003",
    ]


def test_the_collection_has_what_the_extension_requires(
    collection: pystac.Collection, tmp_path: Path
) -> None:
    text = json.loads((tmp_path / "out" / "collection.json").read_text())
    assert text["emb:type"] == "chip"
    assert text["emb:dimensions"] == 8
    assert text["data_type"] == "float16"
    assert text["emb:chip_layout"]["layout_type"] == "regular_grid"
    assert text["item_assets"]["embeddings"]["roles"] == ["data"]
    by_rel = {link["rel"]: link["href"] for link in text["links"]}
    assert by_rel["emb:source-data"] == COLLECTION
    assert by_rel["emb:model"] == "urn:terradrift:model:toy-1:1"
    assert all(
        link["href"].startswith("./items/")
        for link in text["links"]
        if link["rel"] == "item"
    )


def test_a_collection_of_no_rows_is_refused_and_leaves_nothing(
    store: Store, tmp_path: Path
) -> None:
    nothing = Leaving(store, "embeddings", made.MODEL, chosen=Chosen("ndvi > 2"))
    with pytest.raises(ArchiveError, match="no rows are left"):
        partitioned.export(nothing, tmp_path / "out", stac=True)
    assert [one.name for one in tmp_path.iterdir()] == ["a.td"]


def test_scores_have_no_vectors_for_a_collection(store: Store, tmp_path: Path) -> None:
    table = pa.Table.from_pylist([], schema.scores())
    store.append("scores_toy_1", table)
    with pytest.raises(ArchiveError, match="scores have none"):
        partitioned.export(
            Leaving(store, "scores", made.MODEL), tmp_path / "out", stac=True
        )


def test_an_archive_without_scenes_and_runs_has_no_sources(store: Store) -> None:
    assert sources(store).scenes == {}
    assert sources(store).runs == {}


@pytest.mark.parametrize(
    ("source", "link"),
    [
        ("see https://example.org/m.ckpt; more", "https://example.org/m.ckpt"),
        ("A. Author 2021, doi:10.1038/s1-2; x", "https://doi.org/10.1038/s1-2"),
        ("in house", "urn:terradrift:model:m:2"),
    ],
)
def test_models_are_linked_to_where_they_are(source: str, link: str) -> None:
    assert links.model({"model": "m", "revision": "2", "source": source}) == link


def test_names_that_no_uri_holds_are_encoded() -> None:
    described = {"model": "Clay 1.5 é", "revision": "2:b"}
    assert links.model(described) == ("urn:terradrift:model:Clay%201.5%20%C3%A9:2%3Ab")
    assert links.of_scene("S 1") == "urn:terradrift:scene:S%201"
    assert links.source_data(["a b"], []) == ["urn:terradrift:collection:a%20b"]
    assert links.address("s3://b/a b?c=%20") == "s3://b/a%20b?c=%20"
