"""Published embeddings in an archive: each at its own place, each once, none mixed up."""

import tracemalloc
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pyproj
import pytest
from typer.testing import CliRunner

import terradrift as td
from terradrift.cli import app
from terradrift.errors import ArchiveError, ModelMismatchError, SchemaError
from terradrift.store.majortom.checked import grid_for
from terradrift.store.majortom.source import read
from terradrift.store.series import blocks
from terradrift.store.units import done
from tests.store.majortom import published

DAYS = ("20200607T101031", "20200612T101029", "20200702T101031")


def archive(path: Path, file: Path) -> td.Archive:
    return td.create(path, grid_for(file))


def held(made: td.Archive) -> list[dict]:
    text = """
        SELECT patch_id, longitude, latitude, datetime, scene_id, embedding,
               struct_extract(bbox, 'xmin') AS xmin, struct_extract(bbox, 'xmax') AS xmax
        FROM observations ORDER BY scene_id, patch_id
    """
    return made.sql(text).df().to_dict("records")


@pytest.mark.parametrize("transposed", [True, False])
@pytest.mark.parametrize("kept", [1.0, 0.3])
def test_every_embedding_lies_where_its_pixels_were(
    tmp_path: Path, transposed: bool, kept: float
) -> None:
    made = published.rows(transposed=transposed)
    random = np.random.default_rng(0)
    made = [row for row in made if random.random() < kept]
    file = published.write(tmp_path / "part.parquet", made)
    own = archive(tmp_path / "a.td", file)
    told = own.import_major_tom(file, model="ssl4eo-s2l1c")
    assert told.transposed is transposed
    found = held(own)
    assert len(found) == told.rows == len(made) - told.collided
    for row in found:
        image_row, image_col, cell, _ = row["embedding"][:4]
        epsg, west, north = published.corner(published.CELLS[int(cell)])
        to = pyproj.Transformer.from_crs(4326, epsg, always_xy=True)
        x, y = to.transform(row["longitude"], row["latitude"])
        # Pixels are counted from their middles, and float16 keeps a quarter of them.
        assert x == pytest.approx(west + (4 * image_col + 0.5) * 10, abs=15)
        assert y == pytest.approx(north - (4 * image_row + 0.5) * 10, abs=15)
        left, _ = to.transform(row["xmin"], row["latitude"])
        right, _ = to.transform(row["xmax"], row["latitude"])
        assert right - left == pytest.approx(2240, abs=70)  # as wide as the fragment
    assert own.validate() == []


def test_several_dates_of_a_cell_are_series_that_can_be_judged(tmp_path: Path) -> None:
    days = [
        f"{day.astype(object):%Y%m%d}T101031"
        for day in np.datetime64("2020-01-03") + np.arange(14) * 12
    ]
    made = published.rows(published.CELLS[:2], days)
    random = np.random.default_rng(1)
    base = {}
    for row in made:
        key = (row["grid_cell"], *row["pixel_bbox"][:2])
        vector = base.setdefault(key, random.normal(size=8)) + 0.05 * random.normal(
            size=8
        )
        if row["timestamp"] >= days[11] and key == ("570U_58R", 211, 422):
            vector = vector + 3
        row["embedding"] = vector.tolist()
    file = published.write(tmp_path / "part.parquet", made)
    own = archive(tmp_path / "a.td", file)
    told = own.import_major_tom(file, model="toy", clear_percent=100)
    assert len(next(iter(blocks(own.store, told.model))).days) == 14
    detected = own.detect(quiet=True)
    assert detected.scored > 0
    drift = own.sql(
        "SELECT patch_id, datetime FROM scores ORDER BY drift DESC NULLS LAST LIMIT 3"
    ).df()
    assert drift.patch_id.nunique() == 1
    assert str(drift.datetime.min())[:10] == "2020-05-14"


def test_vectors_of_2048_numbers_are_stored_and_read(tmp_path: Path) -> None:
    made = published.rows(dimensions=2048)
    file = published.write(tmp_path / "part.parquet", made)
    own = archive(tmp_path / "a.td", file)
    told = own.import_major_tom(file)
    assert told.model == "major-tom-ssl4eo-s2l1c"
    (series, *_) = blocks(own.store, told.model)
    assert series.vectors.shape[2] == 2048
    described = own.store.dataset("embeddings_major_tom_ssl4eo_s2l1c").schema.metadata
    assert described[b"revision"] == b"Major TOM, as published"
    assert described[b"weights_sha256"] == b"unknown"


