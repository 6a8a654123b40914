import numpy as np
import pytest
import rasterio
from hypothesis import given
from hypothesis import strategies as st

from terradrift.errors import SourceError
from terradrift.ingest.mask import clear


def test_scl_hides_nothing_seen_shadow_cloud_cirrus_and_snow() -> None:
    classes = np.arange(14, dtype=np.uint8)
    assert np.flatnonzero(clear("mask:scl", classes)).tolist() == [2, 4, 5, 6, 7]


def test_scl_of_a_wider_type_means_the_same() -> None:
    classes = np.array([[-1, 4, 260, 9]], np.int16)
    assert clear("mask:scl", classes).tolist() == [[False, True, False, False]]


# Values and meanings from the USGS guides to Collection 2 (LSDS-1619) and 1 (LSDS-1873).
@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (1, False),  # fill
        (21824, True),  # land, Landsat 8
        (21952, True),  # water
        (5440, True),  # land, Landsat 5 and 7
        (5504, True),  # water
        (21826, False),  # dilated cloud
        (22280, False),  # cloud
        (23888, False),  # shadow
        (30048, False),  # snow
        (54596, False),  # cirrus
    ],
)
def test_collection_2_bits(value: int, expected: bool) -> None:
    assert clear("mask:qa_pixel", np.array([value], np.uint16)).item() is expected


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (0, False),
        (1, False),  # fill
        (322, True),  # land, Landsat 8
        (324, True),  # water
        (66, True),  # land, Landsat 5 and 7
        (68, True),  # water
        (328, False),  # shadow
        (336, False),  # snow
        (352, False),  # cloud
        (480, False),  # cloud, sure
        (834, False),  # land under sure cirrus
        (1346, False),  # hidden by terrain
    ],
)
def test_collection_1_bits(value: int, expected: bool) -> None:
    assert clear("mask:qa_pixel", np.array([value], np.uint16)).item() is expected


@given(
    flags=st.integers(0, 63),
    water=st.booleans(),
    confidences=st.tuples(*[st.integers(1, 3)] * 4),
)
def test_every_collection_2_pixel_is_read_by_its_own_bits(
    flags: int,
    water: bool,
    confidences: tuple[int, int, int, int],
) -> None:
    value = flags | (water << 7) | ((flags == 0) << 6)
    for n, confidence in enumerate(confidences):
        value |= confidence << (8 + 2 * n)
    assert clear("mask:qa_pixel", np.array([value], np.uint16)).item() is (flags == 0)


def test_a_signed_file_of_qa_bits_means_the_same() -> None:
    values = np.array([54596, 21824, 55052], np.uint16)
    signed = values.view(np.int16)
    assert (
        clear("mask:qa_pixel", signed).tolist()
        == clear("mask:qa_pixel", values).tolist()
    )


@pytest.mark.shared
def test_clear_landsat_pixels_are_those_of_the_clear_and_water_bits(shared) -> None:
    for path in sorted(shared("data/l8-flanders-2018/masks").glob("*.tif")):
        with rasterio.open(path) as file:
            bits = file.read(1)
        said = (bits & 0b110 != 0) & (bits & 0b11_0000_0000 != 0b11_0000_0000)
        np.testing.assert_array_equal(clear("mask:qa_pixel", bits), said)


def test_a_named_mask_hides_what_is_not_zero() -> None:
    assert clear("mask:named", np.array([0.0, 1.0, -2.0])).tolist() == [
        True,
        False,
        False,
    ]


def test_unknown_masks_and_wrong_types_are_refused() -> None:
    with pytest.raises(
        SourceError, match=r"expected a mask of kind .*, got 'mask:cld'"
    ):
        clear("mask:cld", np.zeros(1, np.uint8))
    with pytest.raises(SourceError, match=r"mask:scl holds whole numbers, got float32"):
        clear("mask:scl", np.zeros(1, np.float32))
