"""Plain measures and curves against cases worked by hand."""

import numpy as np
import pytest
from sklearn.metrics import average_precision_score

from terradrift.evaluate.event_folders.curves import Curves, Steps
from terradrift.evaluate.event_folders.plain import plain, quiet

SHAPE = (20, 30)


def square(*where: tuple[slice, slice]) -> np.ndarray:
    out = np.zeros(SHAPE, bool)
    for each in where:
        out[each] = True
    return out


def test_plain_measures_by_hand() -> None:
    truth = square((slice(0, 4), slice(0, 5)), (slice(10, 12), slice(10, 20)))
    marked = square((slice(0, 4), slice(0, 10)), (slice(10, 11), slice(10, 19)))
    score = np.where(marked, 2.0, 1.0)
    found = plain(truth, marked, score, np.ones(SHAPE, bool))
    assert (found.hits, found.false, found.missed, found.rest) == (29, 20, 11, 540)
    assert found.precision == 29 / 49
    assert found.recall == 29 / 40
    assert found.f1 == pytest.approx(2 * 29 / (49 + 40))
    assert found.iou == 29 / 60
    # 9 of 20 pixels of the second object are marked: less than half.
    assert (found.objects, found.objects_found) == (2, 1)
    assert found.floor == 40 / 600
    assert found.average_precision == pytest.approx(
        average_precision_score(truth.ravel(), score.ravel())
    )


def test_what_is_not_known_counts_nowhere() -> None:
    truth = square((slice(0, 4), slice(0, 5)))
    known = np.ones(SHAPE, bool)
    known[:, 5:] = False
    found = plain(truth, np.ones(SHAPE, bool), np.ones(SHAPE), known)
    assert (found.hits, found.false) == (20, 80)
    with pytest.raises(ValueError, match="label is known"):
        plain(truth, truth, np.ones(SHAPE), np.zeros(SHAPE, bool))


def test_nothing_marked_has_no_precision_and_no_f1_of_its_own() -> None:
    truth = square((slice(0, 4), slice(0, 5)))
    found = plain(truth, np.zeros(SHAPE, bool), np.zeros(SHAPE), np.ones(SHAPE, bool))
    assert np.isnan(found.precision)
    assert found.f1 == found.recall == found.iou == 0


def test_alarms_of_a_control_by_hand() -> None:
    marked = square(
        (slice(0, 2), slice(0, 2)),
        (slice(2, 4), slice(2, 4)),
        (slice(9, 10), slice(9, 10)),
    )
    found = quiet(marked, np.ones(SHAPE, bool), 10.0)
    assert (found.marked, found.pixels, found.alarms) == (9, 600, 2)
    assert found.area_km2 == pytest.approx(0.06)
    assert np.isnan(quiet(marked, np.ones(SHAPE, bool), None).area_km2)


def test_precision_at_equal_recall_weighs_events_alike() -> None:
    # One threshold over both: half of the anomalous of each is found by score 3 and above.
    first = np.array([1, 1, 0, 0], bool), np.array([3.0, 1.0, 3.0, 0.0])
    second = np.array([1, 1, 0, 0, 0, 0, 0, 0], bool), np.r_[3.0, 2.0, 3.0, np.zeros(5)]
    curves = Curves.of([Steps.of(*first), Steps.of(*second)])
    alike = np.ones((2, 1))
    assert curves.precision(0.5, alike)[0] == pytest.approx(0.5)
    # Three quarters need score 2: hits 1/4 + 2/8, false 1/4 + 1/8.
    assert curves.precision(0.75, alike)[0] == pytest.approx(0.5 / 0.875)
    assert curves.precision(1.0, np.array([[0.0], [1.0]]))[0] == pytest.approx(2 / 3)


def test_scores_that_are_not_there_rank_last() -> None:
    truth = np.array([1, 1, 0, 0], bool)
    curves = Curves.of([Steps.of(truth, np.array([np.nan, 2.0, 1.0, np.nan]))])
    assert curves.precision(0.5, np.ones((1, 1)))[0] == 1
    assert curves.precision(1.0, np.ones((1, 1)))[0] == 0.5


def test_many_values_are_cut_at_quantiles() -> None:
    random = np.random.default_rng(0)
    truth = random.random(50_000) < 0.1
    score = random.standard_normal(50_000) + 2 * truth
    curves = Curves.of([Steps.of(truth, score)])
    assert len(curves.hits) <= 2048
    cut = np.quantile(score[truth], 0.5)
    exact = truth[score >= cut].mean()
    assert curves.precision(0.5, np.ones((1, 1)))[0] == pytest.approx(exact, abs=0.01)
