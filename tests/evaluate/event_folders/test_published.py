"""The published protocol against cases worked by hand, and against scikit-image."""

import numpy as np
import pytest

from terradrift.evaluate.event_folders import published


@pytest.mark.parametrize(
    ("prevalence", "f1"), [(0.01, 0.17), (0.02, 0.29), (0.05, 0.51), (0.10, 0.69)]
)
def test_marking_everything_is_rewarded(prevalence: float, f1: float) -> None:
    truth = np.arange(10_000).reshape(100, 100) < 10_000 * prevalence
    found = published.scored(truth, np.ones_like(truth))
    assert found.recall == 1
    assert found.weighted_precision == pytest.approx(
        prevalence / (prevalence + 0.1 * (1 - prevalence))
    )
    assert round(found.f1, 2) == f1


def test_category_1_of_a_label_is_background() -> None:
    label = np.array([[0, 1, 2, 7, -1]])
    assert published.anomalous(label).tolist() == [[False, False, True, True, False]]


def test_scores_of_a_case_by_hand() -> None:
    truth = np.array([[1, 1, 1, 1, 0, 0, 0, 0]], bool)
    marked = np.array([[1, 1, 1, 0, 1, 1, 0, 0]], bool)
    found = published.scored(truth, marked)
    assert found.recall == 3 / 4
    assert found.weighted_precision == pytest.approx(3 / 3.2)
    assert found.f1 == pytest.approx(2 * 0.75 * 0.9375 / 1.6875)


def test_nothing_labelled_or_nothing_marked_scores_0() -> None:
    some, none = np.ones((2, 2), bool), np.zeros((2, 2), bool)
    assert published.scored(none, some) == published.Scores(0.0, 0.0, 0.0)
    assert published.scored(some, none) == published.Scores(0.0, 0.0, 0.0)


def test_the_quantile_of_the_filtered_map_cuts_stage_1() -> None:
    change = np.arange(1000, dtype=np.float32).reshape(20, 50)
    kept = published.filtered(change)
    # The 0.7 quantile of 0..999 is 699.3, the 0.945 quantile 944.055.
    assert (kept > 0).sum() == 300
    assert kept.ravel()[700] == 700
    assert published.by_quantile(kept).sum() == 55


def test_where_the_quantile_is_0_all_above_0_is_marked() -> None:
    change = np.zeros((10, 10))
    change[0, :3] = 0.2
    assert published.by_quantile(change).sum() == 3


def test_a_map_without_change_is_marked_nowhere() -> None:
    assert not published.by_quantile(np.zeros((10, 10))).any()


def test_what_is_not_judged_is_not_marked() -> None:
    score = np.array([[np.nan, 0.08, 0.079, np.nan]])
    assert published.by_limit(score).tolist() == [[False, True, False, False]]
    assert published.by_quantile(score).tolist() == [[False, True, False, False]]


def test_small_components_are_dropped_at_3_of_10_000() -> None:
    marked = np.zeros((512, 512), bool)
    marked[100:106, 100:113] = True  # 78 pixels: int(512 * 512 * 0.0003)
    marked[300:307, 300:311] = True  # 77
    kept = published.cleaned(marked)
    assert kept[100:106, 100:113].all()
    assert kept.sum() == 78


def test_components_touch_at_corners() -> None:
    marked = np.zeros((512, 512), bool)
    marked[100:106, 100:107] = marked[106:112, 107:114] = True  # 42 and 42
    assert published.cleaned(marked)[100:112, 100:114].sum() >= 84


def test_closing_bridges_gaps_of_its_diameter() -> None:
    marked = np.zeros((512, 512), bool)
    marked[200:260, 200:230] = marked[200:260, 236:266] = True
    marked[400:460, 100:130] = marked[400:460, 137:167] = True
    kept = published.cleaned(marked)
    assert kept[230, 230:236].all()
    assert not kept[430, 130:137].all()


def test_closing_takes_nothing_away_at_the_border() -> None:
    marked = np.zeros((512, 512), bool)
    marked[:20, :20] = marked[-20:, 200:240] = True
    assert published.cleaned(marked)[marked].all()


@pytest.mark.parametrize("shape", [(512, 512), (640, 480), (301, 1000), (90, 77)])
def test_cleaning_agrees_with_scikit_image(shape: tuple[int, int]) -> None:
    from scipy import ndimage
    from skimage import measure, morphology, transform

    random = np.random.default_rng(shape[0])
    marked = ndimage.gaussian_filter(random.standard_normal(shape), 4) > 0.06
    small = transform.resize(marked, (512, 512)).astype(bool)
    # As scikit-image closed until 0.25: outside is empty to dilation, full to erosion.
    disc = morphology.disk(3)
    closed = ndimage.binary_erosion(
        ndimage.binary_dilation(small, disc), disc, border_value=1
    )
    back = transform.resize(closed, shape).astype(bool)
    number = measure.label(back, connectivity=2)
    area = np.bincount(number.ravel())
    keep = area >= int(shape[0] * shape[1] * 0.0003)
    keep[0] = False
    assert np.array_equal(published.cleaned(marked), keep[number])


def test_averages_and_the_older_averages_per_class() -> None:
    one = published.Scores(1.0, 0.5, 2 / 3)
    other = published.Scores(0.0, 0.0, 0.0)
    mean = published.averaged([one, other])
    assert mean == published.Scores(0.5, 0.25, pytest.approx(1 / 3))
    old = published.by_category([4, 4], [one, other])
    assert old[4] == published.Scores(0.5, 0.25, pytest.approx(1 / 3))
    # F1 of averaged values: not the average of F1.
    old = published.by_category([3, 3], [one, published.Scores(0.5, 1.0, 2 / 3)])
    assert old[3].f1 == pytest.approx(0.75)
    assert old[1] == published.Scores(0.0, 0.0, 0.0)
