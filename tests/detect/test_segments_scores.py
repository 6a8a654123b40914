"""Features of regions, change between two dates, novelty against history, calibration."""

import numpy as np
import pytest
from scipy import ndimage

from terradrift.detect.segments import features, judge, novelty, superpixels
from terradrift.detect.segments.bitemporal import cosine_change
from terradrift.detect.segments.settings import Settings

SETTINGS = Settings()


def blocks(y, x, side):
    rows, cols = np.arange(y) // side, np.arange(x) // side
    return (rows[:, None] * (cols[-1] + 1) + cols + 1).astype(np.int32)


def upsampled_means(labels, dense, stride, clear):
    """What the paper computes: the map brought to the pixels, then their mean."""
    rows = np.floor((np.arange(labels.shape[0]) + 0.5) / stride).astype(int)
    cols = np.floor((np.arange(labels.shape[1]) + 0.5) / stride).astype(int)
    full = dense[:, rows][:, :, cols]
    return np.stack(
        [
            full[:, (labels == n) & clear].mean(axis=1)
            for n in range(1, labels.max() + 1)
        ]
    )


@pytest.mark.parametrize(
    ("shape", "cells", "stride"),
    [((24, 32), (6, 8), 4), ((21, 30), (6, 8), 4), ((50, 50), (64, 64), 50 / 64)],
)
def test_region_means_are_those_of_the_upsampled_map(shape, cells, stride):
    rng = np.random.default_rng(0)
    labels = blocks(*shape, 7)
    dense = rng.normal(size=(5, *cells)).astype(np.float32)
    inside = features.overlap(labels, cells, stride)
    found = features.region_means(inside, features.weighted(dense))
    expected = upsampled_means(labels, dense, stride, np.ones(shape, bool))
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert inside.nnz < 4 * labels.size


def test_cells_that_are_not_clear_do_not_count():
    labels = blocks(16, 16, 8)
    dense = np.random.default_rng(0).normal(size=(3, 4, 4)).astype(np.float32)
    clear = np.ones((16, 16), bool)
    clear[:4, :4] = False
    clear[8:, 8:] = False
    dense[:, 0, 3] = np.nan
    cells = features.clear_cells(clear, (4, 4), 4)
    assert cells[0, 0] == 0
    assert cells[0, 1] == 1
    found = features.region_means(
        features.overlap(labels, (4, 4), 4), features.weighted(dense, cells)
    )
    np.testing.assert_allclose(
        found[0], (dense[:, 0, 1] + dense[:, 1, 0] + dense[:, 1, 1]) / 3, atol=1e-6
    )
    assert np.isfinite(found[1]).all()
    assert np.isnan(found[3]).all()
    np.testing.assert_allclose(
        features.clear_share(labels, clear), [0.75, 1, 1, 0], atol=1e-6
    )


def test_cells_that_do_not_cover_the_image_are_refused():
    with pytest.raises(ValueError, match="do not cover an image of 16 x 16"):
        features.overlap(blocks(16, 16, 8), (3, 4), 4)


def test_change_is_one_less_the_cosine():
    before = np.array([[1, 0], [1, 0], [1, 0], [np.nan, 1], [0, 0]], np.float32)
    after = np.array([[2, 0], [0, 3], [-1, 0], [1, 1], [1, 1]], np.float32)
    np.testing.assert_allclose(cosine_change(before, after), [0, 1, 2, np.nan, 1])


def test_novelty_is_the_distance_to_the_most_alike_past():
    rng = np.random.default_rng(0)
    history = rng.normal(size=(4, 6, 5)).astype(np.float32)
    now = rng.normal(size=(6, 5)).astype(np.float32)
    now[0] = 3 * history[2, 0]
    history[:, 1] = np.nan
    history[1, 2] = np.nan
    now[3] = np.nan
    found, date = novelty.novelty(history, now)
    each = np.stack([cosine_change(past, now) for past in history])
    assert found[0] == pytest.approx(0, abs=1e-6)
    assert date[0] == 2
    assert np.isnan(found[[1, 3]]).all()
    assert (date[[1, 3]] == -1).all()
    np.testing.assert_allclose(found[4:], each[:, 4:].min(axis=0), atol=1e-6)
    assert date[2] != 1


