"""File-name patterns: what they read, and what they refuse."""

from datetime import UTC, datetime, timedelta
from pathlib import Path, PurePath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terradrift.errors import SourceError
from terradrift.ingest.pattern import Pattern


def test_collection_date_and_band_are_read_from_a_name() -> None:
    pattern = Pattern.parse("{collection}_{datetime:%Y%m%d}_{band}.tif")
    scene_id, fields = pattern.match(PurePath("s2_l2a_20180516_B8A.tif")) or ("", {})
    assert scene_id == "s2_l2a_20180516"
    assert fields == {
        "collection": "s2_l2a",
        "datetime": datetime(2018, 5, 16, tzinfo=UTC),
        "band": "B8A",
    }


@pytest.mark.parametrize(
    ("pattern", "path", "scene_id"),
    [
        ("{datetime:%Y-%m-%d}.tif", "2018-05-16.tif", "2018-05-16"),
        ("{band}_{datetime:%Y%j}.tif", "red_2018136.tif", "2018136"),
        ("{datetime:%Y%m%d}/{band}.tif", "20180516/B04.tif", "20180516"),
        (
            "{tile}/{datetime:%Y%m%d}_{band}.tif",
            "31UDS/20180516_B04.tif",
            "31UDS_20180516",
        ),
        (
            "*_{datetime:%Y%m%dT%H%M%S}_*.tif",
            "x_20180516T105351_y.tif",
            "x_20180516T105351_y",
        ),
        ("{id}_{datetime:%d%b%Y}.tif", "farm 1_16May2018.tif", "farm 1"),
        ("{datetime:%Y%m%d}_*.tif", "a/b/20180516_c.tif", "20180516_c"),
        ("S2_{datetime:%Y%m%d}[_{band}].tif", "S2_20180516.tif", "S2_20180516"),
        ("S2_{datetime:%Y%m%d}[_{band}].tif", "m/S2_20180516_SCL.tif", "S2_20180516"),
        ("{datetime:%y%m%d}.{band}.tif", "180516.B04.tif", "180516"),
    ],
)
def test_scenes_are_called_what_their_files_have_in_common(
    pattern: str, path: str, scene_id: str
) -> None:
    match = Pattern.parse(pattern).match(PurePath(path))
    assert match is not None
    assert match[0] == scene_id
    assert match[1]["datetime"].date().isoformat() == "2018-05-16"


@given(
    st.datetimes(datetime(1000, 1, 1), datetime(9999, 1, 1)),  # noqa: DTZ001 - as hypothesis wants
    st.sampled_from(["B04", "SCL", "nir08"]),
)
def test_what_is_written_is_read(when: datetime, band: str) -> None:
    name = f"S2_{when:%Y%m%dT%H%M%S}_{band}.tif"
    match = Pattern.parse("S2_{datetime:%Y%m%dT%H%M%S}_{band}.tif").match(
        PurePath(name)
    )
    assert match is not None
    assert match[1]["band"] == band
    assert when.replace(tzinfo=UTC) - match[1]["datetime"] < timedelta(seconds=1)


def test_names_that_are_no_date_do_not_fit() -> None:
    pattern = Pattern.parse("{datetime:%Y%m%d}.tif")
    assert pattern.match(PurePath("20181350.tif")) is None
    assert pattern.match(PurePath("2018051.tif")) is None
    assert pattern.match(PurePath("20180516.tiff")) is None
    optional = Pattern.parse("a[{datetime:%Y%m%d}].tif")
    assert optional.match(PurePath("a.tif")) is None


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("{band}.tif", "one {datetime:%Y%m%d}, such as .* got '{band}.tif'"),
        ("{datetime}.tif", "FORM of %Y .* got {datetime}"),
        ("{datetime:%Q}.tif", "FORM of %Y .* got {datetime:%Q}"),
        ("{datetime:%Y}_{band:x}.tif", "only datetime takes a form .* got {band:x}"),
        ("{datetime:%Y}_{a}_{a}.tif", "expected a pattern such as .* redefinition"),
        ("{datetime:%Y}/{datetime:%m}.tif", "with one {datetime"),
        ("{datetime:%Y}[.tif", "expected a pattern such as .* got"),
    ],
)
def test_patterns_that_cannot_be_read_are_refused(text: str, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        Pattern.parse(text)


def test_files_that_do_not_fit_are_named() -> None:
    folder = Path("/data")
    files = [folder / "20180516_B04.tif", folder / "readme.tif"]
    with pytest.raises(
        SourceError, match=r"got 1 of 2 that do not, such as readme\.tif; pass another"
    ):
        Pattern.parse("{datetime:%Y%m%d}_{band}.tif").scenes(files, folder)


def test_two_files_of_one_scene_and_band_are_refused() -> None:
    folder = Path("/data")
    files = [folder / "a" / "20180516_B04.tif", folder / "b" / "20180516_B04.tif"]
    pattern = Pattern.parse("{datetime:%Y%m%d}_{band}.tif")
    with pytest.raises(
        SourceError, match="one file per scene and band, got 20180516_B04"
    ):
        pattern.scenes(files, folder)
    apart = Pattern.parse("{place}/{datetime:%Y%m%d}_{band}.tif").scenes(files, folder)
    assert [scene_id for scene_id, _, _ in apart] == ["a_20180516", "b_20180516"]
