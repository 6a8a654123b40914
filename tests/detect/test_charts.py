import numpy as np
import pytest

from terradrift.detect import calibrate, charts, onset


@pytest.mark.parametrize(
    ("slack", "limit", "run_length"),
    [(0.5, 4.0, 335.4), (0.5, 5.0, 930.9)],
)
def test_limits_of_cusum_are_the_published_ones(
    slack: float, limit: float, run_length: float
) -> None:
    # Tables of one-sided CUSUM; Siegmund 1985 approximates them by 338 and 938.
    assert charts.cusum_limit(run_length, slack) == pytest.approx(limit, rel=2e-3)


@pytest.mark.parametrize(
    ("weight", "sigmas"), [(0.2, 2.86), (0.1, 2.70), (0.4, 2.96), (1.0, 3.0)]
)
def test_limits_of_ewma_are_the_published_ones(weight: float, sigmas: float) -> None:
    # Lucas and Saccucci 1990 for 370 dates on two sides, which one side takes 740 for.
    limit = charts.ewma_limit(740.8, weight)
    assert limit / (weight / (2 - weight)) ** 0.5 == pytest.approx(sigmas, abs=0.01)


@pytest.mark.parametrize("chart", ["cusum", "ewma"])
def test_charts_of_noise_cross_their_limit_as_often_as_said(chart: str) -> None:
    z = np.random.default_rng(3).normal(size=(4000, 600))
    if chart == "cusum":
        first = charts.first_alarm(onset.cusum(z, 1.0), charts.cusum_limit(100.0))
    else:
        first = charts.first_alarm(calibrate.ewma(z, 0.2), charts.ewma_limit(100.0))
    length = np.where(
        first < 0, 600 + 100, first + 1
    )  # what is cut off runs on as long
    assert length.mean() == pytest.approx(100, abs=4 * 100 / 4000**0.5)


def test_a_shift_is_seen_sooner_than_by_single_dates() -> None:
    z = np.random.default_rng(4).normal(size=(2000, 200)) + 1.0
    by_date = charts.first_alarm(z, 3.0)
    by_ewma = charts.first_alarm(calibrate.ewma(z, 0.2), charts.ewma_limit(740.8))
    assert by_ewma.mean() < 0.5 * by_date.mean()


def test_the_first_alarm_passes_over_gaps() -> None:
    chart = np.array([[np.nan, 1.0, np.nan, 3.0], [0.0, np.nan, 0.0, 0.0]])
    assert charts.first_alarm(chart, 2.0).tolist() == [3, -1]
    assert charts.first_alarm(chart[:, :0], 2.0).tolist() == [-1, -1]


def test_bad_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match=r"run_length must be above 6\.3"):
        charts.cusum_limit(2.0)
    with pytest.raises(ValueError, match="at most 1e"):
        charts.ewma_limit(float("inf"))
    with pytest.raises(ValueError, match="slack must not be negative"):
        charts.cusum_limit(100.0, -1.0)
    with pytest.raises(ValueError, match="weight must be above 0 and at most 1"):
        charts.ewma_limit(100.0, 0.0)
