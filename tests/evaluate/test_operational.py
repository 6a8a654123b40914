import json
from dataclasses import replace

import numpy as np
import pytest
from scipy.stats import norm
from scipy.stats import t as student

from terradrift.detect.reliability import by_season, reliability
from terradrift.evaluate.operational import figure as calibration_figure
from terradrift.evaluate.operational.reliability import Tally
from terradrift.evaluate.operational.result import Calibration

NORMAL = 1.959964
DAYS = np.datetime64("2020-01-03") + 11 * np.arange(40)


def counted(p: np.ndarray, ground: np.ndarray, parts: int = 3) -> Tally:
    """A tally of p (n, t) that got it in several batches of mixed rows."""
    tally = Tally(1, int(ground.max()) + 1)
    row, date = (axis.ravel() for axis in np.indices(p.shape))
    order = np.random.default_rng(9).permutation(p.size)
    for rows in np.array_split(order, parts):
        values = p[row[rows], date[rows]]
        group = np.zeros(len(rows), np.int64)
        tally.add(values, group, ground[row[rows]], DAYS[date[rows]])
    return tally


def test_batches_give_what_the_whole_gives() -> None:
    random = np.random.default_rng(1)
    p = random.random((150, 40)) * random.random((1, 40))  # some dates are all low
    p[random.random(p.shape) < 0.2] = np.nan
    ground = random.integers(0, 12, 150)
    found = counted(p, ground).share(0)
    alphas = found.levels.alphas
    whole = reliability(p, ground, tuple(alphas))
    assert found.levels.count == whole.count
    assert found.silent == np.isnan(p).sum()
    assert found.smallest == np.nanmin(p)
    np.testing.assert_allclose(found.levels.share, whole.share)
    half = (whole.high - whole.share) * student.ppf(0.975, 11) / NORMAL
    np.testing.assert_allclose(found.levels.high, whole.share + half, atol=1e-6)
    np.testing.assert_allclose(
        found.levels.low, np.maximum(whole.share - half, 0), atol=1e-6
    )


def test_groups_are_apart() -> None:
    random = np.random.default_rng(2)
    p = random.random((60, 40))
    ground = np.arange(60) // 6
    row, date = (axis.ravel() for axis in np.indices(p.shape))
    month = DAYS.astype("datetime64[M]").astype(int) % 12
    season = ((month + 1) % 12 // 3)[date]
    tally = Tally(4, 10)
    tally.add(p.ravel(), season, ground[row], DAYS[date])
    names = ("December-February", "March-May", "June-August", "September-November")
    apart = by_season(p, DAYS, ground, tuple(tally.alphas))
    for number, name in enumerate(names):
        found = tally.share(number).levels
        np.testing.assert_allclose(found.share, apart[name].share)
        # Where none is so low the spread between clusters is 0 and says nothing.
        some = found.share > 0
        fewer = min(10, (((month + 1) % 12 // 3) == number).sum())
        half = (apart[name].high - found.share) * student.ppf(0.975, fewer - 1) / NORMAL
        expected = found.share + half
        np.testing.assert_allclose(found.high[some], expected[some], atol=1e-6)


def test_no_small_p_value_is_no_proof_that_none_can_come() -> None:
    p = np.full((50, 40), 0.5)
    found = counted(p, np.arange(50) // 5).share(0)  # 10 blocks, 40 dates
    np.testing.assert_allclose(found.levels.high, 1 - 0.05 ** (1 / 10))
    assert found.holds.all()


def test_one_date_tells_nothing_about_others() -> None:
    tally = Tally(1, 20)
    p = np.random.default_rng(6).random(200)
    tally.add(p, np.zeros(200, np.int64), np.arange(200) // 10, np.repeat(DAYS[0], 200))
    found = tally.share(0).levels
    assert (found.low.max(), found.high.min()) == (0.0, 1.0)


def test_few_blocks_are_held_to_be_few() -> None:
    """Shares of 4 blocks with habits of their own: the interval must hold 0.1."""
    random = np.random.default_rng(7)
    inside = []
    for _ in range(200):
        habit = random.normal(0, 0.5, 4).repeat(25)[:, None]
        p = norm.cdf((random.normal(0, 1, (100, 40)) + habit) / np.sqrt(1.25))
        found = counted(p, np.arange(100) // 25, parts=1).share(0)
        inside.append(found.holds[found.levels.alphas == 0.1][0])
    assert np.mean(inside) > 0.85


def test_p_values_that_lie_are_told() -> None:
    random = np.random.default_rng(3)
    honest = random.random((200, 40))
    found = counted(honest, np.arange(200) // 10).share(0)
    assert found.holds.sum() >= 6
    assert not counted(honest**3, np.arange(200) // 10).share(0).holds[2:].any()


def test_a_level_is_met_in_the_precision_of_the_values() -> None:
    tally = Tally(1, 2, (0.05, 0.1), dated=False)
    p = np.array([0.05, 0.1, 0.3, np.nan], np.float32)
    tally.add(p, np.zeros(4, np.int64), np.array([0, 1, 1, 1]))
    assert tally.share(0).levels.share.tolist() == [1 / 3, 2 / 3]
    assert tally.share(0).silent == 1


def test_nothing_counted_has_no_share() -> None:
    found = Tally(2, 3).share(1)
    assert found.levels.count == 0
    assert np.isnan(found.levels.share).all()
    assert np.isnan(found.smallest)


@pytest.mark.parametrize("alphas", [(0.1, 0.05), (0.0, 0.1), (0.5, 1.0)])
def test_levels_must_be_levels(alphas: tuple[float, ...]) -> None:
    with pytest.raises(ValueError, match="ascending levels between 0 and 1"):
        Tally(1, 1, alphas)


def test_the_page_marks_what_does_not_hold_and_the_figure_is_drawn() -> None:
    random = np.random.default_rng(4)
    honest = counted(random.random((200, 40)), np.arange(200) // 10).share(0)
    lying = counted(random.random((200, 40)) ** 3, np.arange(200) // 10).share(0)
    nothing = Tally(1, 1).share(0)
    found = Calibration(
        archive="a.td",
        model="mosaiks",
        ground="All ground of the archive",
        patches=200,
        blocks=20,
        side_m=480,
        frames=honest,
        seasons={"March-May": lying},
        months={"May": nothing},
        strata={"season": lying},
        histories=nothing,
        abstained={"not clear enough": 7},
        histories_abstained={},
    )
    lines = {line.split("  ")[0]: line for line in str(found).splitlines()}
    assert "*" in lines["March-May"]
    assert "*" not in lines["whole histories"]
    record = json.loads(json.dumps(found.to_dict(), allow_nan=False))
    assert record["histories"]["levels"][0]["share"] is None
    assert record["abstained"]["observations"] == {"not clear enough": 7}
    drawn = calibration_figure.figure(replace(found, histories=lying))
    left, right = drawn.axes
    # What is off the axes is said as a number: the line leaves them, no point is moved.
    times = lying.levels.share / lying.levels.alphas
    off = [f"{one:.2g}" for one in times if one > 10]
    assert len(off) >= 3
    assert [text.get_text() for text in left.texts] == off
    lines = {str(line.get_label()): np.asarray(line.get_ydata()) for line in left.lines}
    np.testing.assert_allclose(lines["whole histories (8,000)"], times)
    at = int(np.flatnonzero(lying.levels.alphas == 0.01)[0])
    assert [text.get_text() for text in right.texts] == 2 * [f"{times[at]:.2g}"]