@pytest.mark.parametrize(
    ("dimensions", "product", "model"),
    [
        (2048, "S1A_IW_GRDH", "major-tom-ssl4eo-s1rtc"),
        (768, "S2A_MSIL2A", "major-tom-dinov2-s2rgb"),
        (1152, "S2B_MSIL2A", "major-tom-siglip-s2rgb"),
    ],
)
def test_models_are_told_by_length_and_product(
    tmp_path: Path, dimensions: int, product: str, model: str
) -> None:
    made = published.rows(published.CELLS[:1], dimensions=dimensions, product=product)[
        :2
    ]
    file = published.write(tmp_path / "part.parquet", made)
    assert archive(tmp_path / "a.td", file).import_major_tom(file).model == model


def test_parts_come_in_any_order_and_once(tmp_path: Path) -> None:
    made = published.rows(days=DAYS)
    whole = published.write(tmp_path / "whole.parquet", made)
    random = np.random.default_rng(2)
    mixed = [made[at] for at in random.permutation(len(made))]
    one = archive(tmp_path / "one.td", whole)
    one.import_major_tom(
        published.write(tmp_path / "mixed.parquet", mixed), model="toy"
    )
    again = one.import_major_tom(whole, model="toy")
    assert (again.rows, again.patches) == (0, 0)
    assert again.skipped == len(made) - again.collided
    parts = archive(tmp_path / "parts.td", whole)
    for number, cell in enumerate(published.CELLS):
        part = [row for row in made if row["grid_cell"] == cell]
        file = published.write(tmp_path / f"{number}.parquet", part)
        assert parts.import_major_tom(file, model="toy").skipped == 0
    keys = [
        {(row["scene_id"], tuple(row["embedding"][:4])) for row in held(each)}
        for each in (one, parts)
    ]
    assert keys[0] == keys[1]
    assert done(one.store, "major-tom-toy") == done(parts.store, "major-tom-toy")


def test_of_two_fragments_of_one_patch_the_nearer_stays_on_all_dates(
    tmp_path: Path,
) -> None:
    """Cells overlap, so that some fragments of neighbours lie 1.5 km apart."""
    from terradrift.store.majortom.cells import CellGrid

    grid = CellGrid()
    cells = [grid.name(row, col) for row in range(566, 570) for col in range(55, 60)]
    made = published.rows(cells, DAYS[:2])
    file = published.write(tmp_path / "part.parquet", made)
    own = archive(tmp_path / "a.td", file)
    told = own.import_major_tom(file, model="toy")
    assert 0 < told.collided < 0.2 * len(made)
    assert told.rows + told.collided == len(made)
    assert told.off_most < 1900 / 2**0.5
    for series in blocks(own.store, told.model):
        same = series.vectors[:, :, :3]
        np.testing.assert_array_equal(same[:, 0], same[:, 1])  # one fragment per patch
    other = td.create(tmp_path / "b.td", grid_for(file))
    halves = [made[: len(made) // 2], made[len(made) // 2 :]]
    for number, half in enumerate(halves):
        file = published.write(tmp_path / f"half{number}.parquet", half)
        other.import_major_tom(file, model="toy")
    for series in blocks(other.store, told.model):
        known = np.isfinite(series.clear_percent) | ~np.isnat(series.times)
        both = known.all(axis=1)
        same = series.vectors[both][:, :, :3]
        np.testing.assert_array_equal(same[:, 0], same[:, 1])


def test_the_rest_of_a_cell_is_not_added_and_the_words_say_what_to_do(
    tmp_path: Path,
) -> None:
    made = published.rows(published.CELLS[:1])
    part = published.write(tmp_path / "part.parquet", made[:10])
    rest = published.write(tmp_path / "rest.parquet", made[10:])
    own = archive(tmp_path / "a.td", part)
    assert "whole cells" not in str(own.import_major_tom(part, model="toy"))
    told = own.import_major_tom(rest, model="toy")
    assert (told.rows, told.skipped) == (0, 15)
    assert "15 skipped, their cell of that product came before" in str(told)
    assert "import whole cells, these into a new archive" in str(told)


def broken(change: Callable[[list[dict]], None]) -> Callable[[Path], Path]:
    def make(path: Path) -> Path:
        made = published.rows(published.CELLS[:2])
        change(made)
        return published.write(path, made)

    return make


def _longer(made: list[dict]) -> None:
    made[30]["embedding"] += [1.0]


def _nothing(made: list[dict]) -> None:
    made[44]["embedding"][3] = float("nan")


def _large(made: list[dict]) -> None:
    made[2]["embedding"][3] = 1e6


def _date(made: list[dict]) -> None:
    made[4]["timestamp"] = "2020-06-07"


def _crs(made: list[dict]) -> None:
    made[0]["utm_crs"] = "EPSG:3857"


def _box(made: list[dict]) -> None:
    made[3]["pixel_bbox"][2] += 10


def _polygon(made: list[dict]) -> None:
    made[3]["utm_footprint"] = "POLYGON"


def _half(made: list[dict]) -> None:
    made[25:] = published.rows(published.CELLS[1:2], transposed=False)


def _sensors(made: list[dict]) -> None:
    made[44]["product_id"] = "S1A_IW_GRDH_1SDV_20200607T055900"


def _levels(made: list[dict]) -> None:
    made[44]["product_id"] = made[44]["product_id"].replace("L1C", "L2A")


def _smaller(made: list[dict]) -> None:
    first = made[44]["pixel_bbox"]
    made[44]["pixel_bbox"] = [first[0], first[1], first[0] + 112, first[1] + 112]


def _cell(made: list[dict]) -> None:
    made[0]["grid_cell"] = "570U-58R"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            _longer,
            r"expected embedding of one length, got 9 numbers in row 31 and 8 in row 1",
        ),
        (_nothing, "the vector of row 45 holds NaN"),
        (_large, "row 3 holds NaN, or numbers beyond float16"),
        (_date, r"timestamp such as 20200607T101031 in row 5, got '2020-06-07'"),
        (_crs, "expected a UTM zone such as EPSG:32633 in utm_crs, got EPSG:3857"),
        (_box, r"of row 4 are no squares: \[0, 633, 234, 857\]"),
        (_polygon, "utm_footprint near row 1 is no polygon as WKT"),
        (
            _half,
            "of 1 samples are transposed, of 1 right and of 0 neither; split the file",
        ),
        (_sensors, "of Sentinel-1 and of Sentinel-2 Level-1C, which are of different"),
        (
            _levels,
            "Level-1C and of Sentinel-2 Level-2A, .*split the file by product_id",
        ),
        (_smaller, "expected fragments of one size, got 112 to 224 pixels"),
        (_cell, "expected a cell such as 922D_249L, got '570U-58R'"),
    ],
)
def test_a_broken_file_is_told_in_one_line_and_leaves_nothing(
    tmp_path: Path, change: Callable[[list[dict]], None], message: str
) -> None:
    file = broken(change)(tmp_path / "part.parquet")
    own = td.create(tmp_path / "a.td", td.Grid(1900, gsd=10))
    with pytest.raises(SchemaError, match=message) as error:
        own.import_major_tom(file, model="toy")
    assert "\n" not in str(error.value)
    assert own.store.tables() == ["runs"]


