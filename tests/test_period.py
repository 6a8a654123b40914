from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from terradrift.period import Period


def day(year: int, month: int = 1, at: int = 1) -> datetime:
    return datetime(year, month, at, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "start", "end"),
    [
        ("2018", day(2018), day(2019)),
        ("2018-12", day(2018, 12), day(2019)),
        ("2018-05-16", day(2018, 5, 16), day(2018, 5, 17)),
        ("2017-08/2018-11", day(2017, 8), day(2018, 12)),
        ("2017-08-01/2018-02-28", day(2017, 8), day(2018, 3)),
    ],
)
def test_the_end_of_a_period_is_inclusive_as_in_stac(
    text: str, start: datetime, end: datetime
) -> None:
    assert Period.parse(text) == Period(start, end)


def test_an_open_end_reaches_to_the_last_day() -> None:
    assert day(2500) in Period.parse("2018-05/..")
    assert day(1900) in Period.parse("../2018-05")
    assert day(2018, 6) not in Period.parse("../2018-05")


def test_an_instant_without_zone_is_utc_and_others_are_respected() -> None:
    assert Period.parse("2018-05-16T10:00:00/2018-05-16T11:00:00Z").start == datetime(
        2018, 5, 16, 10, tzinfo=UTC
    )
    east = timezone(timedelta(hours=2))
    assert Period.parse("2018-05-16T10:00:00+02:00/2018-06").start == datetime(
        2018, 5, 16, 10, tzinfo=east
    )


@pytest.mark.parametrize("text", ["", "soon", "2018-13", "2018-02-30", "16/05/2018"])
def test_what_is_no_period_is_refused_with_an_example(text: str) -> None:
    if text == "":
        assert day(2018) in Period.parse("/")
        return
    with pytest.raises(ValueError, match=r"expected a period such as 2018-05"):
        Period.parse(text)


def test_an_empty_period_is_refused() -> None:
    with pytest.raises(ValueError, match="period is empty"):
        Period.parse("2019/2018")


def test_a_period_needs_time_zones() -> None:
    with pytest.raises(ValueError, match="needs time zones"):
        Period(datetime(2018, 1, 1), datetime(2019, 1, 1))  # noqa: DTZ001 - the point


@given(
    st.datetimes(datetime(1990, 1, 1), datetime(2080, 1, 1), timezones=st.just(UTC)),  # noqa: DTZ001
    st.timedeltas(timedelta(seconds=1), timedelta(days=900)),
)
def test_a_period_survives_the_way_to_stac_and_back(
    start: datetime, span: timedelta
) -> None:
    period = Period(start, start + span)
    assert Period.parse(period.stac()) == period
