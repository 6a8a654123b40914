"""Level, baseline and flags under the many names that catalogues give them."""

from typing import Any

import pytest

from terradrift.ingest.stated import baseline_of, broken, level_of, offset_applied
from tests.ingest.products import item


@pytest.mark.parametrize(
    ("said", "scene_id", "expected"),
    [
        ({"s2__processing_baseline": "05.09"}, "a", "05.09"),
        ({"sentinel__processing_baseline": "04.00"}, "a", "04.00"),
        ({"processing__version": "05.11"}, "a", "05.11"),
        ({"processing__version": "1.2.3"}, "a", None),
        (
            {"s2__product_uri": "S2A_MSIL2A_20230601T105031_N0509_R051_T31UDS_x.SAFE"},
            "a",
            "05.09",
        ),
        ({}, "S2B_MSIL1C_20160601T105031_N0500_R051_T31UDS_20230601T163009", "05.00"),
        ({}, "S2A_MSIL2A_20230601T105031_R051_T31UDS_20230601T163009", None),
    ],
)
def test_the_baseline_is_read_from_fields_then_names(
    said: dict[str, Any], scene_id: str, expected: str | None
) -> None:
    assert baseline_of(item({}, scene_id, **said)) == expected


@pytest.mark.parametrize(
    ("said", "scene_id", "collection", "expected"),
    [
        ({"processing__level": "L2A"}, "a", None, "L2A"),
        ({"processing__level": "Level-1C"}, "a", None, "L1C"),
        ({"processing__level": "L2"}, "a", None, "L2"),
        ({"s2__product_type": "S2MSI1C"}, "a", None, "L1C"),
        ({"landsat__correction": "L2SP"}, "a", None, "L2SP"),
        ({}, "a", "sentinel-2-l1c", "L1C"),
        ({}, "S2A_MSIL2A_20230601T105031", None, "L2A"),
        ({}, "S2B_31UDS_20230601_0_L2A", None, "L2A"),
        ({}, "a", "all2a", None),
        ({}, "a", None, None),
    ],
)
def test_the_level_is_read_from_fields_then_names(
    said: dict[str, Any], scene_id: str, collection: str | None, expected: str | None
) -> None:
    assert level_of(item({}, scene_id, collection, **said)) == expected


def test_both_names_of_the_flag_are_known() -> None:
    assert offset_applied(item({}, earthsearch__boa_offset_applied=True)) is True
    assert offset_applied(item({}, sentinel__boa_offset_applied=False)) is False
    assert offset_applied(item({})) is None


def test_a_broken_item_is_an_item_that_says_why() -> None:
    found = broken("x", "no such file")
    assert found.id == "x"
    assert "no such file" in found.properties.values()
