"""The offset decision: every rule, every known trap, and laws over all statements."""

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from terradrift.errors import HarmonisationError
from terradrift.ingest.reflectance import (
    Statement,
    check_plausible,
    harmonise,
    has_offset,
)


def sentinel2(**said: Any) -> Statement:
    return Statement(scene_id="S2", band="red", sensor="sentinel-2", **said)


def offset_of(said: Statement, **user: Any) -> tuple[float | None, str]:
    change = harmonise(said, **user)
    added = 0.0 if change.boa_offset is None else change.boa_offset
    assert change.offset == pytest.approx(added * change.scale)
    return change.boa_offset, change.source


@pytest.mark.parametrize(
    ("baseline", "expected"),
    [
        ("04.00", True),
        ("05.09", True),
        ("05.11", True),
        ("N0500", True),
        ("0510", True),
        ("4.0", True),
        ("02.14", False),
        ("03.01", False),
        ("N0301", False),
        ("00.01", False),
        ("99.99", None),
        ("unknown", None),
        ("", None),
        (None, None),
    ],
)
def test_baselines_from_04_00_on_have_the_offset(
    baseline: str | None, expected: bool | None
) -> None:
    assert has_offset(baseline) is expected


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        # Planetary Computer: a baseline and nothing else.
        ({"baseline": "04.00"}, (-1000.0, "baseline")),
        ({"baseline": "03.00"}, (0.0, "baseline")),
        # Collection 1: baseline 05.00 on a scene of 2016 counts, not its date.
        ({"baseline": "05.00", "scale": 1e-4}, (-1000.0, "baseline")),
        # Copernicus Data Space, Earth Search c1: stated and by baseline, yet taken once.
        (
            {"baseline": "05.11", "scale": 1e-4, "offset": -0.1},
            (-1000.0, "metadata"),
        ),
        ({"baseline": "02.14", "scale": 1e-4, "offset": 0.0}, (0.0, "metadata")),
        # Scale and offset stated without any baseline count as told.
        ({"scale": 1e-4, "offset": 0.0}, (0.0, "metadata")),
        ({"scale": 1e-4, "offset": -0.1}, (-1000.0, "metadata")),
        # Earth Search: removed from the numbers, whatever raster:bands still say.
        (
            {"applied": True, "baseline": "04.00", "scale": 1e-4, "offset": -0.1},
            (0.0, "boa_offset_applied"),
        ),
        ({"applied": True, "baseline": "05.09"}, (0.0, "boa_offset_applied")),
        ({"applied": True}, (0.0, "boa_offset_applied")),
        # Earth Search: not removed.
        (
            {"applied": False, "baseline": "04.00", "scale": 1e-4, "offset": -0.1},
            (-1000.0, "metadata"),
        ),
        (
            {"applied": False, "baseline": "04.00", "scale": 1e-4, "offset": 0.0},
            (-1000.0, "baseline"),
        ),
        ({"applied": False, "baseline": "02.12"}, (0.0, "baseline")),
        ({"applied": False, "scale": 1e-4, "offset": 0.0}, (0.0, "metadata")),
        # Harmonised as a whole.
        (
            {"collection": "COPERNICUS/S2_SR_HARMONIZED", "baseline": "05.09"},
            (0.0, "harmonised source"),
        ),
        (
            {"collection": "HLSS30_2.0", "scale": 1e-4, "offset": 0.0},
            (0.0, "harmonised source"),
        ),
        # L1C carries RADIO_ADD_OFFSET under the same baselines.
        ({"level": "L1C", "baseline": "04.00"}, (-1000.0, "baseline")),
        ({"level": "L1C", "baseline": "02.07"}, (0.0, "baseline")),
    ],
)
def test_the_offset_follows_what_is_stated(
    said: dict[str, Any], expected: tuple[float, str]
) -> None:
    assert offset_of(sentinel2(**said)) == expected


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({}, "processing baseline is not stated, and no offset is stated"),
        ({"scale": 1e-4}, "processing baseline is not stated"),
        ({"applied": False}, "processing baseline is not stated"),
        ({"baseline": "99.99"}, "processing baseline is 99.99"),
        (
            {"baseline": "05.00", "scale": 1e-4, "offset": 0.0},
            "baseline is 05.00, but metadata state an offset of 0 digital numbers",
        ),
        (
            {"baseline": "02.14", "scale": 1e-4, "offset": -0.1},
            "baseline is 02.14, but metadata state an offset of -1000 digital numbers",
        ),
        (
            {
                "applied": False,
                "baseline": "02.14",
                "scale": 1e-4,
                "offset": -0.1,
            },
            "baseline is 02.14, but metadata state an offset of -1000",
        ),
        (
            {"collection": "S2_SR_HARMONIZED", "scale": 1e-4, "offset": -0.1},
            "collection S2_SR_HARMONIZED is harmonised, but metadata state an offset",
        ),
        ({"scale": 1e-4, "offset": -1000}, "offset of 0 or -0.1, got -1000"),
        ({"scale": 1e-4, "offset": -0.2}, "offset of 0 or -0.1, got -0.2"),
    ],
)
def test_what_cannot_be_told_is_refused_with_what_to_pass(
    said: dict[str, Any], problem: str
) -> None:
    with pytest.raises(HarmonisationError, match=problem) as caught:
        harmonise(sentinel2(**said))
    assert "scene S2: band red" in str(caught.value)
    assert "--boa-offset -1000" in str(caught.value)
    assert "--boa-offset 0" in str(caught.value)
    assert "\n" not in str(caught.value)


