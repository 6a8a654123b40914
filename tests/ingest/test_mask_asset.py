"""Which asset is the mask, and of what kind."""

from typing import Any

import pytest

from terradrift.errors import SourceError
from terradrift.ingest.assets import Band
from terradrift.ingest.mask_asset import find_mask, mask_kind


def masked(*keys: str, want: str = "auto", sensor: str = "") -> tuple[str, str] | None:
    assets: dict[str, Any] = {key: {"href": f"{key}.tif"} for key in keys}
    found = find_mask(want, assets, [], {}, sensor)
    return None if found is None else (found.name, found.asset)


@pytest.mark.parametrize(
    ("key", "sensor", "kind"),
    [
        ("scl", "", "mask:scl"),
        ("SCL", "", "mask:scl"),
        ("SCL_20m", "", "mask:scl"),
        ("scl-jp2", "", "mask:scl"),
        ("classification", "sentinel-2", "mask:scl"),
        ("classification", "", None),
        ("qa_pixel", "", "mask:qa_pixel"),
        ("QA_PIXEL", "", "mask:qa_pixel"),
        ("pixel_qa", "", "mask:qa_pixel"),
        ("qa", "", "mask:qa_pixel"),
        ("qa_radsat", "", None),
        ("clouds", "", None),
    ],
)
def test_masks_are_known_by_name(key: str, sensor: str, kind: str | None) -> None:
    assert mask_kind(key, sensor) == kind


def test_auto_takes_scl_then_qa_then_nothing() -> None:
    assert masked("qa_pixel", "scl") == ("mask:scl", "scl")
    assert masked("qa", "qa_pixel") == ("mask:qa_pixel", "qa_pixel")
    assert masked("qa", "red") == ("mask:qa_pixel", "qa")
    assert masked("red", "cloud") is None


def test_a_named_asset_is_taken_with_the_kind_it_has() -> None:
    assert masked("scl", "cloud", want="cloud") == ("mask:named", "cloud")
    assert masked("scl", "qa", want="qa") == ("mask:qa_pixel", "qa")
    assert masked("scl", want="none") is None


def test_a_name_that_is_not_there_is_refused_with_those_that_are() -> None:
    with pytest.raises(SourceError, match="expected a mask asset 'x', got assets a, b"):
        masked("b", "a", want="x")


def test_a_class_band_inside_a_multi_band_file_is_the_mask() -> None:
    inside = Band(name="scl", label="SCL", asset="image", index=5)
    found = find_mask("auto", {"image": {"href": "i.tif"}}, [inside], {}, "")
    assert found is not None
    assert (found.name, found.asset, found.index) == ("mask:scl", "image", 5)