@pytest.mark.parametrize("change", [_nothing, _longer, _crs, _half, _sensors, _smaller])
def test_a_broken_file_makes_no_archive(
    tmp_path: Path, change: Callable[[list[dict]], None]
) -> None:
    file = broken(change)(tmp_path / "part.parquet")
    place = tmp_path / "new.td"
    words = ["import", str(place), str(file), "--model", "toy"]
    assert CliRunner().invoke(app, words).exit_code != 0
    assert list(tmp_path.iterdir()) == [file]
    good = published.write(tmp_path / "good.parquet", published.rows())
    words[2] = str(good)
    assert CliRunner().invoke(app, words).exit_code == 0
    before = td.open(place).store.count("patches")
    words[2] = str(file)
    assert CliRunner().invoke(app, words).exit_code != 0
    assert td.open(place).store.count("patches") == before


@pytest.mark.parametrize("form", [None, "major-tom"])
def test_what_is_no_parquet_is_told_as_that(tmp_path: Path, form: str | None) -> None:
    file = published.write(tmp_path / "part.parquet", published.rows())
    file.write_bytes(file.read_bytes()[:-100])
    words = ["import", str(tmp_path / "new.td"), str(file)]
    ran = CliRunner().invoke(app, [*words, *(["--form", form] if form else [])])
    assert isinstance(ran.exception, ArchiveError)
    assert str(ran.exception).startswith("expected a Parquet file, got")
    assert "\n" not in str(ran.exception)
    assert list(tmp_path.iterdir()) == [file]


def test_vectors_of_one_length_are_named_by_all_of_their_products(
    tmp_path: Path,
) -> None:
    radar = published.rows(published.CELLS[:1], dimensions=2048, product="S1A_IW_{day}")
    optical = published.rows(published.CELLS[1:2], dimensions=2048)
    mixed = published.write(tmp_path / "mixed.parquet", radar + optical)
    own = archive(tmp_path / "a.td", mixed)
    with pytest.raises(SchemaError, match="of Sentinel-1 and of Sentinel-2 Level-1C"):
        own.import_major_tom(mixed)
    other = published.rows(published.CELLS[:1], dimensions=2048, product="X")
    unknown = published.write(tmp_path / "unknown.parquet", other)
    with pytest.raises(SchemaError, match="none of other products with 2048; pass"):
        own.import_major_tom(unknown)
    assert own.store.tables() == ["runs"]
    one = published.write(tmp_path / "one.parquet", radar)
    own.import_major_tom(one, model="toy")
    two = published.write(tmp_path / "two.parquet", optical)
    with pytest.raises((ModelMismatchError, SchemaError)):
        own.import_major_tom(two, model="toy")


