"""Defects of published files are put right, left out and counted, or refused."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pyproj
import pytest
import shapely

import terradrift as td
from terradrift.archive.importing import Request, bring
from terradrift.errors import SchemaError
from tests.store import stored
from tests.store.published import made


def rows(place: Path) -> list[tuple]:
    return [
        (
            row["patch_id"],
            row["longitude"],
            row["latitude"],
            row["datetime"],
            row["embedding"][:4].tolist(),
        )
        for row in stored.records(place)
    ]


def overlapping(folder: Path, years: tuple[int, ...] = (2022, 2023)) -> list[Path]:
    """Two MGRS tiles of squares: some shared, some half a square beside each other."""
    first = made.shapes(8, 8)
    shared = made.shapes(8, 4, first=(made.WEST + 4 * 320, made.SOUTH))
    beside = made.shapes(8, 4, first=(made.WEST + 8 * 320 + 100, made.SOUTH + 60))
    more = made.shapes(8, 4, first=(made.WEST + 9 * 320 + 7, made.SOUTH))
    other = np.concatenate([shared, beside, more])
    files = []
    for year in years:
        files.append(made.earth_index_2025(folder, "33UXP", year, made=first))
        files.append(
            made.earth_index_2025(
                folder,
                "33UYP",
                year,
                made=other,
                values=made.vectors(len(other), 384, year + 100),
            )
        )
    return files


def test_patches_twice_on_overlaps_stay_once_whatever_the_order(tmp_path: Path) -> None:
    files = overlapping(tmp_path / "in")
    told = bring(tmp_path / "a.td", files, Request(patch_size=320))
    assert "64 left out, the same place and day once more" in told  # 32 of each year
    assert "left out, a nearer one has their patch" in told
    bring(tmp_path / "b.td", files[::-1], Request(patch_size=320))
    assert rows(tmp_path / "a.td") == rows(tmp_path / "b.td")
    found = stored.records(tmp_path / "a.td")
    patches = {row["patch_id"] for row in found}
    keys = {(row["patch_id"], row["datetime"]) for row in found}
    assert len(found) == len(keys) == 2 * len(patches)
    # Of squares at one spot that of the first tile by name stays, on both dates.
    tiles = {(row["patch_id"], row["scene_id"][:5]) for row in found}
    assert len(tiles) == len(patches)
    assert td.open(tmp_path / "a.td").validate() == []


def test_files_one_by_one_end_as_all_at_once_where_squares_are_the_same(
    tmp_path: Path,
) -> None:
    shared = made.shapes(4, 4)
    files = [
        made.earth_index_2025(
            tmp_path / "in", tile, 2023, made=shared, values=made.vectors(16, 384, seed)
        )
        for seed, tile in enumerate(("33UXP", "33UYP", "33UZP"))
    ]
    bring(tmp_path / "a.td", files, Request())
    for file in files[::-1]:
        bring(tmp_path / "b.td", [file], Request())
    assert rows(tmp_path / "a.td") == rows(tmp_path / "b.td")


def test_vectors_that_are_none_are_left_out_and_counted(tmp_path: Path) -> None:
    values = made.vectors(64, 768)
    lists = [one.tolist() for one in values]
    lists[3] = None
    lists[5][7] = float("nan")
    lists[6] = [0.0] * 768
    lists[8][0] = 1e30
    columns = {
        "date": pa.array(np.full(64, "2021-05-16", "datetime64[D]")),
        "embeddings": pa.array(lists, pa.list_(pa.float64())),
        "geometry": made.wkb(made.shapes(8, 8, 5120.0)),
    }
    file = made.write(tmp_path / "33UXP.gpq", columns, {"geo": made.geo()})
    told = bring(tmp_path / "a.td", [file], Request())
    assert "60 embeddings of clay-v0" in told
    assert "4 left out, they had no vector, or one with NaN or of zeros" in told
    lists[2] = [1.0] * 384
    columns["embeddings"] = pa.array(lists, pa.list_(pa.float64()))
    file = made.write(tmp_path / "33UYP.gpq", columns, {"geo": made.geo()})
    with pytest.raises(
        SchemaError, match="expected vectors of 768 numbers, got one of 384"
    ):
        bring(tmp_path / "b.td", [file], Request())
    assert not (tmp_path / "b.td").exists()


@pytest.mark.parametrize("crs", ["none", None])
def test_a_file_without_a_crs_is_taken_for_degrees_where_it_can_be(
    tmp_path: Path, crs: object
) -> None:
    file = made.earth_index_2025(tmp_path, "33UXP", 2023, crs=crs)
    told = bring(tmp_path / "a.td", [file], Request())
    assert "1 files state no CRS, degrees were assumed" in told
    metres = shapely.points(made.WEST + 320 * np.arange(16), made.SOUTH)
    file = made.earth_index_2025(tmp_path, "33UYP", 2023, made=metres, crs=crs)
    with pytest.raises(
        SchemaError, match="does not state its CRS, and has coordinates"
    ):
        bring(tmp_path / "b.td", [file], Request())


def test_a_stated_crs_in_metres_is_turned_into_degrees(tmp_path: Path) -> None:
    to = pyproj.Transformer.from_crs(4326, made.EPSG, always_xy=True)
    degrees = made.shapes(6, 6)
    metres = shapely.transform(degrees, to.transform, interleaved=False)
    utm = pyproj.CRS.from_epsg(made.EPSG).to_json_dict()
    told = [
        bring(
            tmp_path / f"{name}.td",
            [made.earth_index_2025(tmp_path / name, "33UXP", 2023, made=one, crs=crs)],
            Request(),
        )
        for name, one, crs in (("a", degrees, made.CRS84), ("b", metres, utm))
    ]
    assert told[0] == told[1]
    assert "state no CRS" not in told[0]
    near = zip(rows(tmp_path / "a.td"), rows(tmp_path / "b.td"), strict=True)
    for one, other in near:
        assert one[0] == other[0]
        assert one[1:3] == pytest.approx(other[1:3], abs=1e-7)


def test_rows_without_a_place_are_counted(tmp_path: Path) -> None:
    shapes = made.shapes(4, 4)
    wkb = made.wkb(shapes).to_pylist()
    wkb[0], wkb[1] = None, shapely.to_wkb(shapely.Polygon())
    columns = {
        "id": pa.array([str(n) for n in range(16)]),
        "embedding": made.fixed(made.vectors(16, 384)),
        "geometry": pa.array(wkb, pa.binary()),
    }
    file = made.write(tmp_path / "33UXP_2023.parquet", columns, {"geo": made.geo()})
    told = bring(tmp_path / "a.td", [file], Request())
    assert "14 embeddings" in told
    assert "2 left out, they had no geometry" in told


def test_squares_across_the_antimeridian_and_beyond_utm(tmp_path: Path) -> None:
    def square(lon: float, lat: float) -> shapely.Polygon:
        high, wide = 160 / 111_195, 160 / 111_195 / np.cos(np.radians(lat))
        sides = [(lon - wide, lat - high), (lon + wide, lat - high)]
        sides += [(lon + wide, lat + high), (lon - wide, lat + high)]
        return shapely.Polygon([((x + 180) % 360 - 180, y) for x, y in sides])

    shapes = np.array([square(180.0, -17), square(179.9, -17), square(12, 86)])
    file = made.earth_index_2025(tmp_path, "01KAB", 2023, made=shapes)
    told = bring(tmp_path / "a.td", [file], Request())
    assert "2 embeddings" in told
    assert "1 left out, they lay where the grid has no patch" in told
    places = sorted(abs(row[1]) for row in rows(tmp_path / "a.td"))
    assert places == pytest.approx([179.9, 180.0], abs=1e-6)
