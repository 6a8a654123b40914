"""What names say, and which files make an event."""

from datetime import date
from pathlib import Path

import pytest

from terradrift.errors import SourceError
from terradrift.ingest.events import names
from terradrift.ingest.events.layout import event_files

FOLDER = Path("4_Site_30")


@pytest.mark.parametrize(
    "text",
    [
        "20200913",
        "2020-09-13",
        "2020_9_13",
        "2020.09.13",
        "2020257",
        "13Sep2020",
        "13-September-2020",
        "2020_Sep_13",
        "20200913T105031",
        "20200913105031_2",
    ],
)
def test_spellings_of_a_day(text: str) -> None:
    assert names.day(text) == date(2020, 9, 13)


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("202009", date(2020, 9, 1)),
        ("Sep2020", date(2020, 9, 1)),
        ("2020", date(2020, 1, 1)),
    ],
)
def test_months_and_years_are_their_first_day(text: str, first: date) -> None:
    assert names.day(text) == first


@pytest.mark.parametrize(
    "text",
    ["13-09-2020", "09.13.2020", "20201345", "2020-13-40", "2021366", "12345", ""],
)
def test_what_is_no_date_or_two_is_not_read(text: str) -> None:
    assert names.day(text) is None


def test_roles() -> None:
    roles = {
        "anomaly_20200913.tif": "anomaly",
        "ANOMALY_20200913.TIFF": "anomaly",
        "anomaly_20200913_label.tif": "label",
        "anomaly_label_20200913.tif": "label",
        "normal_20200913.tif": "normal",
    }
    for name, role in roles.items():
        found = names.named(name)
        assert found is not None
        assert found.role == role
    assert names.named("normally_20200913.tif") is None


@pytest.mark.parametrize(
    "name",
    [
        "normal_20200913.tif.aux.xml",
        "normal_20200913.tif.ovr",
        "normal_20200913.tfw",
        "normal_20200913_preview.tif",
        "normal_20200913.png",
        "._normal_20200913.tif",
    ],
)
def test_side_cars_and_previews_are_no_images(name: str) -> None:
    assert not names.is_image(name)


def test_dates_give_the_order_and_not_positions() -> None:
    found = event_files(
        FOLDER,
        [
            "anomaly_2021Jun20.tif",
            "anomaly_2021Jun20_label.tif",
            "normal_2019-08-01.tif",
            "normal_01Feb2020.tif",
            "normal_20180701.tif",
            "normal_20180701.tif.aux.xml",
            "normal_20220101.tif",
            "readme.txt",
            "Thumbs.db",
        ],
    )
    assert [day.year for day, _ in found.history] == [2018, 2019, 2020]
    assert found.monitored[0] == date(2021, 6, 20)
    assert found.label == FOLDER / "anomaly_2021Jun20_label.tif"
    # The past must not know the future.
    assert found.notes == (
        "not before the monitored image, left out: normal_20220101.tif",
    )


def test_the_last_image_of_a_control_is_monitored() -> None:
    found = event_files(
        Path("0_Egypt"),
        ["normal_20201222.tif", "normal_13Jun2018.tif", "normal_20190622.tif"],
    )
    assert found.control
    assert found.label is None
    assert found.monitored[0] == date(2020, 12, 22)
    assert [day.year for day, _ in found.history] == [2018, 2019]


def test_what_is_left_out_is_said() -> None:
    found = event_files(
        FOLDER,
        [
            "anomaly_2020.tif",
            "normal_20190101.tif",
            "normal_20190101_2.tif",
            "extra.tif",
        ],
    )
    assert len(found.history) == 1
    assert found.label is None
    assert [note.split(",")[0] for note in found.notes] == [
        "neither anomaly_* nor normal_*",
        "same day as normal_20190101.tif",
        "no label: expected anomaly_DATE_label.tif; judged and not measured",
    ]


@pytest.mark.parametrize(
    ("folder", "files", "said"),
    [
        ("Site", ["anomaly_2020.tif"], "begins with a class, 0 .control. to 6"),
        ("9_Site", ["anomaly_2020.tif"], "begins with a class"),
        (
            "4_Site",
            ["normal_2020.tif", "normal_2019.tif"],
            "one anomaly_DATE.tif, got none",
        ),
        (
            "4_Site",
            ["anomaly_2020.tif", "anomaly_2021.tif"],
            "got anomaly_2020.tif, anomaly_2021.tif",
        ),
        ("4_Site", ["anomaly_2020.tif"], "dated before anomaly_2020.tif, got none"),
        ("4_Site", ["anomaly_x.tif"], "expected a date in the name"),
        ("0_Site", ["normal_2020.tif"], "at least 2 images"),
        ("0_Site", ["normal_2020.tif", "anomaly_2021.tif"], "only normal_DATE.tif"),
        (
            "1_S",
            [
                "anomaly_2020.tif",
                "normal_2019.tif",
                "anomaly_2020_label.tif",
                "anomaly_label.tif",
            ],
            "one anomaly_DATE_label.tif",
        ),
    ],
)
def test_what_is_no_event_is_refused_in_one_line(
    folder: str, files: list[str], said: str
) -> None:
    with pytest.raises(SourceError, match=said) as refused:
        event_files(Path(folder), files)
    assert "\n" not in str(refused.value)
