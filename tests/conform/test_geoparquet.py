"""Good GeoParquet has no finding; each breakage has the finding that names it."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
import shapely
from pyarrow import parquet

from terradrift.conform import checking
from terradrift.conform.finding import Finding
from tests.conform import made


def codes(found: list[Finding], level: str = "error") -> set[str]:
    return {one.code for one in found if one.level == level}


def footer(**changes: Any) -> dict[str, Any]:
    """The footer with fields of its column changed; None takes one away."""
    held = made.geo()
    for key, value in changes.items():
        top = held if key in held else held["columns"]["geometry"]
        if value is None:
            top.pop(key, None)
        else:
            top[key] = value
    return held


def write(**options: Any) -> Callable[[Path], Path]:
    return lambda path: made.parquet_file(path, **options)


def shaped(*shapes: Any, **changes: Any) -> Callable[[Path], Path]:
    return lambda path: made.parquet_file(
        path, made.table(list(shapes)), footer(**changes)
    )


def column(name: str, values: pa.Array) -> pa.Table:
    rows = made.table()
    return rows.set_column(rows.column_names.index(name), name, values)


def raw(*values: bytes | None) -> pa.Table:
    held = made.table()["geometry"].to_pylist()
    held[: len(values)] = values
    return column("geometry", pa.array(held, pa.binary()))


def boxes(change: Callable[[dict[str, float], int], Any]) -> pa.Table:
    held = made.table()["bbox"].to_pylist()
    kind = made.table().schema.field("bbox").type
    return column(
        "bbox", pa.array([change(one, i) for i, one in enumerate(held)], kind)
    )


def truncated(path: Path) -> Path:
    whole = made.parquet_file(path).read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    return path


def overwritten(start: int, length: int) -> Callable[[Path], Path]:
    """Bytes of pages replaced by noise."""

    def change(path: Path) -> Path:
        whole = bytearray(made.parquet_file(path).read_bytes())
        group = parquet.read_metadata(path).row_group(0)
        at = group.column(group.num_columns - 1).data_page_offset + start
        whole[at : at + length] = bytes([255]) * length
        path.write_bytes(whole)
        return path

    return change


def covering(**paths: list[str]) -> dict[str, Any]:
    held = made.geo()
    held["columns"]["geometry"]["covering"]["bbox"].update(paths)
    return held


def required(path: Path) -> Path:
    rows = made.table()
    fields = [f.with_nullable(f.name != "bbox") for f in rows.schema]
    return made.parquet_file(path, rows.cast(pa.schema(fields)))


WEST = shapely.box(3, 51, 3.05, 51.05)
HOLE = shapely.Polygon(
    [(3, 51), (3.5, 51), (3.5, 51.05), (3, 51.05)],
    [[(3.1, 51.01), (3.2, 51.01), (3.2, 51.02), (3.1, 51.02)]],
)
EWKB = shapely.to_wkb(shapely.set_srid(WEST, 4326), include_srid=True)
MEASURED = b"\x01\xd1\x07\x00\x00" + np.array([3, 51, 1], "<f8").tobytes()

BROKEN = {
    "no footer": (write(footer=False), "geoparquet.geo"),
    "footer no JSON": (write(footer=b"{"), "json"),
    "footer with NaN": (write(footer=b'{"version": NaN}'), "json"),
    "footer with a key twice": (
        write(footer=json.dumps(made.geo()).replace("{", '{"version":"1.1.0",', 1).encode()),
        "json.twice",
    ),
    "footer nests without end": (write(footer=b"[" * 5000 + b"]" * 5000), "json.depth"),
    "footer a list": (write(footer=[]), "geoparquet.object"),
    "no version": (write(footer=footer(version=None)), "geoparquet.version"),
    "version of another age": (write(footer=footer(version="0.4.0")), "geoparquet.version"),
    "no primary column": (
        write(footer=footer(primary_column=None)), "geoparquet.primary_column"),
    "primary column of no entry": (
        write(footer=footer(primary_column="shape")), "geoparquet.primary_column"),
    "no columns": (write(footer=footer(columns=None)), "geoparquet.columns"),
    "columns empty": (write(footer=footer(columns={})), "geoparquet.columns"),
    "no encoding": (write(footer=footer(encoding=None)), "geoparquet.encoding"),
    "encoding WKT": (write(footer=footer(encoding="WKT")), "geoparquet.encoding"),
    "encoding of another column type": (
        write(footer=footer(encoding="polygon")), "geoparquet.type"),
    "no geometry types": (
        write(footer=footer(geometry_types=None)), "geoparquet.geometry_types"),
    "geometry types twice": (
        write(footer=footer(geometry_types=["Polygon", "Polygon"])),
        "geoparquet.geometry_types"),
    "geometry type unknown": (
        write(footer=footer(geometry_types=["Square"])), "geoparquet.geometry_types"),
    "geometry types of others": (
        write(footer=footer(geometry_types=["Point"])), "geoparquet.geometry_types"),
    "3D not said": (
        shaped(shapely.force_3d(WEST, 1.0), bbox=None), "geoparquet.geometry_types"),
    "column named that is not there": (
        write(rows=made.table().rename_columns(
            ["stac_item_id", "datetime", "embedding", "bbox", "shape"])),
        "geoparquet.column"),
    "geometry as text": (
        write(rows=column("geometry", pa.array(["POINT (3 51)"] * made.ROWS))),
        "geoparquet.type"),
    "geometry repeated": (
        write(rows=column("geometry", pa.array([[b""]] * made.ROWS))), "geoparquet.type"),
    "CRS as text": (write(footer=footer(crs="EPSG:4326")), "geoparquet.crs"),
    "CRS no PROJJSON": (write(footer=footer(crs={"type": "x"})), "geoparquet.crs"),
    "edges unknown": (write(footer=footer(edges="curved")), "geoparquet.edges"),
    "orientation clockwise": (
        write(footer=footer(orientation="clockwise")), "geoparquet.orientation"),
    "rings not as said": (shaped(WEST.reverse()), "geoparquet.orientation"),
    "holes not as said": (shaped(HOLE), "geoparquet.orientation"),
    "epoch as text": (write(footer=footer(epoch="2020")), "geoparquet.epoch"),
    "box of three": (write(footer=footer(bbox=[3, 51, 4])), "geoparquet.bbox"),
    "box of text": (write(footer=footer(bbox=["3", 51, 4, 52])), "geoparquet.bbox"),
    "box that does not cover": (
        write(footer=footer(bbox=[3, 51, 3.2, 51.05])), "geoparquet.bbox"),
    "not WKB": (write(rows=raw(b"not wkb")), "geoparquet.wkb"),
    "WKB cut": (write(rows=raw(shapely.to_wkb(WEST)[:-7])), "geoparquet.wkb"),
    "WKB with M": (write(rows=raw(MEASURED)), "geoparquet.wkb"),
    "EWKB": (write(rows=raw(EWKB)), "geoparquet.ewkb"),
    "metres without a CRS": (
        shaped(shapely.box(500_000, 5e6, 500_100, 5.0001e6), crs=None, bbox=None),
        "geoparquet.range"),
    "latitude first": (
        shaped(shapely.box(51, 103, 51.1, 103.1), bbox=None), "geoparquet.range"),
    "covering of no column": (
        write(rows=made.table().drop_columns("bbox")), "geoparquet.covering"),
    "covering with a wrong side": (
        write(footer=covering(xmin=["bbox", "west"])), "geoparquet.xmin"),
    "covering of two columns": (
        write(footer=covering(xmin=["box", "xmin"])), "geoparquet.covering"),
    "covering without a side": (
        write(footer=footer(covering={"bbox": {"xmin": ["bbox", "xmin"]}})),
        "geoparquet.ymin"),
    "covering with zmin alone": (
        write(footer=covering(zmin=["bbox", "zmin"])), "geoparquet.covering"),
    "covering required, geometry not": (required, "geoparquet.covering"),
    "covering of integers": (
        write(rows=column("bbox", pa.array(
            [{"xmin": 3, "ymin": 51, "xmax": 4, "ymax": 52}] * made.ROWS,
            pa.struct([(s, pa.int32()) for s in ("xmin", "ymin", "xmax", "ymax")])))),
        "geoparquet.covering"),
    "boxes that do not cover": (
        write(rows=boxes(lambda box, i: {**box, "xmax": box["xmin"]} if i == 2 else box)),
        "geoparquet.covering.box"),
    "a geometry without its box": (
        write(rows=boxes(lambda box, i: None if i == 2 else box)),
        "geoparquet.covering.null"),
    "a box without geometry": (write(rows=raw(None)), "geoparquet.covering.null"),
    "truncated": (truncated, "parquet"),
    "a damaged page": (overwritten(0, 24), "parquet.pages"),
}  # fmt: skip


@pytest.mark.parametrize("name", BROKEN)
def test_a_breakage_is_named(name: str, tmp_path: Path) -> None:
    make, code = BROKEN[name]
    found = checking.check(make(tmp_path / "made.parquet"))
    assert code in codes(found)
    assert not codes(found) & {"unreadable"}
    assert all(one.expected and one.found for one in found if one.level == "error")


def test_good_files_have_no_finding(tmp_path: Path) -> None:
    no_crs = footer(crs=None)
    metres = shapely.box(500_000, 5e6, 500_100, 5.0001e6)
    import pyproj

    utm = footer(crs=pyproj.CRS(32631).to_json_dict(), bbox=list(metres.bounds))
    point = pa.StructArray.from_arrays(
        [pa.array([3.0] * made.ROWS), pa.array([51.0] * made.ROWS)], ["x", "y"]
    )
    for name, make in {
        "plain": write(),
        "no crs": write(footer=no_crs),
        "utm": lambda path: made.parquet_file(path, made.table([metres]), utm),
        "null rows": shaped(None, *made.squares()[:5], bbox=None),
        "types not told": write(footer=footer(geometry_types=[])),
        "across 180 degrees in two": shaped(
            shapely.MultiPolygon(
                [shapely.box(179.9, 51, 180, 51.1), shapely.box(-180, 51, -179.9, 51.1)]
            ),
            bbox=None,
            geometry_types=["MultiPolygon"],
        ),
        "the whole world": shaped(shapely.box(-180, -90, 180, 90), bbox=None),
        "hole": shaped(shapely.orient_polygons(HOLE), bbox=None),
        "large": write(
            rows=column("geometry", made.table()["geometry"].cast("large_binary"))
        ),
    }.items():
        assert checking.check(make(tmp_path / f"{name}.parquet")) == [], name
    native = footer(encoding="point", geometry_types=["Point"], covering=None)
    made.parquet_file(tmp_path / "p.parquet", column("geometry", point), native)
    assert codes(checking.check(tmp_path / "p.parquet")) == set()


def _turned() -> pa.Array:
    """Boxes whose sides stand in another order."""
    held = made.table()["bbox"].combine_chunks()
    names = ["xmax", "xmin", "ymax", "ymin"]
    return pa.StructArray.from_arrays([held.field(name) for name in names], names)


HINTS = {
    "uncompressed": (write(compression="none"), "parquet.compression"),
    "null crs": (lambda p: made.parquet_file(p, footer=_null_crs()), "geoparquet.crs"),
    "1.0.0": (write(footer=footer(version="1.0.0")), "geoparquet.version"),
    "no covering": (write(footer=footer(covering=None)), "geoparquet.covering"),
    "loose box": (write(footer=footer(bbox=[-180, -90, 180, 90])), "geoparquet.bbox"),
    "types not there": (
        write(footer=footer(geometry_types=["Polygon", "Point"])),
        "geoparquet.geometry_types",
    ),
    "loose boxes": (
        write(rows=boxes(lambda box, _: {**box, "xmin": -180.0})),
        "geoparquet.covering.loose",
    ),
    "no statistics": (write(write_statistics=False), "geoparquet.statistics"),
    "a square around the world": (
        shaped(shapely.box(-179.9, 51, 179.9, 51.05), bbox=None),
        "geoparquet.antimeridian",
    ),
    "a square a little beyond 180 degrees": (
        shaped(shapely.box(179.9, 51, 180.1, 51.05), bbox=None),
        "geoparquet.antimeridian",
    ),
    "spherical": (
        write(footer=footer(edges="spherical", orientation=None)),
        "geoparquet.edges",
    ),
    "lists": (
        write(rows=column("embedding", pa.array([[1.0] * 4] * made.ROWS))),
        "vectors.size",
    ),
    "doubles": (
        write(rows=column("embedding", pa.array([[1.0] * 4] * made.ROWS))),
        "vectors.width",
    ),
    "sides in another order": (
        write(rows=column("bbox", _turned())),
        "geoparquet.covering",
    ),
    "no licence": (write(embedding=made.emb() | {"license": ""}), "emb.license"),
}


def _null_crs() -> dict[str, Any]:
    held = made.geo()
    held["columns"]["geometry"]["crs"] = None
    return held


@pytest.mark.parametrize("name", HINTS)
def test_what_is_slow_or_doubtful_is_a_warning(name: str, tmp_path: Path) -> None:
    make, code = HINTS[name]
    found = checking.check(make(tmp_path / "made.parquet"))
    assert codes(found) == set()
    assert code in codes(found, "warning")


def test_scattered_rows_without_a_page_index_are_warned_of(tmp_path: Path) -> None:
    places = np.random.default_rng(0).uniform((3, 50), (5, 52), (12_000, 2))
    for name, order in {
        "scattered": slice(None),
        "sorted": np.lexsort(places.T),
    }.items():
        shapes = shapely.points(places[order])
        rows = pa.table({"geometry": pa.array(shapely.to_wkb(shapes), pa.binary())})
        held = footer(geometry_types=["Point"], bbox=None, covering=None)
        path = tmp_path / f"{name}.parquet"
        parquet.write_table(
            rows.replace_schema_metadata({"geo": json.dumps(held)}), path
        )
        found = codes(checking.check(path), "warning")
        assert "parquet.page_index" in found
        assert ("parquet.order" in found) == (name == "scattered")


EMB = {
    "no model": ({"model": None}, "emb.model"),
    "no dim": ({"embedding": {}}, "emb.dim"),
    "wrong dim": ({"embedding": {"dim": 5}}, "emb.dim"),
    "wrong dimensions": ({"emb:dimensions": 5}, "emb.dimensions"),
    "no time": ({"start_datetime": None}, "emb.datetime"),
    "type unknown": ({"emb:type": "patch"}, "emb.type"),
    "name unknown": ({"emb:dims": 5}, "emb.unknown"),
    "no such column": ({"stac_item_id_column": "item"}, "emb.stac_item_id"),
    "scales of another size": (
        {
            "emb:quantization": {
                "method": "x",
                "original_dtype": "float32",
                "scale": [1.0, 2.0],
            }
        },
        "emb.scale",
    ),
    "quantization without method": (
        {"emb:quantization": {"original_dtype": "float32"}},
        "emb.method",
    ),
}


@pytest.mark.parametrize("name", EMB)
def test_a_broken_footer_emb_is_named(name: str, tmp_path: Path) -> None:
    changes, code = EMB[name]
    held = made.emb() | changes
    if held["model"] is None:
        del held["model"]
    found = checking.check(made.parquet_file(tmp_path / "a.parquet", embedding=held))
    assert codes(found) == {code}


def test_a_file_of_many_items_links_each_row(tmp_path: Path) -> None:
    held = made.emb()
    del held["stac_item_id_column"]
    good = made.parquet_file(tmp_path / "a.parquet", embedding=held)
    assert checking.check(good) == []
    rows = made.table().drop_columns("stac_item_id")
    many = made.parquet_file(tmp_path / "b.parquet", rows, embedding=held)
    assert codes(checking.check(many)) == {"emb.stac_item_id"}
    one = made.parquet_file(tmp_path / "c.parquet", rows.slice(0, 1), embedding=held)
    assert "emb.stac_item_id" not in codes(checking.check(one))
    none = made.parquet_file(tmp_path / "d.parquet", embedding=False)
    assert [(one.level, one.code) for one in checking.check(none)] == [
        ("note", "emb.none")
    ]


def test_of_a_large_file_row_groups_are_sampled_and_it_says_so(tmp_path: Path) -> None:
    from terradrift.conform.finding import Findings
    from terradrift.conform.geoparquet import checking as one_file

    rows = pa.concat_tables([made.table()] * 10)
    path = tmp_path / "many.parquet"
    with parquet.ParquetWriter(path, rows.schema, compression="zstd") as file:
        for i in range(10):
            file.write_table(rows.slice(6 * i, 6))
        file.add_key_value_metadata({"geo": json.dumps(made.geo())})
    found = Findings()
    one_file.check(path, found, "many", budget=18)
    notes = [one.found for one in found.done() if one.code == "geoparquet.sampled"]
    assert notes == ["checked 18 of 60 geometries (3 row groups)"]


def hive(root: Path, year: int, rows: pa.Table | None = None, tile: str = "a") -> Path:
    folder = root / f"tile={tile}" / f"year={year}"
    folder.mkdir(parents=True)
    return made.parquet_file(folder / "part.parquet", rows)


def test_parts_of_a_folder_agree(tmp_path: Path) -> None:
    hive(tmp_path, 2020)
    hive(tmp_path, 2021)
    assert checking.check(tmp_path) == []
    years = pa.array([2019] * made.ROWS)
    hive(tmp_path, 2022, made.table().append_column("year", years))
    found = checking.check(tmp_path)
    assert codes(found) == {"folder.schema", "folder.partition"}
    made.parquet_file(tmp_path / "loose.parquet")
    assert "folder.partitions" in codes(checking.check(tmp_path))


def test_tables_side_by_side_need_not_be_alike(tmp_path: Path) -> None:
    made.parquet_file(tmp_path / "one.parquet")
    other = made.table().drop_columns("datetime")
    made.parquet_file(tmp_path / "other.parquet", other)
    hive(tmp_path / "parts", 2020)
    hive(tmp_path / "parts", 2021)
    assert checking.check(tmp_path) == []


def test_their_checker_agrees_on_good_files_and_is_silent_on_broken_ones(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """geoparquet-io 0.4 looks at version, covering and compression, not at contents."""
    from geoparquet_io.core import check_parquet_structure

    def theirs(path: Path) -> bool:
        check_parquet_structure.check_metadata_and_bbox(str(path))
        check_parquet_structure.check_compression(str(path))
        said = capsys.readouterr().out
        return "❌" in said or "⚠" in said

    assert not theirs(made.parquet_file(tmp_path / "good.parquet"))
    assert theirs(write(footer=footer(version="1.0.0"))(tmp_path / "old.parquet"))
    assert theirs(write(compression="none")(tmp_path / "plain.parquet"))
    assert theirs(
        write(rows=made.table().drop_columns("bbox"))(tmp_path / "bare.parquet")
    )
    silent = [
        "rings not as said",
        "box that does not cover",
        "not WKB",
        "EWKB",
        "geometry types of others",
        "metres without a CRS",
        "CRS no PROJJSON",
        "boxes that do not cover",
        "a geometry without its box",
    ]
    later = tmp_path / "later.parquet"  # what Arrow's own copy of the schema lacks
    with parquet.ParquetWriter(later, made.table().schema, compression="zstd") as file:
        file.write_table(made.table())
        file.add_key_value_metadata({"geo": json.dumps(made.geo())})
    assert codes(checking.check(later)) == set()
    assert theirs(later)
    for name in silent:
        make, code = BROKEN[name]
        path = make(tmp_path / f"{name}.parquet")
        assert code in codes(checking.check(path))
        assert not theirs(path), name