BASELINES = st.sampled_from([None, "02.14", "03.01", "04.00", "05.11", "99.99"])
SAID = st.fixed_dictionaries(
    {
        "baseline": BASELINES,
        "applied": st.sampled_from([None, True, False]),
        "scale": st.sampled_from([None, 1e-4]),
        "offset": st.sampled_from([None, 0.0, -0.1, -0.2]),
        "collection": st.sampled_from(["", "sentinel-2-l2a", "S2_SR_HARMONIZED"]),
        "level": st.sampled_from([None, "L1C", "L2A"]),
    }
)


@given(SAID)
def test_the_offset_is_never_subtracted_twice_nor_half(said: dict[str, Any]) -> None:
    try:
        change = harmonise(sentinel2(**said))
    except HarmonisationError:
        return
    assert change.boa_offset in (0.0, -1000.0)
    assert change.offset in (0.0, pytest.approx(-0.1))


@given(SAID, st.sampled_from([0.0, -1000.0]))
def test_the_user_wins_over_every_statement(
    said: dict[str, Any], boa_offset: float
) -> None:
    assert offset_of(sentinel2(**said), boa_offset=boa_offset) == (boa_offset, "user")


@given(SAID)
def test_what_was_removed_is_not_removed_again(said: dict[str, Any]) -> None:
    removed = {**said, "applied": True, "collection": "sentinel-2-l2a"}
    assert offset_of(sentinel2(**removed))[0] == 0.0


@given(st.sampled_from([0.0, -0.1]), st.sampled_from([None, 1e-4]), BASELINES)
def test_a_baseline_beside_a_stated_offset_agrees_or_is_refused(
    offset: float, scale: float | None, baseline: str | None
) -> None:
    alone = harmonise(sentinel2(offset=offset, scale=scale))
    try:
        both = harmonise(sentinel2(offset=offset, scale=scale, baseline=baseline))
    except HarmonisationError:
        assert has_offset(baseline) is not (offset < 0)
        return
    assert both == alone


def test_float_reflectance_of_sentinel2_is_not_taken_for_digital_numbers() -> None:
    said = sentinel2(baseline="05.00", data_type="float32")
    with pytest.raises(HarmonisationError, match="--scale 1 --boa-offset 0"):
        harmonise(said)
    change = harmonise(said, scale=1.0, boa_offset=0.0)
    assert (change.scale, change.offset) == (1.0, 0.0)


