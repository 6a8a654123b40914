import json
from dataclasses import replace

import numpy as np
import pytest

from terradrift.evaluate.ground import Ground, Reported
from terradrift.evaluate.method import Judged
from terradrift.evaluate.result import Evaluation
from terradrift.evaluate.summary import evaluate
from terradrift.evaluate.truth import Objects, Truth

SIDE = 12
N = SIDE * SIDE
ROW, COL = (axis.ravel() for axis in np.mgrid[0:SIDE, 0:SIDE])
CHANGED = ((ROW < 2) & (COL < 2)) | ((ROW > 8) & (COL > 8)) | ((ROW == 5) & (COL == 5))
OF = np.where(~CHANGED, -1, np.where(ROW < 2, 0, np.where(ROW > 8, 1, 2)))
DAY = np.datetime64("2020-06-01")
NEVER = np.datetime64("NaT", "D")

TRUTH = Truth(
    changed=CHANGED,
    known=ROW != 11,
    kind=np.where(OF == 1, "fire", np.where(CHANGED, "flood", "")),
    onset=np.where(CHANGED & (OF < 2), DAY, NEVER),
    share=CHANGED.astype(float),
)
TRUTH = replace(TRUTH, changed=CHANGED & TRUTH.known)
OBJECTS = Objects(
    name=np.array(["a", "b", "c"]),
    kind=np.array(["flood", "fire", "flood"]),
    onset=np.array([DAY, DAY, NEVER]),
    latest=np.array([DAY, DAY, NEVER]),
    object=OF[CHANGED],
    patch=np.flatnonzero(CHANGED),
    share=np.ones(CHANGED.sum()),
)
GROUND = Ground(
    cells=np.column_stack([np.zeros(N, int), ROW, COL]),
    patch_size=100,
    years=np.full(N, 2.0),
    reason=np.where((ROW == 0) & (COL == 0), "too few clear dates", ""),
)


def judged(seed: int = 0) -> Judged:
    random = np.random.default_rng(seed)
    score = (random.normal(size=N) + 2 * CHANGED).astype(np.float32)
    score[0] = np.nan
    return Judged(score, np.full(N, DAY + 3), score > 1.5)


def found(**how: object) -> Evaluation:
    given = {"objects": OBJECTS, "archive": "x.td", "method": "m", **how}
    return evaluate(TRUTH, judged(), GROUND, **given)


def test_counts_are_of_known_patches() -> None:
    patches = found().patches
    assert (patches.changed, patches.unchanged, patches.unknown) == (11, 121, 12)
    assert (patches.judged_changed, patches.judged_unchanged) == (10, 121)
    assert patches.not_judged == {"too few clear dates": 1}


def test_plain_precision_and_false_alarms_stand_beside_every_headline() -> None:
    result, told = found(), judged().reported
    wrong = int((told & TRUTH.controls).sum())
    assert result.reported is not None
    assert result.false_alarms is not None
    right = int((told & TRUTH.changed).sum())
    assert result.reported.precision.value == pytest.approx(right / (right + wrong))
    assert result.reported.recall.value == pytest.approx(right / 11)
    assert result.false_alarms.changes == wrong
    assert result.false_alarms.km2_years == pytest.approx(121 * 0.01 * 2)
    rate = wrong / (121 * 0.01 * 2) * 1000
    assert result.false_alarms.changes_rate.value == pytest.approx(rate)
    text = str(result)
    assert "false changes / 1,000 km2 yr" in text
    assert text.index("average precision") < text.index("false changes")


def test_several_changes_of_a_patch_are_several_alarms_and_events_are_counted() -> None:
    still = np.flatnonzero(TRUTH.controls)[:2]
    there = np.flatnonzero(TRUTH.changed)[:1]
    patch = np.concatenate([still[[0, 0, 1]], there])
    onset = np.full(4, DAY + 3)
    none = np.full(4, NEVER)
    told = Reported(patch, onset, none, none, np.array([1, 2, 3, 3]))
    alarms = found(reported=told).false_alarms
    assert alarms is not None
    assert alarms.changes == 3
    assert alarms.events == 2  # the third one holds a patch that changed