def test_other_files_and_archives_are_refused(tmp_path: Path, finished: Path) -> None:
    made = published.rows(published.CELLS[:1])
    file = published.write(tmp_path / "part.parquet", made)
    own = td.create(tmp_path / "a.td", td.Grid(1900, gsd=10))
    with pytest.raises(
        SchemaError, match=r"numbers, and published sets have 768 \(dino"
    ):
        own.import_major_tom(file)
    lacking = tmp_path / "lacking.parquet"
    pq.write_table(pq.read_table(file).drop(["pixel_bbox"]), lacking)
    with pytest.raises(SchemaError, match="has no column pixel_bbox"):
        own.import_major_tom(lacking)
    empty = published.write(tmp_path / "empty.parquet", [])
    with pytest.raises(SchemaError, match="holds no rows"):
        own.import_major_tom(empty)
    text = tmp_path / "text.parquet"
    text.write_text("not Parquet")
    with pytest.raises(ArchiveError, match="expected a Parquet file, got"):
        own.import_major_tom(text)
    with pytest.raises(ArchiveError, match="no file at"):
        own.import_major_tom(tmp_path / "none.parquet")
    with pytest.raises(
        ArchiveError, match="has scenes of its own, whose patches are not"
    ):
        td.open(finished).import_major_tom(file, model="toy")
    small = td.create(tmp_path / "small.td", td.Grid(160, gsd=10))
    with pytest.raises(
        ArchiveError, match=r"patches must be 1,120 to 2,240 m, .* has 160"
    ):
        small.import_major_tom(file, model="toy")
    with pytest.raises(ValueError, match="must be one of transposed, right, got 'no'"):
        own.import_major_tom(file, footprints="no")
    own.import_major_tom(file, model="toy")
    wide = published.write(
        tmp_path / "wide.parquet", published.rows(published.CELLS[1:2], dimensions=9)
    )
    with pytest.raises(
        (ModelMismatchError, SchemaError), match="embeddings_major_tom_toy"
    ):
        own.import_major_tom(wide, model="toy")
    assert own.store.count("patches") == 25


def test_reading_holds_a_batch_of_vectors_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("terradrift.store.majortom.source._ROWS", 25)
    peaks = []
    for count in (2, 8):
        cells = [f"{row}U_58R" for row in range(500, 500 + count)]
        file = published.write(
            tmp_path / f"{count}.parquet", published.rows(cells, DAYS, dimensions=768)
        )
        read(file, tmp_path)
        tracemalloc.start()
        held = read(file, tmp_path)
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert len(held) == count * 25 * len(DAYS)
    more = 6 * 25 * len(DAYS)
    assert peaks[1] - peaks[0] < more * 768 * 4 / 4


def test_the_verb_knows_the_form_and_makes_the_archive(tmp_path: Path) -> None:
    file = published.write(tmp_path / "part.parquet", published.rows(dimensions=768))
    place = tmp_path / "new.td"
    ran = CliRunner().invoke(app, ["import", str(place), str(file)])
    assert ran.exit_code == 0, ran.output
    assert (
        "footprints were transposed within their cells and are put right" in ran.output
    )
    assert td.open(place).model == "major-tom-dinov2-s2rgb"
    assert td.open(place).store.settings.grid.patch_size == 1900
    wrong = CliRunner().invoke(
        app, ["import", str(place), str(file), "--form", "terradrift", "--model", "x"]
    )
    assert wrong.exit_code == 2
    assert "--model does not go with terradrift" in " ".join(wrong.output.split())
    again = CliRunner().invoke(app, ["import", str(place), str(file), "--form", "zip"])
    assert again.exit_code == 2


def test_instants_may_be_timestamps(tmp_path: Path) -> None:
    file = published.write(
        tmp_path / "part.parquet", published.rows(published.CELLS[:1])
    )
    table = pq.read_table(file)
    at = table.column_names.index("timestamp")
    instant = pa.array([np.datetime64("2020-06-07T10:10:31", "ns")] * len(table))
    pq.write_table(table.set_column(at, "timestamp", instant), file)
    own = archive(tmp_path / "a.td", file)
    own.import_major_tom(file, model="toy")
    assert {str(row["datetime"])[:19] for row in held(own)} == {"2020-06-07 10:10:31"}
