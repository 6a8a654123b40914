from dataclasses import replace

import numpy as np
import pyproj
import pytest
import shapely

from terradrift.errors import SourceError
from terradrift.evaluate.cover import cover
from terradrift.evaluate.labels import Labels
from tests.evaluate.ground import COL, EPSG, ROW, SIZE, patches

GROUND = patches(3, 4)


def box(west: float, south: float, east: float, north: float) -> shapely.Polygon:
    """A box in patches from the south-west corner of the ground, in metres."""
    return shapely.box(
        (COL + west) * SIZE,
        (ROW + south) * SIZE,
        (COL + east) * SIZE,
        (ROW + north) * SIZE,
    )


def labels(*shapes: object, crs: object = EPSG, day: str = "2020-05-01") -> Labels:
    m = len(shapes)
    days = np.full(m, day, "datetime64[D]")
    return Labels(
        shapes=np.array([*shapes, None], object)[:-1],
        crs=pyproj.CRS.from_user_input(crs).to_wkt(),
        patch_id=np.full(m, ""),
        changed=np.ones(m, bool),
        kind=np.full(m, "burn"),
        onset=days,
        latest=days,
        name=np.arange(1, m + 1).astype(np.str_),
    )


def in_degrees(shape: shapely.Polygon) -> shapely.Polygon:
    to = pyproj.Transformer.from_crs(EPSG, 4326, always_xy=True)
    return shapely.transform(shape, lambda xy: np.column_stack(to.transform(*xy.T)))


def test_shares_are_exact_areas() -> None:
    found = cover(GROUND, labels(box(0.25, 0, 2, 1.5)))
    expected = np.zeros((3, 4))
    expected[0, :2] = [0.75, 1]
    expected[1, :2] = [0.375, 0.5]
    np.testing.assert_allclose(found.changed.reshape(3, 4), expected, atol=1e-12)
    assert not found.unknown.any()
    assert found.objects.patch.tolist() == [0, 1, 4, 5]


def test_labels_that_overlap_count_once() -> None:
    found = cover(GROUND, labels(box(0, 0, 0.5, 1), box(0.25, 0, 0.75, 1)))
    assert found.changed[0] == pytest.approx(0.75)
    assert found.objects.share.tolist() == pytest.approx([0.5, 0.5])


def test_labels_in_degrees_meet_the_same_patches() -> None:
    metric = cover(GROUND, labels(box(0.2, 0.3, 2.6, 1.5)))
    degrees = cover(GROUND, labels(in_degrees(box(0.2, 0.3, 2.6, 1.5)), crs=4326))
    np.testing.assert_allclose(degrees.changed, metric.changed, atol=1e-6)


def test_a_point_stands_for_its_patch() -> None:
    point = shapely.Point((COL + 1.5) * SIZE, (ROW + 0.5) * SIZE)
    found = cover(GROUND, labels(point))
    assert np.flatnonzero(found.changed).tolist() == [1]
    assert found.changed[1] == 1


def test_outside_the_extent_nothing_is_known() -> None:
    found = cover(
        GROUND, labels(box(0, 0, 1, 1)), extent=labels(box(0, 0, 2, 3), crs=EPSG)
    )
    known = found.unknown.reshape(3, 4) == 0
    assert known[:, :2].all()
    assert not known[:, 2:].any()
    assert "only in the extent" in found.notes[-1]


def test_with_controls_other_ground_is_unknown() -> None:
    found = cover(
        GROUND, labels(box(0, 0, 1, 1)), controls=labels(box(3, 0, 4, 3), crs=EPSG)
    )
    unknown = found.unknown.reshape(3, 4)
    assert unknown[:, 3].max() == 0
    assert unknown[0].tolist() == [0, 1, 1, 0]


