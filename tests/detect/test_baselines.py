"""Baselines against their formulas, written out plainly."""

import numpy as np
import pytest
from numpy.typing import NDArray

from terradrift.detect.difference import BandDifference, IndexDifference
from terradrift.detect.median import TemporalMedian, past_mad, past_median
from terradrift.detect.previous import PreviousDate
from terradrift.detect.rx import Rx, RxDifference, mahalanobis
from terradrift.detect.rx_temporal import RxTemporal, shrunk

N, T, D = 30, 20, 4


@pytest.fixture
def days() -> NDArray[np.datetime64]:
    return np.datetime64("2020-01-01") + 10 * np.arange(T)


@pytest.fixture
def vectors() -> NDArray[np.float32]:
    return np.random.default_rng(0).normal(3, 1, (N, T, D)).astype(np.float32)


@pytest.fixture
def clear() -> NDArray[np.bool_]:
    return np.random.default_rng(1).random((N, T)) < 0.6


def past(vectors, clear, row, at):
    return vectors[row, :at][clear[row, :at]].astype(float)


def expected(clear, least, score):
    """(n, t) of `score(row, at)` where clear, after `least` clear dates."""
    out = np.full(clear.shape, np.nan)
    for row, at in zip(*np.nonzero(clear), strict=True):
        if clear[row, :at].sum() >= least:
            out[row, at] = score(row, at)
    return out


def test_past_medians_and_deviations_are_numpys(vectors, clear):
    known = np.where(clear[..., None], vectors, np.nan)
    known[2, 5, 1] = np.nan  # one value of an observation
    for at in range(1, T):
        with np.testing.suppress_warnings() as quiet:
            quiet.filter(RuntimeWarning)
            median = np.nanmedian(known[:, :at], axis=1)
            mad = np.nanmedian(np.abs(known[:, :at] - median[:, None]), axis=1)
        np.testing.assert_allclose(past_median(known)[:, at], median, rtol=1e-6)
        np.testing.assert_allclose(past_mad(known)[:, at], mad, rtol=1e-5, atol=1e-6)


def test_temporal_median(days, vectors, clear):
    def score(row, at):
        median = np.median(past(vectors, clear, row, at), axis=0)
        return np.abs(vectors[row, at] - median).mean()

    scores = TemporalMedian().detect(days, vectors, clear)
    np.testing.assert_allclose(scores, expected(clear, 1, score), rtol=1e-5)


def test_less_past_than_asked_for_is_no_past(days, vectors, clear):
    few = clear.cumsum(axis=1) - clear < 4
    for detector in (
        TemporalMedian(min_past=4),
        RxDifference(min_past=4),
        BandDifference(min_past=4),
        IndexDifference(min_past=4),
        RxTemporal(min_past=4),
    ):
        scores = detector.detect(days, vectors[..., :3], clear)
        assert np.isnan(scores[few]).all()
        assert np.isfinite(scores[~few & clear]).mean() > 0.8


def test_robust_temporal_median_counts_in_spreads_of_the_past(days, vectors, clear):
    def spread(row, at):
        before = past(vectors, clear, row, at)
        return 1.4826 * np.median(np.abs(before - np.median(before, axis=0)), axis=0)

    def score(row, at):
        rows = [i for i in range(N) if clear[i, :at].sum() >= 3]
        usual = np.median([spread(i, at) for i in rows], axis=0)
        median = np.median(past(vectors, clear, row, at), axis=0)
        away = np.abs(vectors[row, at] - median)
        return (away / (spread(row, at) + 0.3 * usual)).mean()

    scores = TemporalMedian(robust=True, min_past=3).detect(days, vectors, clear)
    np.testing.assert_allclose(scores, expected(clear, 3, score), rtol=1e-4)


@pytest.mark.parametrize("distance", ["cosine", "euclidean"])
def test_previous_date(days, vectors, clear, distance):
    def score(row, at):
        now, then = vectors[row, at], past(vectors, clear, row, at)[-1]
        if distance == "euclidean":
            return np.linalg.norm(now - then)
        return 1 - now @ then / np.linalg.norm(now) / np.linalg.norm(then)

    scores = PreviousDate(distance=distance).detect(days, vectors, clear)
    np.testing.assert_allclose(scores, expected(clear, 1, score), rtol=1e-4, atol=1e-6)


def test_index_difference_takes_the_largest_known(days, vectors, clear):
    indices = vectors[..., :3].copy()
    indices[..., 2] = np.nan  # no green band, no NDWI

    def score(row, at, columns):
        median = np.median(past(indices, clear, row, at), axis=0)
        return np.abs(indices[row, at] - median)[columns].max()

    largest = IndexDifference().detect(days, indices, clear)
    np.testing.assert_allclose(
        largest, expected(clear, 1, lambda r, t: score(r, t, [0, 1])), rtol=1e-5
    )
    nbr = IndexDifference(index="nbr").detect(days, indices, clear)
    np.testing.assert_allclose(
        nbr, expected(clear, 1, lambda r, t: score(r, t, [1])), rtol=1e-5
    )
    assert np.isnan(IndexDifference(index="ndwi").detect(days, indices, clear)).all()


