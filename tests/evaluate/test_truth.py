import numpy as np
import pytest

from terradrift.evaluate.truth import Objects, truth

NEVER = np.datetime64("NaT", "D")


def objects(pairs: list[tuple[int, int, float]], dates: list[str]) -> Objects:
    """Objects of these dates, and (object, patch, share) for each pair."""
    days = np.array(dates, "datetime64[D]")
    of, patch, share = zip(*pairs, strict=True)
    return Objects(
        name=np.arange(1, len(days) + 1).astype(np.str_),
        kind=np.array([f"kind {each}" for each in range(len(days))]),
        onset=days,
        latest=days,
        object=np.array(of),
        patch=np.array(patch),
        share=np.array(share),
    )


SOME = objects(
    [(0, 0, 0.6), (0, 1, 0.2), (0, 2, 0.005), (1, 3, 0.3), (0, 3, 0.4)],
    ["2020-05-01", "2020-06-01"],
)
CHANGED = np.array([0.6, 0.2, 0.005, 0.7, 0.0, 0.0])
UNKNOWN = np.array([0.0, 0.0, 0.0, 0.0, 0.0, 0.4])


def test_a_patch_changed_where_half_of_it_did_and_not_where_none_of_it_may_have() -> (
    None
):
    found = truth(SOME, CHANGED, UNKNOWN)
    assert found.changed.tolist() == [True, False, False, True, False, False]
    assert found.known.tolist() == [True, False, True, True, True, False]
    assert found.controls.tolist() == [False, False, True, False, True, False]


def test_with_any_touch_only_a_sliver_is_left_out() -> None:
    found = truth(SOME, CHANGED, UNKNOWN, any_touch=True)
    assert found.changed.tolist() == [True, True, False, True, False, False]


def test_half_a_patch_counts_though_corners_are_rounded() -> None:
    half = objects([(0, 0, 0.4998)], ["2020-05-01"])
    assert truth(half, np.array([0.4998]), np.zeros(1)).changed.all()
    assert not truth(half, np.array([0.48]), np.zeros(1)).changed.any()


def test_a_patch_has_the_date_and_class_of_the_object_that_fills_most_of_it() -> None:
    found = truth(SOME, CHANGED, UNKNOWN)
    assert found.kind[[0, 3]].tolist() == ["kind 0", "kind 0"]
    assert str(found.onset[3]) == "2020-05-01"
    assert np.isnat(found.onset[[1, 2, 4, 5]]).all()


def test_of_objects_that_fill_as_much_the_earlier_one_counts() -> None:
    even = objects(
        [(0, 0, 0.5), (1, 0, 0.5), (2, 0, 0.5)], ["2020-05-02", "2020-05-01", "NaT"]
    )
    assert str(truth(even, np.ones(1), np.zeros(1)).onset[0]) == "2020-05-01"


def test_an_object_too_small_for_any_patch_is_stood_for_by_its_fullest() -> None:
    some = objects([(0, 0, 0.1), (0, 1, 0.2), (1, 2, 0.9), (1, 3, 0.1)], ["NaT"] * 2)
    assert some.main(0.5).tolist() == [False, True, True, False]


def test_a_share_out_of_range_is_refused() -> None:
    for share in (0.0, 1.1):
        with pytest.raises(ValueError, match="min share must be above 0 and at most 1"):
            truth(SOME, CHANGED, UNKNOWN, min_share=share)
