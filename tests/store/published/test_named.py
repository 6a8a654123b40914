"""Dates in names: one meaning is read, several are refused, numbers are no dates."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from terradrift.archive.importing import Request, bring
from terradrift.errors import ArchiveError, SchemaError
from terradrift.store.published import named, when
from terradrift.store.published.files import PARQUET, found
from terradrift.store.published.spans import DoubtError
from terradrift.store.published.table import table
from tests.store.published import made

SAID = {
    "emb_2024-01-15": "2024-01-15T00:00:00",
    "2024_01_15": "2024-01-15T00:00:00",
    "20240115": "2024-01-15T00:00:00",
    "emb_20240115T103020": "2024-01-15T10:30:20",
    "2024-01-15T10:30:20Z": "2024-01-15T10:30:20",
    "20240115_103020_12_1057": "2024-01-15T10:30:20",
    "emb_2024-01": "2024-01-16T12:00:00",
    "202401": "2024-01-16T12:00:00",
    "2024-Q4": "2024-11-16T00:00:00",
    "Q1_2023": "2023-02-15T00:00:00",
    "33UXP_2024": "2024-07-02T00:00:00",
    "2024_33UXP_0001": "2024-07-02T00:00:00",
    "emb_2024_v20250101": "2024-07-02T00:00:00",
    "2024_S2_20240115": "2024-01-15T00:00:00",
    "S2A_MSIL2A_20240115T103321_N0510_R108_T32UMU_20240116T150000": "2024-01-15T10:33:21",
    "S2B_33UXP_20240612_0_L2A": "2024-06-12T00:00:00",
    "LC08_L2SP_201024_20240115_20240125_02_T1": "2024-01-15T00:00:00",
    "HLS.S30.T33UXP.2024153T100601.v2.0": "2024-06-01T00:00:00",
    "33UXP_2024-01-01_2025-01-01": "2024-07-02T00:00:00",
    "202401_202403": "2024-02-15T12:00:00",
}
DOUBTFUL = [
    "2024_01", "2024-15", "2024.1", "2024-015", "2024153", "2024-13-45", "15-01-2024",
    "01-2024", "15012024", "Jan2024", "2024_summer", "2024-W05", "2024-2025", "2024_v2_2023",
    "20240115_x_20240301", "2024-03-01_2024-01-01",
]  # fmt: skip
NONE = [
    "resnet_2048", "patches_2000m", "patches_2000", "tile_2015", "resnet2000", "v20250101",
    "created_2025-03-01", "AEF2024", "emb_2099", "20242030", "emb", "grid_15.05_47.85",
    "xabcdefgh-0000000000-0000008192", "x-2b0f2024-2024-41ef-9abc-0242ac120002",
]  # fmt: skip


@pytest.mark.parametrize("name", SAID)
def test_a_date_is_read_as_people_write_it(name: str) -> None:
    span, _ = named.one(name)
    assert span is not None
    assert span.instant.isoformat()[:19] == SAID[name]


@pytest.mark.parametrize("name", DOUBTFUL)
def test_what_may_be_several_dates_is_a_doubt(name: str) -> None:
    with pytest.raises(DoubtError):
        named.one(name)


@pytest.mark.parametrize("name", NONE)
def test_numbers_are_no_dates(name: str) -> None:
    assert named.one(name)[0] is None


@pytest.mark.parametrize(
    ("path", "day"),
    [
        ("date=2024-12-01/e", "2024-12-01"),
        ("year=2024/month=6/e", "2024-06-16"),
        ("year=2024/month=06/day=03/e", "2024-06-03"),
        ("year=2024/e", "2024-07-02"),
        ("year=2024/e_2024-03-05", "2024-03-05"),
        ("year=2024/tile_2015", "2024-07-02"),
        ("year=2024/quarter=4/e", "2024-11-16"),
        ("month=2024-06/e", "2024-06-16"),
        ("2024/03/e", "2024-03-16"),
        ("2024/03/15", "2024-03-15"),
        ("2024/33N/x-0000000000", "2024-07-02"),
        ("tessera_2024/grid_15.05_47.85", "2024-07-02"),
        ("export_20250203/e_2024-01-15", "2024-01-15"),
        ("year=2024/week=7/e", None),
        ("year=2023/e_2024-01-15", None),
        ("2024/33/e", None),
        ("2024/0115", None),
        ("2024/240115", None),
        ("2024/m03/e", None),
        ("dt=2024-03-05/e", "2024-03-05"),
        ("2025-03/e_2024", None),
        ("e_2024_01", None),
        ("resnet_2000/tile_2015", None),
    ],
)
def test_a_place_says_when_or_is_refused(
    path: str, day: str | None, tmp_path: Path
) -> None:
    there = tmp_path / "in" / f"{path}.parquet"
    there.parent.mkdir(parents=True)
    there.touch()
    (file,) = found([tmp_path / "in"], PARQUET)
    if day is not None:
        instant, _ = when.of_file(file, {}, None)
        assert str(np.datetime64(instant, "us"))[:10] == day
        return
    with pytest.raises(SchemaError, match=r"does not say for sure when.*pass --date"):
        when.of_file(file, {}, None)
    assert when.of_file(file, {}, "2022-05-01")[1] == "what was said"


def test_folders_that_were_not_asked_for_are_asked_for_plain_dates_alone(
    tmp_path: Path,
) -> None:
    for above, day in (("of_2021/x", None), ("2021/33N", "2021-07-02")):
        file = tmp_path / above / "e.parquet"
        file.parent.mkdir(parents=True)
        file.touch()
        (one,) = found([file], PARQUET)
        instant, _ = when.of_file(one, {}, None)
        assert (instant and str(np.datetime64(instant, "us"))[:10]) == day


def test_a_date_given_that_names_deny_is_refused(tmp_path: Path) -> None:
    (tmp_path / "e_2024-01-15.parquet").touch()
    (tmp_path / "e_2015.parquet").touch()
    year, day = found([tmp_path], PARQUET)
    with pytest.raises(SchemaError, match="--date says 2023"):
        when.of_file(day, {}, "2023")
    assert when.of_file(day, {}, "2024")[1] == "the date in its name or folder"
    assert when.of_file(year, {}, "2023")[1] == "what was said"


def _columns(**more: pa.Array) -> dict[str, pa.Array]:
    return {
        "embedding": made.fixed(made.vectors(4, 8)),
        "geometry": made.wkb(made.shapes(2, 2)),
        **more,
    }


def test_columns_of_year_and_month_are_read(tmp_path: Path) -> None:
    more = {
        "year": pa.array([2018, 2019, 2020, None]),
        "month": pa.array([1, 12, 7, 3], pa.int8()),
    }
    file = made.write(tmp_path / "year_2024.parquet", _columns(**more))
    (one,) = found([file], PARQUET)
    opened = table(one, form=None, model="toy", date=None)
    assert opened.told_by == "their year and month"
    (batch,) = opened.batches()
    days = [str(np.datetime64(at, "us"))[:10] for at in batch.times[:3].tolist()]
    assert days == ["2018-01-16", "2019-12-16", "2020-07-16"]
    assert batch.times[3] == when.NOWHEN
    odd = _columns(year=pa.array(["one"] * 4))
    (one,) = found([made.write(tmp_path / "odd.parquet", odd)], PARQUET)
    with pytest.raises(SchemaError, match="whole numbers in year"):
        list(table(one, form=None, model="toy", date=None).batches())


def test_columns_that_may_say_when_go_before_a_name(tmp_path: Path) -> None:
    days = pa.array([np.datetime64("2019-05-05", "us")] * 4)
    for name in ("acquired", "Date"):
        (tmp_path / name).mkdir()
        file = made.write(tmp_path / name / "e_2024.parquet", _columns(**{name: days}))
        (one,) = found([file], PARQUET)
        if name == "Date":
            opened = table(one, form=None, model="toy", date=None)
            assert opened.told_by == "their Date"
        else:
            with pytest.raises(SchemaError, match=r"column acquired.*--date"):
                table(one, form=None, model="toy", date=None)


def test_periods_that_go_backwards_are_refused(tmp_path: Path) -> None:
    start, end = (pa.array([day] * 4) for day in ("2024-05-05", "2020-05-05"))
    columns = _columns(start=start, end=end)
    (one,) = found([made.write(tmp_path / "e.parquet", columns)], PARQUET)
    with pytest.raises(SchemaError, match="start is after end"):
        list(table(one, form=None, model="toy", date=None).batches())


def test_files_of_other_squares_and_shares_for_percents_are_refused(
    tmp_path: Path,
) -> None:
    wide = made.shapes(2, 2, 2560.0, first=(520_000.0, 5_300_000.0))
    files = [
        made.write(tmp_path / "a_2024.parquet", _columns(), {"geo": made.geo()}),
        made.write(
            tmp_path / "b_2024.parquet",
            {**_columns(), "geometry": made.wkb(wide)},
            {"geo": made.geo()},
        ),
    ]
    with pytest.raises(ArchiveError, match=r"b_2024\.parquet are 2,560 m wide"):
        bring(tmp_path / "a.td", files, Request(model="toy"))
    columns = _columns(clear_percent=pa.array([0.2, 0.9, 1.0, None]))
    file = made.write(tmp_path / "c_2024.parquet", columns, {"geo": made.geo()})
    with pytest.raises(SchemaError, match="looks like a share"):
        bring(tmp_path / "a.td", [file], Request(model="toy"))
    assert not (tmp_path / "a.td").exists()


@pytest.mark.parametrize(
    "values", [[900.0, 1, 2, 3], [-5.0, 1, 2, 3], ["1", "2", "clear", "4"]]
)
def test_percents_that_are_none_are_refused(values: list, tmp_path: Path) -> None:
    columns = _columns(cloud_percent=pa.array(values))
    file = made.write(tmp_path / "e_2024.parquet", columns, {"geo": {"columns": []}})
    (one,) = found([file], PARQUET)
    opened = table(one, form=None, model="toy", date=None)
    assert opened.crs.assumed  # of a footer whose columns are none
    with pytest.raises(SchemaError, match=r"e_2024\.parquet.*cloud_percent"):
        list(opened.batches())