def test_the_cost_of_recall_is_told_at_the_score_that_reaches_it() -> None:
    half = found().at_recall[0]
    score = judged().score
    at_least = score >= half.score
    assert (at_least & TRUTH.changed).sum() == 6
    right, wrong = (at_least & TRUTH.changed).sum(), (at_least & TRUTH.controls).sum()
    assert half.precision.value == pytest.approx(right / (right + wrong))
    assert half.false_alarms.value == pytest.approx(wrong / (121 * 0.01 * 2) * 1000)


def test_a_recall_that_is_never_reached_is_left_out() -> None:
    silent = judged().score.copy()
    silent[np.flatnonzero(TRUTH.changed)[:5]] = np.nan
    half = evaluate(TRUTH, replace(judged(), score=silent), GROUND)
    assert [one.recall for one in half.at_recall] == [0.5]


def test_each_class_is_ranked_beside_what_did_not_change() -> None:
    classes = {one.name: one for one in found().classes}
    assert {name: one.changed for name, one in classes.items()} == {
        "fire": 6,
        "flood": 5,
    }
    assert classes["fire"].floor == pytest.approx(6 / 127)


def test_objects_are_found_once_and_dated_where_they_have_a_date() -> None:
    everything = replace(judged(), reported=np.ones(N, bool))
    objects = evaluate(TRUTH, everything, GROUND, objects=OBJECTS).objects
    assert objects is not None
    assert (objects.count, objects.dated) == (3, 2)
    assert objects.hit.value == 1
    assert objects.within[5].value == 1
    assert [one.days for one in objects.each[:2]] == [3, 3]
    assert np.isnan(objects.each[2].days)
    late = evaluate(
        TRUTH, replace(everything, onset=np.full(N, DAY + 20)), GROUND, objects=OBJECTS
    ).objects
    assert late is not None
    assert [share.value for share in late.within.values()] == [0, 0, 1, 1]


def test_the_best_event_counts_in_place_and_time() -> None:
    patch = np.flatnonzero(OF == 0)[:2]
    far = np.array([DAY + 100, DAY + 5])
    none = np.full(2, NEVER)
    objects = found(reported=Reported(patch, far, none, none, np.array([1, 7]))).objects
    assert objects is not None
    assert [one.rank for one in objects.each] == [7, None, None]
    assert objects.in_top[10] == pytest.approx(1 / 3)


def test_a_method_that_only_ranks_reports_nothing() -> None:
    result = evaluate(
        TRUTH, replace(judged(), reported=np.zeros(N, bool)), GROUND, reports=False
    )
    assert result.reported is None
    assert result.false_alarms is None
    assert result.dating is not None
    assert result.at_recall[0].false_alarms.value >= 0
    assert str(result)


def test_changes_in_one_block_leave_intervals_out_and_say_so() -> None:
    result = evaluate(TRUTH, judged(), GROUND, block=100 * SIDE)
    assert np.isnan(result.ranking.roc_auc.low)
    assert "no intervals by block" in result.notes[-1]
    few = found(block=400)
    assert "changes lie in 3 blocks" in few.notes[-1]
    assert few.ranking.roc_auc.low < few.ranking.roc_auc.value


def test_the_record_is_json_with_null_for_what_is_not_given() -> None:
    record = json.loads(json.dumps(found().to_dict(), allow_nan=False))
    assert record["ranking"]["average_precision"].keys() == {"value", "low", "high"}
    assert record["dating"]["acquisitions"]["value"] is None
    assert record["ranking"]["precision_at"].keys() == {"10", "11", "50", "100"}
    assert record["objects"]["each"][2]["onset"] is None
    assert "picture" not in record


def test_unusable_input_is_refused() -> None:
    nothing = replace(TRUTH, changed=np.zeros(N, bool))
    with pytest.raises(ValueError, match="no patch is known to have changed"):
        evaluate(nothing, judged(), GROUND)
    with pytest.raises(ValueError, match=r"same patches, got 144, 3 and 144"):
        evaluate(TRUTH, replace(judged(), score=np.zeros(3, np.float32)), GROUND)
    with pytest.raises(ValueError, match="at least one patch of 100 m, got 50 m"):
        evaluate(TRUTH, judged(), GROUND, block=50)
