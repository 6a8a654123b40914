"""Where the pixels lie: a local file's header counts more than what its item states."""

from pathlib import Path
from typing import Any

import pystac
import pytest
import shapely

from terradrift.errors import SourceError
from terradrift.ingest.layout import Layout, check_place, layout_of
from tests.ingest.geotiffs import write
from tests.ingest.products import UTM31_NONE, item

HERE = Layout("EPSG:32631", (10.0, 0.0, 500_000.0, 0.0, -10.0, 5_600_000.0), (6, 8))


def local(path: Path) -> dict[str, Any]:
    return {"href": str(path)}


def test_a_local_file_is_believed_about_its_grid(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif")
    assert layout_of(local(path), item({})) == HERE
    assert layout_of(local(path), item({}, proj__epsg=None, **UTM31_NONE)) == HERE


def test_a_remote_file_is_believed_by_its_metadata() -> None:
    remote = {"href": "https://example.com/a.tif"}
    transform = (10.0, 0.0, 499_980.0, 0.0, -10.0, 5_700_000.0)
    expected = Layout("EPSG:32631", transform, (10980, 10980))
    assert layout_of(remote, item({})) == expected
    own = remote | {
        "proj:code": "EPSG:32632",
        "proj:shape": [6, 8],
        "proj:transform": [*HERE.transform, 0, 0, 1],
    }
    assert layout_of(own, item({})) == Layout("EPSG:32632", HERE.transform, (6, 8))


def test_a_crs_that_the_file_denies_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "a.tif")
    with pytest.raises(
        SourceError, match=r"item states EPSG:32632, but .* is in EPSG:32631; correct"
    ):
        layout_of(local(path), item({}, proj__epsg=32632))


def test_a_file_without_crs_is_refused_even_where_the_item_states_one(
    tmp_path: Path,
) -> None:
    path = write(tmp_path / "a.tif", crs=None)
    with pytest.raises(SourceError, match="expected a CRS with an EPSG code"):
        layout_of(local(path), item({}))


def placed(geometry: dict[str, Any] | None, bbox: list[float] | None) -> pystac.Item:
    found = item({})
    found.geometry, found.bbox = geometry, bbox
    return found


def test_a_raster_may_lie_a_little_beside_its_item() -> None:
    outline = shapely.box(3.0, 50.0, 3.1, 50.1)
    for near in ([3.0, 50.0, 3.1, 50.1], [4.0, 50.0, 4.1, 50.1]):
        check_place(outline, placed(None, near))
    check_place(outline, placed(None, None))
    check_place(outline, placed({"type": "Polygon", "coordinates": []}, None))
    check_place(outline, placed({"type": "Polygon"}, None))


def test_a_raster_elsewhere_is_refused() -> None:
    with pytest.raises(SourceError, match=r"lies at 3\.05,50\.05 .* at 15\.05,50\.05"):
        check_place(
            shapely.box(3.0, 50.0, 3.1, 50.1), placed(None, [15.0, 50.0, 15.1, 50.1])
        )
