import json
from pathlib import Path

import numpy as np
import pytest
import xarray

from terradrift.errors import ArchiveError
from terradrift.grid import parse_id
from terradrift.store.out import geoemb, zarr_store
from terradrift.store.out.leaving import Leaving
from terradrift.store.out.zone import zones
from terradrift.store.parquet import Covered
from terradrift.store.spatial import Chosen
from terradrift.store.tables import Store
from tests.store import made


def opened(store: Store, path: Path, dtype: str = "float16") -> xarray.Dataset:
    leaving = Leaving(store, "embeddings", made.MODEL)
    assert zarr_store.export(leaving, path, dtype=dtype) == 192
    return xarray.open_zarr(path, group="utm31", consolidated=False).load()


def test_xarray_finds_every_vector_at_its_place(store: Store, tmp_path: Path) -> None:
    found = opened(store, tmp_path / "e.zarr")
    assert found.embeddings.dims == ("time", "y", "x", "band")
    assert np.isfinite(found.embeddings.isel(band=0)).sum() == 192
    for row in store.scan(made.TABLE).read_all().to_pylist():
        _, north, east = parse_id(row["patch_id"])
        day = row["datetime"].replace(tzinfo=None)
        one = found.sel(x=(east + 0.5) * 40, y=(north + 0.5) * 40, time=f"{day:%F}")
        assert one.embeddings.values.tolist() == row["embedding"]
        assert one.acquired.values == np.datetime64(day)
        assert one.clear_percent.values == row["clear_percent"]


def test_what_is_not_there_is_nan_and_not_stored(store: Store, tmp_path: Path) -> None:
    found = opened(store, tmp_path / "e.zarr")
    assert found.sizes == {"time": 4, "y": 32, "x": 96, "band": 8}
    assert np.isnan(found.clear_percent.values).sum() == 4 * 32 * 96 - 192
    assert np.isnat(found.acquired.values).sum() == 4 * 32 * 96 - 192


def test_int8_with_scales_is_off_by_half_a_step(store: Store, tmp_path: Path) -> None:
    exact = opened(store, tmp_path / "e.zarr").embeddings.astype("float32")
    found = opened(store, tmp_path / "e8.zarr", "int8")
    assert found.embeddings.dtype == np.int8
    off = np.abs(found.embeddings * found.scales - exact)
    assert float((off - found.scales * 0.500001).max()) <= 0
    about = json.loads((tmp_path / "e8.zarr" / "zarr.json").read_text())["attributes"]
    scale = about["geoemb:quantization"]["scale"]
    assert scale == {"type": "array", "array_name": "scales", "nodata": "NaN"}


def test_attributes_follow_the_conventions(store: Store, tmp_path: Path) -> None:
    opened(store, tmp_path / "e.zarr")
    root, zone = (
        json.loads((tmp_path / "e.zarr" / name / "zarr.json").read_text())["attributes"]
        for name in (".", "utm31")
    )
    assert root["zarr_conventions"][0]["uuid"] == "61c12cc5-0e28-4056-999a-480cf3fb7e4c"
    assert root["geoemb:dimensions"] == 8
    assert root["geoemb:spatial_layout"] == "utm_zones"
    assert root["geoemb:chip_layout"]["chip_size"] == [4, 4]
    assert zone["proj:code"] == "EPSG:32631"
    assert zone["spatial:transform"] == [40.0, 0.0, 0.0, 0.0, -40.0, 1280.0]
    assert zone["spatial:shape"] == [32, 96]


def test_a_zone_of_two_halves_is_no_layout_of_zones(store: Store) -> None:
    contents = Leaving(store, "embeddings", made.MODEL).contents(Covered())
    grid = store.settings.grid
    one = geoemb.root(contents, grid, ["utm31", "utm32"])
    assert one.pop("geoemb:spatial_layout") == "utm_zones"
    assert geoemb.root(contents, grid, ["utm31", "utm31s"]) == one


def test_no_rows_are_refused(store: Store, tmp_path: Path) -> None:
    nothing = Leaving(store, "embeddings", made.MODEL, chosen=Chosen("ndvi > 2"))
    with pytest.raises(ArchiveError, match="widen the filters"):
        zarr_store.export(nothing, tmp_path / "e.zarr")
    assert not (tmp_path / "e.zarr").exists()


def test_vectors_of_zeros_have_a_scale_of_zero() -> None:
    codes, scales = zarr_store.quantized(np.array([[0, 0], [-2, 1]], np.float16))
    assert codes.tolist() == [[0, 0], [-127, 64]]
    assert scales.tolist() == pytest.approx([0, 2 / 127])


@pytest.mark.parametrize(
    ("epsg", "others", "name"),
    [
        (32631, {32631}, "utm31"),
        (32701, {32701}, "utm01"),
        (32731, {32631, 32731}, "utm31s"),
        (3035, {3035}, "epsg3035"),
    ],
)
def test_groups_are_named_by_zone(epsg: int, others: set[int], name: str) -> None:
    assert geoemb.group_name(epsg, others) == name


def test_zones_reach_around_their_tiles(store: Store) -> None:
    grid = store.settings.grid
    found = zones({"32631_40m_5_9", "32631_40m_7_8", "32632_40m_0_-1"}, grid)
    assert found[32631].shape == (64, 96)
    assert found[32631].corner("32631_40m_7_8") == (32, 64)
    y, x = found[32632].centres
    assert (y[0], y[-1], x[0]) == (-20.0, -1260.0, 20.0)
