"""Filters and options: parsed at the edge, the same for every source."""

from datetime import UTC, datetime
from typing import Any

import pystac
import pytest
import shapely

from terradrift.errors import SourceError
from terradrift.ingest.filters import Filters, Options, instant
from terradrift.ingest.stated import broken
from terradrift.period import Period
from tests.ingest.products import item


def scene(**properties: Any) -> pystac.Item:
    return item({}, collection="a", **properties)


def placed(*rings: tuple[float, float, float, float]) -> pystac.Item:
    found = scene()
    shape = shapely.union_all([shapely.box(*ring) for ring in rings])
    found.geometry = shapely.geometry.mapping(shape)
    return found


def test_no_filter_takes_everything() -> None:
    assert Filters().matches(scene())
    assert Filters().boxes() == []


@pytest.mark.parametrize(
    ("bbox", "wanted"),
    [
        ((2.0, 50.0, 3.5, 50.5), True),
        ((5.0, 50.0, 6.0, 51.0), False),
        ((170.0, 50.0, 3.5, 50.5), True),
        ((170.0, 50.0, -170.0, 51.0), False),
    ],
)
def test_a_bbox_takes_what_touches_it(
    bbox: tuple[float, float, float, float], wanted: bool
) -> None:
    assert Filters(bbox=bbox).matches(scene()) is wanted


def test_a_bbox_across_the_antimeridian_is_two_boxes() -> None:
    filters = Filters(bbox=(179.0, -18.0, -179.0, -16.0))
    assert filters.boxes() == [
        (179.0, -18.0, 180.0, -16.0),
        (-180.0, -18.0, -179.0, -16.0),
    ]
    fiji = placed((179.5, -17, 180, -16.5), (-180, -17, -179.5, -16.5))
    assert filters.matches(fiji)
    assert filters.matches(placed((-180, -17, -179.9, -16.5)))
    assert not filters.matches(placed((0, -17, 1, -16.5)))


def test_an_item_with_a_bbox_only_is_placed_by_it() -> None:
    found = scene()
    found.geometry, found.bbox = None, [179.0, -18.0, -179.0, -16.0]
    assert Filters(bbox=(-179.5, -17.5, -179.2, -17.0)).matches(found)
    assert not Filters(bbox=(0.0, -17.5, 1.0, -17.0)).matches(found)
    found.bbox = [3.0, 50.0, 0.0, 4.0, 51.0, 100.0]
    assert Filters(bbox=(3.5, 50.5, 3.6, 50.6)).matches(found)


def test_an_item_that_says_no_place_is_kept() -> None:
    found = scene()
    found.geometry, found.bbox = None, None
    assert Filters(bbox=(0.0, 0.0, 1.0, 1.0)).matches(found)


def test_a_region_counts_by_its_shape_not_its_box() -> None:
    corner = shapely.Polygon([(2.0, 50.0), (5.0, 50.0), (2.0, 50.3)])
    assert not Filters(region=corner).matches(scene())
    assert Filters(region=shapely.box(4.5, 51.3, 6, 52)).matches(scene())
    both = Filters(region=shapely.box(0, 0, 10, 60), bbox=(3.0, 50.0, 4.0, 51.0))
    assert both.boxes() == [(3.0, 50.0, 4.0, 51.0)]
    assert Filters(region=corner).boxes() == [(2.0, 50.0, 5.0, 50.3)]


def test_a_period_ends_before_its_end() -> None:
    assert Filters(period=Period.parse("2023-06")).matches(scene())
    assert not Filters(period=Period.parse("2023-07/..")).matches(scene())


def test_start_and_end_count_as_their_middle() -> None:
    span = scene(
        datetime=None,
        start_datetime="2023-06-01T00:00:00Z",
        end_datetime="2023-06-03T00:00:00Z",
    )
    assert instant(span) == datetime(2023, 6, 2, tzinfo=UTC)
    assert Filters(period=Period.parse("2023-06-02")).matches(span)
    assert not Filters(period=Period.parse("2023-06-01")).matches(span)


def test_a_naive_datetime_is_utc() -> None:
    found = scene()
    found.datetime = datetime(2023, 6, 1)  # noqa: DTZ001 - the point of the test
    assert instant(found) == datetime(2023, 6, 1, tzinfo=UTC)


def test_an_item_without_dates_is_refused() -> None:
    found = scene()
    found.datetime = None
    with pytest.raises(SourceError, match="scene scene: expected a datetime, or start"):
        instant(found)


def test_clouds_above_the_limit_are_left_out_and_silent_items_kept() -> None:
    filters = Filters(max_cloud=20)
    assert filters.matches(scene(eo__cloud_cover=20))
    assert not filters.matches(scene(eo__cloud_cover=20.1))
    assert filters.matches(scene())


def test_only_the_collections_asked_for_are_taken() -> None:
    assert Filters(collections=("a", "b")).matches(scene())
    assert not Filters(collections=("b",)).matches(scene())


def test_what_cannot_be_read_passes_so_that_it_is_reported() -> None:
    filters = Filters(collections=("b",), period=Period.parse("2023"), max_cloud=1)
    assert filters.matches(broken("x", "reason"))


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"bbox": (0, 10, 1, 0)}, "west,south,east,north in degrees, got 0,10,1,0"),
        ({"bbox": (0, 0, 500_000, 1)}, "in degrees, got 0,0,500000,1"),
        ({"max_cloud": 120}, "percentage 0 to 100, got 120"),
    ],
)
def test_filters_that_cannot_be_meant_are_refused(
    values: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        Filters(**values)


@pytest.mark.parametrize(
    ("values", "problem"),
    [
        ({"boa_offset": 1000}, "expected 0 or -1000, got 1000"),
        ({"scale": 0}, "--scale must be above 0, got 0"),
    ],
)
def test_options_that_cannot_be_meant_are_refused(
    values: dict[str, Any], problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        Options(**values)
