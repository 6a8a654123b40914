from datetime import UTC, date, datetime

import pytest

from terradrift.report import words


@pytest.mark.parametrize(
    ("said", "expected"),
    [
        (words.day(datetime(2018, 5, 6, tzinfo=UTC)), "6 May 2018"),
        (words.day(date(2018, 5, 6)), "6 May 2018"),
        (words.day(None), words.NOTHING),
        (words.number(1234.567, 1), "1,234.6"),
        (words.number(-0.14, 1), "\N{MINUS SIGN}0.1"),
        (words.number(None), words.NOTHING),
        (words.signed(-0.416), "\N{MINUS SIGN}0.42"),
        (words.signed(0.5), "+0.50"),
        (words.signed(None), words.NOTHING),
        (words.probability(0.0002), "< 0.001"),
        (words.probability(0.04), "0.040"),
        (words.probability(None), words.NOTHING),
        (words.rate(0.0004), "< 0.01 per 1,000 km² and year"),
        (words.rate(12.345), "12 per 1,000 km² and year"),
        (words.rate(12345.6), "12,346 per 1,000 km² and year"),
        (words.rate(None), words.NOTHING),
        (words.span(date(2018, 5, 6), date(2018, 6, 1)), "6 May 2018 to 1 June 2018"),
        (words.span(date(2018, 5, 6), date(2018, 5, 6)), "6 May 2018"),
        (words.span(None, date(2018, 5, 6)), words.NOTHING),
        (words.course("transient", date(2018, 5, 6)), "transient, until 6 May 2018"),
        (words.course("gradual", None), "gradual"),
        (words.course(None, None), words.NOTHING),
        (words.area(0.0768), "7.7 ha"),
        (words.area(12.34), "12.3 km²"),
        (words.area(None), words.NOTHING),
        (words.place(3.0269, -50.8181), "50.8181° S, 3.0269° E"),
        (words.place(None, 1.0), words.NOTHING),
        (words.reference("season", 6, 0), "its own past in the same season (6)"),
        (
            words.reference("recent+analogues", 5, 40),
            "its own last observations (5), and 40 patches with a like history on the same date",
        ),
        (words.reference("", 0, 0), words.NOTHING),
        (words.count(1, "event"), "1 event"),
        (words.count(1204, "patch", "patches"), "1,204 patches"),
    ],
)
def test_values_are_said_as_people_read_them(said, expected):
    assert said == expected
