from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import rasterio

from terradrift import schema
from terradrift.errors import ArchiveError
from terradrift.grid import Grid
from terradrift.store.out import heat
from terradrift.store.out.cog import strongest
from terradrift.store.out.leaving import Leaving
from terradrift.store.tables import Settings, Store
from tests.store import made

SIDE = 20
KINDS = [(1, "fire"), (7, "flood"), (300, "far")]


def judged(store: Store, patches: pa.Table, scores: list[float | None]) -> None:
    rows = patches.select(["patch_id", "tile"]).to_pylist()
    found = [
        dict.fromkeys(schema.patch_changes().names)
        | row
        | {"score": score, "onset": None if score is None else made.instant(3).item()}
        for row, score in zip(rows, scores, strict=True)
    ]
    table = pa.Table.from_pylist(found, schema.patch_changes())
    store.append("patch_changes_toy_1", table)


@pytest.fixture
def wide(tmp_path: Path) -> Leaving:
    """Twenty tiles side by side of 16 patches each; the fifth patch has no score."""
    store = Store.create(tmp_path / "a.td", Settings(Grid(40, 10)))
    patches = made.patches(range(SIDE))
    store.append("patches", patches)
    scores: list[float | None] = [float(at) for at in range(len(patches))]
    scores[4] = None
    judged(store, patches, scores)
    kinds = [1 if at % 2 else 7 for at in range(len(patches))]
    changes = made.changes(range(SIDE))
    at = changes.schema.get_field_index("kind")
    changes = changes.set_column(at, "kind", pa.array(kinds, pa.int32()))
    store.append("changes_toy_1", changes)
    return Leaving(store, "patches", made.MODEL)


def test_every_patch_is_its_pixel_with_overviews_of_the_strongest(
    wide: Leaving, tmp_path: Path
) -> None:
    assert heat.export(wide, tmp_path / "maps", kinds=KINDS[:2]) == SIDE * 16
    with rasterio.open(tmp_path / "maps" / "heat_32631.tif") as file:
        assert (file.height, file.width) == (32, SIDE * 32)
        assert file.tags(ns="IMAGE_STRUCTURE")["LAYOUT"] == "COG"
        assert file.overviews(1) == [2, 4]
        values = file.read()
        assert file.bounds.bottom == file.bounds.left == 0
    score, onset, kind, known, regime = values
    assert score[31, :6].tolist() == pytest.approx([0, 1, 2, 3, np.nan, 5], nan_ok=True)
    assert known[31, :6].tolist() == [1, 1, 1, 1, 0, 1]
    assert kind[31, :3].tolist() == [7, 1, 7]
    assert onset[31, 0] == 17_535
    assert np.isnan(regime).all()
    assert np.isfinite(score).sum() == SIDE * 16 - 1
    with rasterio.open(
        tmp_path / "maps" / "heat_32631.tif", overview_level=0
    ) as coarse:
        found = coarse.read()
    assert np.array_equal(found, strongest(values), equal_nan=True)
    assert found[0, -1, :3].tolist() == [1, 3, 5]


def test_kinds_have_a_colour_table(wide: Leaving, tmp_path: Path) -> None:
    heat.export(wide, tmp_path / "maps", kinds=KINDS[:2])
    with rasterio.open(tmp_path / "maps" / "kind_32631.tif") as file:
        assert file.dtypes == ("uint8",)
        assert (file.nodata, file.overviews(1)) == (255, [2, 4])
        assert file.tags(1)["CLASS_7"] == "flood"
        table = file.colormap(1)
        assert len({table[1][:3], table[7][:3], (0, 0, 0)}) == 3
        assert set(np.unique(file.read(1)).tolist()) == {1, 7, 255}


def test_many_kinds_take_two_bytes(wide: Leaving, tmp_path: Path) -> None:
    heat.export(wide, tmp_path / "maps", kinds=KINDS)
    with rasterio.open(tmp_path / "maps" / "kind_32631.tif") as file:
        assert file.dtypes == ("uint16",)
        assert file.nodata == 65535


def test_one_map_goes_to_a_file_and_two_do_not(wide: Leaving, tmp_path: Path) -> None:
    heat.export(wide, tmp_path / "a.tif")
    with rasterio.open(tmp_path / "a.tif") as file:
        assert file.count == 5
    patches = wide.store.dataset("patches").to_table().slice(0, 1)
    other = patches.set_column(0, "patch_id", pa.array(["32632_40m_0_0"]))
    other = other.set_column(1, "tile", pa.array(["32632_40m_0_0"]))
    wide.store.append("patches", other)
    judged(wide.store, other, [1.0])
    again = Leaving(wide.store, "patches", made.MODEL)
    with pytest.raises(ArchiveError, match="lies in 2 CRSs"):
        heat.export(again, tmp_path / "b.tif")
    heat.export(again, tmp_path / "maps")
    assert len(list((tmp_path / "maps").glob("heat_*.tif"))) == 2
    assert sorted(one.name for one in tmp_path.iterdir()) == ["a.td", "a.tif", "maps"]


def test_without_detect_there_is_no_map(store: Store, tmp_path: Path) -> None:
    with pytest.raises(ArchiveError, match="run terradrift detect first"):
        heat.export(Leaving(store, "patches", made.MODEL), tmp_path / "maps")


def test_the_strongest_of_four_stands_for_them() -> None:
    score = np.array([[1, 4, np.nan], [2, 3, np.nan], [np.nan, 0, 5]], np.float32)
    other = np.array([[1, 2, 9], [3, 4, np.nan], [5, 6, 7]], np.float32)
    found = strongest(np.stack([score, other]))
    assert np.array_equal(found[0], [[4, np.nan], [0, 5]], equal_nan=True)
    assert found[1].tolist() == [[2, 9], [6, 7]]
