from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import terradrift as td
from terradrift.archive import judged
from terradrift.evaluate.cover import Cover, Patches, cover
from terradrift.evaluate.fields import Reading
from terradrift.evaluate.labels import read_vector
from terradrift.evaluate.rasters import read_raster
from terradrift.evaluate.truth import Truth, truth

Shared = Callable[[str], Path]


def patches(folder: Path, place: Path, size: int) -> Patches:
    archive = td.create(place, td.Grid(size))
    archive.ingest(folder / "catalog.json")
    return judged.patches(archive.store)[0]


def judge(found: Cover) -> Truth:
    return truth(found.objects, found.changed, found.unknown)


@pytest.mark.shared
def test_outline_and_raster_of_the_same_changes_agree(
    shared: Shared, tmp_path: Path
) -> None:
    folder = shared("data/s2-flanders-2018-transplant")
    ground = patches(folder, tmp_path / "a.td", 40)
    drawn = judge(
        cover(ground, read_vector(folder / "truth/changes.geojson", Reading()))
    )
    counted = judge(read_raster(folder / "truth/change_id.tif", Reading(), ground))
    assert counted.changed.sum() == 13
    assert counted.controls.sum() == 243
    np.testing.assert_array_equal(drawn.changed, counted.changed)
    np.testing.assert_allclose(drawn.share, counted.share, atol=1e-3)


@pytest.mark.shared
def test_labels_in_degrees_over_two_zones_agree_with_outlines(
    shared: Shared, tmp_path: Path
) -> None:
    folder = shared("data/s2-wildfires-california")
    ground = patches(folder, tmp_path / "a.td", 100)
    assert len(np.unique(ground.cells[:, 0])) == 2
    drawn = cover(ground, read_vector(folder / "truth/perimeters.geojson", Reading()))
    assert len(drawn.objects) == 7
    for fire, row in (("dove-2024", 0), ("clear-2024", 1)):
        own = drawn.objects.object == row
        outline = np.zeros(len(ground))
        outline[drawn.objects.patch[own]] = drawn.objects.share[own]
        raster = read_raster(folder / f"truth/{fire}_burned.tif", Reading(), ground)
        inside = raster.unknown == 0
        np.testing.assert_allclose(raster.changed[inside], outline[inside], atol=0.06)
        assert judge(raster).changed.sum() > 100
