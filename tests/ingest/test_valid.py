"""Metadata of the wrong type: one clear line for each, never a crash."""

import copy
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from terradrift.errors import SourceError
from terradrift.ingest import stac
from terradrift.ingest.filters import Filters
from terradrift.ingest.scene import Options, to_table
from terradrift.ingest.valid import check_asset, check_properties
from terradrift.period import Period
from tests.ingest import products


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("proj:transform", [10, 0, 0], "six numbers of a grid"),
        ("proj:transform", [0, 0, 0, 0, 0, 0], "six numbers of a grid"),
        ("proj:shape", [0, 10], "rows and columns from 1"),
        ("platform", 2, "a text"),
        ("instruments", "msi", "a list"),
        ("gsd", "10", "a number other than 0"),
    ],
)
def test_properties_of_the_wrong_type_are_named(
    field: str, value: Any, expected: str
) -> None:
    with pytest.raises(SourceError, match=f"item: expected {field} as {expected}"):
        check_properties({field: value})


@pytest.mark.parametrize(
    ("asset", "problem"),
    [
        ({"roles": "data"}, "asset a: expected roles as a list, got 'data'"),
        ({"raster:bands": [None]}, "expected raster:bands as a list of objects"),
        (
            {"raster:bands": [{"scale": "0.0001"}]},
            "asset a, raster:bands: expected scale as a number other than 0, got '0.0001'",
        ),
        ({"raster:scale": 0}, "asset a: expected scale as a number other than 0"),
        ({"bands": [{"eo:common_name": 4}]}, "asset a, bands: expected common_name"),
    ],
)
def test_assets_of_the_wrong_type_are_named(
    asset: dict[str, Any], problem: str
) -> None:
    with pytest.raises(SourceError, match=problem):
        check_asset("a", asset)


def test_what_is_as_in_stac_passes() -> None:
    for scene in (products.copernicus(), products.landsat()):
        check_properties(scene.properties)
        for key, asset in scene.assets.items():
            check_asset(key, asset.to_dict())


def paths(said: Any, above: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """Where every value of a JSON document is."""
    entries = said.items() if isinstance(said, dict) else enumerate(said)
    for key, value in entries:
        yield (*above, key)
        if isinstance(value, dict | list):
            yield from paths(value, (*above, key))


ITEMS = [
    scene.to_dict(include_self_link=False, transform_hrefs=False)
    for scene in (
        products.copernicus(),
        products.planetary_computer("05.09"),
        products.earth_search(applied=True, baseline="05.09", offset=-0.1),
        products.landsat(),
    )
]
PLACES = [(said, path) for said in ITEMS for path in paths(said)]
JUNK = [None, "x", "", -1, 0, 1e99, True, "nan", [], [1], [None], ["x"], {}, {"a": 1}]


def told(said: dict[str, Any]) -> str:
    """What is said of an item: why it is skipped or refused, or nothing."""
    filters = Filters(bbox=(0, 40, 10, 60), period=Period.parse("2023"), max_cloud=90)
    scene = stac._item(said)
    try:
        filters.matches(scene)
        _, skipped = to_table([scene], Options(), "run")
    except SourceError as error:
        return str(error)
    return "".join(bad.reason for bad in skipped)


@settings(max_examples=300, deadline=None)
@given(st.sampled_from(PLACES), st.sampled_from(JUNK))
def test_junk_anywhere_in_an_item_is_told_and_never_crashes(
    place: tuple[dict[str, Any], tuple[Any, ...]], junk: Any
) -> None:
    said, path = copy.deepcopy(place[0]), place[1]
    holder = said
    for key in path[:-1]:
        holder = holder[key]
    holder[path[-1]] = junk
    assert "\n" not in told(said)