def test_rows_that_did_not_change_bound_what_is_known() -> None:
    two = labels(box(0, 0, 1, 1), box(1, 0, 2, 1))
    found = cover(GROUND, replace(two, changed=np.array([True, False])))
    assert found.changed[:2].tolist() == [1, 0]
    assert found.unknown[:3].tolist() == [0, 0, 1]
    assert len(found.objects) == 1


def test_a_change_outside_the_period_is_unknown_ground() -> None:
    period = (np.datetime64("2020-06-01"), np.datetime64("2021-01-01"))
    found = cover(GROUND, labels(box(0, 0, 1, 1)), period=period)
    assert found.changed[0] == 0
    assert found.unknown[0] == 1
    assert len(found.objects) == 0
    assert any("outside the archive's period" in note for note in found.notes)


def test_labels_away_from_the_archive_are_counted() -> None:
    far = labels(box(0, 0, 1, 1), box(50, 50, 51, 51), in_degrees(box(0, 0, 1, 1)))
    found = cover(GROUND, far)
    assert found.notes[0] == "2 of 3 labels lie outside the archive's patches"
    assert found.objects.name.tolist() == ["1"]


def test_ground_in_two_zones_is_labelled_in_both() -> None:
    two = patches(3, 4)
    other = np.array([[32632, *two.cells[0, 1:]]])
    both = replace(
        two,
        ids=np.append(two.ids, "32632_40m_12500_140000"),
        cells=np.concatenate([two.cells, other]),
    )
    found = cover(both, labels(in_degrees(box(0, 0, 1, 1)), crs=4326))
    assert np.flatnonzero(found.changed > 0.9).tolist() == [0]


def test_patches_are_named_or_refused() -> None:
    named = labels(None, None)
    named = replace(named, patch_id=np.array([GROUND.ids[5], "32631_40m_1_1"]))
    found = cover(GROUND, named)
    assert np.flatnonzero(found.changed).tolist() == [5]
    with pytest.raises(SourceError, match="none of the 2 patch_id"):
        cover(GROUND, replace(named, patch_id=np.array(["a", "b"])))


def test_shapes_as_wide_as_the_world_are_cut_to_the_archive() -> None:
    world = labels(shapely.box(-180, -90, 180, 90), crs=4326)
    assert (cover(GROUND, world).changed == 1).all()
    west = in_degrees(box(1, 0, 2, 3)).bounds[0]
    half = labels(shapely.box(-180, -80, west, 80), crs=4326)
    found = cover(GROUND, half).changed.reshape(3, 4)
    np.testing.assert_allclose(found, [[1, 0, 0, 0]] * 3, atol=0.1)


def test_labels_in_a_crs_of_the_other_side_of_the_world_meet_nothing() -> None:
    for crs in (32760, 3031):
        found = cover(GROUND, labels(box(0, 0, 1, 1), crs=crs))
        assert not found.changed.any()
        assert found.notes[0].startswith("1 of 1 labels lie outside")


def test_ground_across_the_antimeridian_is_labelled_on_both_sides() -> None:
    cells = np.array([[32660, 140_000, 18_500], [32601, 140_000, 5_000]])
    ids = np.array(["32660_40m_18500_140000", "32601_40m_5000_140000"])
    ground = replace(GROUND, ids=ids, cells=cells)
    band = labels(
        shapely.MultiPolygon(
            [shapely.box(170, 40, 180, 60), shapely.box(-180, 40, -170, 60)]
        ),
        crs=4326,
    )
    assert (cover(ground, band).changed == 1).all()


def test_shapes_of_any_make_are_taken() -> None:
    flat = box(0, 0, 1, 1)
    high = shapely.force_3d(flat, 12.0)
    mixed = shapely.GeometryCollection([flat, shapely.Point(flat.centroid)])
    several = shapely.MultiPolygon([box(0, 0, 0.5, 1), box(0.5, 0, 1, 1)])
    for shape in (high, mixed, several):
        assert cover(GROUND, labels(shape)).changed[0] == pytest.approx(1)