def test_an_index_of_sentinel2_has_no_offset_to_remove() -> None:
    said = Statement(
        scene_id="S2",
        band="ndvi",
        sensor="sentinel-2",
        baseline="05.00",
        scale=1e-4,
        offset=0.0,
        reflective=False,
    )
    change = harmonise(said)
    assert (change.offset, change.boa_offset) == (0.0, None)
    assert change.source == "no reflectance band"


def landsat(**said: Any) -> Statement:
    return Statement(scene_id="LC08_L2SP_199025_20230601_02_T1", band="red", **said)


def test_landsat_takes_what_is_stated() -> None:
    change = harmonise(landsat(sensor="landsat-oli", scale=2.75e-05, offset=-0.2))
    assert (change.scale, change.offset) == (2.75e-05, -0.2)
    assert (change.boa_offset, change.source) == (None, "not sentinel-2")


def test_landsat_collection_2_level_2_is_known_where_nothing_is_stated() -> None:
    red = harmonise(landsat(sensor="landsat-oli", collection="landsat-c2-l2"))
    assert (red.scale, red.offset) == (0.0000275, -0.2)
    heat = harmonise(landsat(sensor="landsat-oli", level="L2SP", reflective=False))
    assert (heat.scale, heat.offset) == (0.00341802, 149.0)


def test_landsat_level_1_is_refused_where_nothing_is_stated() -> None:
    said = Statement(
        scene_id="LC08_L1TP_199025_20230601_02_T1",
        band="red",
        sensor="landsat-oli",
        collection="landsat-c2-l1",
        level="L1TP",
    )
    with pytest.raises(HarmonisationError, match="pass --scale"):
        harmonise(said)


@pytest.mark.parametrize("data_type", ["uint16", "float32", None])
def test_unknown_sensors_need_a_scale(data_type: str | None) -> None:
    said = Statement(scene_id="a", band="red", data_type=data_type)
    with pytest.raises(
        HarmonisationError, match=r"scene a: band red: expected a scale.*--scale 1 "
    ):
        harmonise(said)
    assert harmonise(said, scale=1.0).offset == 0.0


def test_a_stated_offset_alone_has_scale_one_outside_sentinel2() -> None:
    change = harmonise(Statement(scene_id="a", band="red", offset=0.5))
    assert (change.scale, change.offset) == (1.0, 0.5)


def test_the_users_offset_counts_where_the_sensor_is_not_known() -> None:
    said = Statement(scene_id="a", band="red")
    change = harmonise(said, boa_offset=-1000.0, scale=1e-4)
    assert change.offset == pytest.approx(-0.1)
    assert change.source == "user"


def test_the_users_offset_leaves_other_sensors_alone() -> None:
    said = landsat(sensor="landsat-oli", scale=2.75e-05, offset=-0.2)
    assert harmonise(said, boa_offset=-1000.0) == harmonise(said)


def test_a_wrong_flag_shows_in_vegetation() -> None:
    vegetation = np.random.default_rng(0).normal(400, 80, 2000).astype(np.uint16)
    found = check_plausible(vegetation, -1000.0)
    assert found is not None
    assert "makes 100% of clear pixels clearly negative" in found
    assert found.endswith("pass --boa-offset 0")
    assert check_plausible(vegetation + np.uint16(1000), -1000.0) is None
    assert check_plausible(vegetation, 0.0) is None
    assert check_plausible(vegetation, None) is None
    assert check_plausible(vegetation[:0], -1000.0) is None


def test_dark_water_slightly_below_zero_is_plausible() -> None:
    water = np.random.default_rng(0).normal(980, 40, 2000).astype(np.int16)
    assert check_plausible(water, -1000.0) is None