def test_band_difference(days, vectors, clear):
    def score(row, at):
        median = np.median(past(vectors, clear, row, at), axis=0)
        return np.abs(vectors[row, at] - median)

    one = BandDifference(band=2).detect(days, vectors, clear)
    most = BandDifference().detect(days, vectors, clear)
    np.testing.assert_allclose(
        one, expected(clear, 1, lambda r, t: score(r, t)[2]), rtol=1e-5
    )
    np.testing.assert_allclose(
        most, expected(clear, 1, lambda r, t: score(r, t).max()), rtol=1e-5
    )


def mahalanobis_plainly(row, rows):
    apart = row - rows.mean(axis=0)
    covariance = np.cov(rows.T, bias=True)
    return apart @ np.linalg.pinv(covariance) @ apart


def test_rx_judges_among_the_patches_of_the_date(days, vectors, clear):
    def score(row, at):
        scene = vectors[clear[:, at], at].astype(float)
        return mahalanobis_plainly(vectors[row, at].astype(float), scene)

    scores = Rx().detect(days, vectors, clear)
    np.testing.assert_allclose(scores, expected(clear, 1, score), rtol=1e-4)


def test_rx_difference_judges_the_change(days, vectors, clear):
    def apart(row, at):
        return vectors[row, at] - np.median(past(vectors, clear, row, at), axis=0)

    def score(row, at):
        rows = [i for i in range(N) if clear[i, at] and clear[i, :at].any()]
        if len(rows) < D + 2:
            return np.nan
        scene = np.array([apart(i, at) for i in rows])
        return mahalanobis_plainly(apart(row, at), scene)

    scores = RxDifference().detect(days, vectors, clear)
    assert np.isfinite(scores[:, -5:][clear[:, -5:]]).all()
    np.testing.assert_allclose(scores, expected(clear, 1, score), rtol=1e-3)


def test_rx_abstains_where_all_distances_are_equal():
    random = np.random.default_rng(0)
    assert np.isnan(mahalanobis(random.normal(size=(5, 4)))).all()  # always n - 1 = 4
    assert np.isfinite(mahalanobis(random.normal(size=(6, 4)))).all()
    assert np.isnan(mahalanobis(np.ones((9, 4)))).all()


def test_rx_ignores_an_axis_without_variance():
    rows = np.random.default_rng(0).normal(size=(12, 2))
    doubled = np.concatenate([rows, rows], axis=1)
    np.testing.assert_allclose(mahalanobis(doubled), mahalanobis(rows), rtol=1e-6)


def test_shrinkage_is_that_of_ledoit_and_wolf():
    from sklearn.covariance import ledoit_wolf

    random = np.random.default_rng(3)
    mixing = random.normal(size=(5, 5))
    for count in (5, 8, 40):
        rows = random.normal(size=(count, 5)) @ mixing
        centered = rows - rows.mean(axis=0)
        padded = np.concatenate([centered, np.zeros((3, 5))])[None]
        mine, flat = shrunk(padded, np.array([count]))
        theirs, _ = ledoit_wolf(rows)
        assert not flat.any()
        np.testing.assert_allclose(mine[0], theirs, rtol=1e-6, atol=1e-6)


def test_rx_temporal_judges_against_the_own_past(days, vectors, clear):
    from sklearn.covariance import ledoit_wolf

    def score(row, at):
        before = past(vectors, clear, row, at)
        covariance, _ = ledoit_wolf(before)
        apart = vectors[row, at] - before.mean(axis=0)
        return apart @ np.linalg.solve(covariance, apart)

    scores = RxTemporal().detect(days, vectors, clear)
    np.testing.assert_allclose(scores, expected(clear, 5, score), rtol=1e-3)


def test_rx_temporal_abstains_where_the_past_never_moved(days):
    vectors = np.ones((2, T, D), np.float32)
    vectors[:, -1] = 5
    scores = RxTemporal().detect(days, vectors, np.ones((2, T), bool))
    assert np.isnan(scores).all()


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda: PreviousDate(distance="manhattan"), "cosine, euclidean"),
        (lambda: TemporalMedian(min_past=0), "at least 1, got 0"),
        (lambda: TemporalMedian(floor=-1), "not be negative, got -1"),
        (lambda: IndexDifference(index="evi"), "ndvi, nbr, ndwi, got 'evi'"),
        (lambda: IndexDifference(min_past=0), "at least 1, got 0"),
        (lambda: BandDifference(band=-1), "0 or more, got -1"),
        (lambda: BandDifference(min_past=0), "at least 1, got 0"),
        (lambda: RxDifference(min_past=0), "at least 1, got 0"),
        (lambda: RxTemporal(min_past=1), "at least 2, got 1"),
    ],
)
def test_parameters_out_of_range_are_refused(make, words):
    with pytest.raises(ValueError, match=words):
        make()


def test_a_band_that_is_not_there_is_refused(days, vectors, clear):
    with pytest.raises(ValueError, match="more than 7 columns, got 4"):
        BandDifference(band=7).detect(days, vectors, clear)


def test_shapes_that_do_not_go_together_are_refused(days, vectors, clear):
    with pytest.raises(ValueError, match="expected days"):
        TemporalMedian().detect(days, vectors, clear[:, :5])