def test_every_date_is_scored_against_all_others():
    rng = np.random.default_rng(1)
    given = rng.normal(size=(5, 7, 4)).astype(np.float32)
    given[2, 3] = np.nan
    found = novelty.leave_one_out(given)
    for at in range(5):
        others = np.delete(given, at, axis=0)
        np.testing.assert_allclose(
            found[at], novelty.novelty(others, given[at])[0], atol=1e-6
        )
    assert np.isnan(novelty.leave_one_out(given[:1])).all()


def world(dates, seed, regions=400):
    """Regions of different ground and restlessness; nothing happens."""
    rng = np.random.default_rng(seed)
    ground = rng.normal(size=(regions, 12)) * 3
    restless = rng.uniform(0.1, 0.6, (regions, 1))
    noise = rng.normal(size=(dates, regions, 12)) * restless
    return (ground + noise).astype(np.float32)


def judged(means):
    labels = blocks(20, 20 * means.shape[1] // 400, 1)
    share = np.ones(means.shape[:2], np.float32)
    return judge.judge_means(labels, means, share, settings=SETTINGS)


def test_false_alarms_are_as_many_with_three_past_dates_as_with_seven():
    at = np.array([0.01, 0.05, 0.2])
    rates, raw = [], []
    for past in (3, 7):
        found = [judged(world(past + 1, seed)) for seed in range(40)]
        p = np.concatenate([one.p_value for one in found])
        rates.append([(p <= level).mean() for level in at])
        raw.append(np.concatenate([one.novelty for one in found]))
    rates = np.array(rates)
    # 16,000 regions each: two standard errors are 0.0016, 0.0034 and 0.0063.
    np.testing.assert_allclose(rates, np.tile(at, (2, 1)), atol=0.008)
    assert abs(rates[0, 1] - rates[1, 1]) < 0.006
    # One threshold on novelty itself, as published, is not comparable.
    level = np.quantile(raw[0], 0.95)
    assert (raw[1] > level).mean() < 0.035


def test_histories_of_different_length_side_by_side_alarm_alike():
    short, long = [], []
    for seed in range(40):
        means = world(8, seed)
        means[:4, ::2] = np.nan
        p = judged(means).p_value
        short.append(p[::2])
        long.append(p[1::2])
    for side in (short, long):
        assert (np.concatenate(side) <= 0.05).mean() == pytest.approx(0.05, abs=0.012)


def test_a_planted_change_is_the_least_likely():
    means = world(6, 0)
    means[-1, 7] = -means[-1, 7]
    found = judged(means)
    assert found.p_value.argmin() == 7
    assert found.p_value[7] < 0.005
    assert found.z[7] > 4
    assert found.novelty[7] == pytest.approx(found.novelty.max())


def test_novelty_is_never_more_than_the_change_since_the_latest_date():
    found = judged(world(7, 3))
    assert (found.novelty <= found.change + 1e-6).all()
    assert (found.latest == 5).all()


def test_what_was_seen_before_is_a_change_and_no_novelty():
    means = world(6, 2)
    means[2] = means[2] * [[1] * 6 + [-1] * 6]
    means[-1] = means[2] + 0.01
    found = judged(means)
    assert np.median(found.change) > 0.3
    assert np.median(found.novelty) < 0.01
    assert (found.nearest == 2).all()


def test_the_whole_image_changed_is_kept():
    rng = np.random.default_rng(0)
    stack = ndimage.gaussian_filter(rng.normal(size=(6, 4, 64, 64)), (0, 0, 4, 4))
    stack = (0.2 + 0.02 * stack).astype(np.float32)
    stack[-1, :2] += 0.3
    labels = superpixels.regions(stack[-2], stack[-1], gsd=10, settings=SETTINGS)
    clear = np.isfinite(stack).all(axis=1)
    found = judge.judge(labels, stack, clear, 1, settings=SETTINGS)
    usual = np.quantile(found.scores[:-1], 0.99)
    assert (found.map(found.novelty) > usual).all()
    assert (found.map(found.z) > 3).all()


def test_regions_that_cannot_be_judged_say_why():
    means = world(4, 0, regions=400)
    share = np.ones((4, 400), np.float32)
    share[3, 0] = 0.4
    share[:3, 1] = 0
    share[:2, 2] = 0.1
    means[3, 3] = np.nan
    share[2, 4] = 0.2
    found = judge.judge_means(blocks(20, 20, 1), means, share, settings=SETTINGS)
    assert found.reason[:5].tolist() == [
        judge.NOT_CLEAR,
        judge.NO_HISTORY,
        judge.FEW_REFERENCES,
        judge.NO_FEATURE,
        "",
    ]
    assert np.isnan(found.novelty[[0, 1, 3]]).all()
    assert np.isnan(found.p_value[:4]).all()
    # With one reference both stages say the same.
    assert found.novelty[2] == pytest.approx(found.change[2])
    assert found.n_reference[:5].tolist() == [3, 0, 1, 3, 2]
    assert found.latest[4] == 1
    assert np.isfinite(found.p_value[4])
    assert np.isfinite(found.p_value[5:]).all()


def test_a_first_date_has_no_score_and_no_error():
    found = judged(world(1, 0))
    assert np.isnan(found.novelty).all()
    assert set(found.reason) == {judge.NO_HISTORY}
    two = judged(world(2, 0))
    assert set(two.reason) == {judge.FEW_REFERENCES}
    assert np.isfinite(two.change).all()


def test_scores_do_not_depend_on_dates_that_come_later_or_on_the_order_of_regions():
    means = world(7, 5)
    share = np.ones((7, 400), np.float32)
    labels = blocks(20, 20, 1)
    found = judge.judge_means(labels, means, share, settings=SETTINGS)
    order = np.random.default_rng(0).permutation(400)
    other = judge.judge_means(labels, means[:, order], share, settings=SETTINGS)
    np.testing.assert_allclose(other.p_value, found.p_value[order], atol=1e-6)
    np.testing.assert_allclose(other.z, found.z[order], rtol=1e-3, atol=1e-3)


def test_rough_ground_is_ranked_among_rough_ground():
    rng = np.random.default_rng(0)
    z = rng.normal(size=(6, 600)).astype(np.float32)
    texture = np.repeat([0.1, 0.2, 0.3], 200).astype(np.float32)
    z[:, 400:] *= 5
    apart = novelty.ranked(z, texture)
    together = novelty.ranked(z)
    assert (together[400:] <= 0.05).mean() > 0.1
    assert (apart[400:] <= 0.05).mean() == pytest.approx(0.05, abs=0.03)
    few = novelty.ranked(z[:, ::20], texture[::20])
    np.testing.assert_array_equal(few, novelty.ranked(z[:, ::20]))


def test_texture_is_how_rough_a_region_is():
    labels = blocks(20, 40, 20)
    rng = np.random.default_rng(0)
    image = rng.normal(size=(2, 20, 40)) * np.where(labels == 1, 0.1, 1)
    image[:, 0, 0] = np.nan
    found = features.texture(labels, image.astype(np.float32))
    assert found[1] > 8 * found[0] > 0
    image[:, labels == 2] = np.nan
    assert np.isnan(features.texture(labels, image.astype(np.float32))[1])


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="expected clear pixels of 3 dates"):
        judge.judge(
            blocks(8, 8, 4),
            np.zeros((3, 2, 8, 8), np.float32),
            np.ones((2, 8, 8), bool),
            1,
            settings=SETTINGS,
        )
    history = judge.History(1)
    history.add(np.zeros((2, 8, 8), np.float32), np.ones((8, 8), bool))
    with pytest.raises(ValueError, match=r"as on the dates before, got \(8, 9\)"):
        history.add(np.zeros((2, 8, 9), np.float32), np.ones((8, 9), bool))
