"""What every installed detector of series promises."""

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from terradrift import plugins
from terradrift.detect.protocol import SeriesDetector

Days = NDArray[np.datetime64]
Vectors = NDArray[np.float16]
Clear = NDArray[np.bool_]


@pytest.fixture(params=plugins.names(plugins.DETECTORS))
def make(request: pytest.FixtureRequest) -> Callable[[], SeriesDetector]:
    return plugins.load(plugins.DETECTORS, request.param)


@pytest.fixture(scope="module")
def walk() -> tuple[Days, Vectors, Clear]:
    """48 patches over 48 acquisitions with a season, two of three clear, no change.

    More patches are clear on a date than vectors are long, as a covariance of the scene
    needs.
    """
    random = np.random.default_rng(7)
    days = np.datetime64("2017-03-01", "D") + np.arange(48) * 10
    phase = 2 * np.pi * np.arange(48) * 10 / 365.25
    season = np.stack([np.cos(phase), np.sin(phase)], axis=1) @ random.normal(
        size=(2, 16)
    )
    vectors = 5 + 0.3 * season + 0.1 * random.normal(size=(48, 48, 16))
    return days, vectors.astype(np.float16), random.random((48, 48)) < 0.67


def same(one: NDArray[np.float32], other: NDArray[np.float32]) -> None:
    np.testing.assert_array_equal(np.isnan(one), np.isnan(other))
    np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_it_is_a_frozen_dataclass_with_defaults(
    make: Callable[[], SeriesDetector],
) -> None:
    detector = make()
    assert dataclasses.is_dataclass(detector)
    assert type(detector).__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert repr(detector).startswith(type(detector).__name__ + "(")


def test_scores_have_the_shape_of_the_observations_and_are_null_where_not_clear(
    make: Callable[[], SeriesDetector], walk: tuple[Days, Vectors, Clear]
) -> None:
    days, vectors, clear = walk
    scores = make().detect(days, vectors, clear)
    assert scores.shape == clear.shape
    assert scores.dtype == np.float32
    assert np.isnan(scores[~clear]).all()
    assert np.isfinite(scores[:, 24:][clear[:, 24:]]).mean() > 0.9
    assert not np.isinf(scores).any()


def test_input_is_left_as_it_was_and_twice_is_the_same(
    make: Callable[[], SeriesDetector], walk: tuple[Days, Vectors, Clear]
) -> None:
    days, vectors, clear = (array.copy() for array in walk)
    first = make().detect(days, vectors, clear)
    second = make().detect(days, vectors, clear)
    np.testing.assert_array_equal(first, second)
    for array, before in zip((days, vectors, clear), walk, strict=True):
        np.testing.assert_array_equal(array, before)


def test_what_is_not_clear_is_not_read(
    make: Callable[[], SeriesDetector], walk: tuple[Days, Vectors, Clear]
) -> None:
    days, vectors, clear = walk
    other = vectors.copy()
    other[~clear] = np.nan
    same(make().detect(days, vectors, clear), make().detect(days, other, clear))


def test_later_days_do_not_change_earlier_scores(
    make: Callable[[], SeriesDetector], walk: tuple[Days, Vectors, Clear]
) -> None:
    days, vectors, clear = walk
    other, more = vectors.copy(), clear.copy()
    other[:, 30:] = -3
    more[:, 30:] = True
    detector = make()
    whole = detector.detect(days, vectors, clear)[:, :30]
    same(whole, detector.detect(days, other, more)[:, :30])
    same(whole, detector.detect(days[:30], vectors[:, :30], clear[:, :30]))


def test_the_order_of_patches_does_not_matter(
    make: Callable[[], SeriesDetector], walk: tuple[Days, Vectors, Clear]
) -> None:
    days, vectors, clear = walk
    order = np.random.default_rng(1).permutation(len(vectors))
    detector = make()
    same(
        detector.detect(days, vectors, clear)[order],
        detector.detect(days, vectors[order], clear[order]),
    )


def test_a_planted_step_stands_out_among_the_patches(
    make: Callable[[], SeriesDetector], walk: tuple[Days, Vectors, Clear]
) -> None:
    days, vectors, clear = walk
    changed, seen = vectors.copy(), clear.copy()
    changed[3, 40:, :8] += 4
    seen[:, 40] = True
    scores = make().detect(days, changed, seen)
    assert np.nanargmax(scores[:, 40]) == 3


def test_short_and_empty_series_abstain(make: Callable[[], SeriesDetector]) -> None:
    detector = make()
    one_day = np.array(["2020-01-01"], "datetime64[D]")
    scores = detector.detect(
        one_day, np.ones((3, 1, 4), np.float16), np.ones((3, 1), bool)
    )
    assert scores.shape == (3, 1)
    assert np.isnan(scores).all()
    none = detector.detect(
        one_day[:0], np.ones((3, 0, 4), np.float16), np.ones((3, 0), bool)
    )
    assert none.shape == (3, 0)
    no_patch = detector.detect(
        one_day, np.ones((0, 1, 4), np.float16), np.ones((0, 1), bool)
    )
    assert no_patch.shape == (0, 1)


def test_a_series_never_clear_abstains(
    make: Callable[[], SeriesDetector], walk: tuple[Days, Vectors, Clear]
) -> None:
    days, vectors, clear = walk
    scores = make().detect(days, vectors, np.zeros_like(clear))
    assert np.isnan(scores).all()


def test_one_date_is_no_series(make: Callable[[], SeriesDetector]) -> None:
    random = np.random.default_rng(2)
    day = np.array(["2020-01-01"], "datetime64[D]")
    vectors = random.normal(size=(40, 1, 5)).astype(np.float16)
    scores = make().detect(day, vectors, np.ones((40, 1), bool))
    assert np.isnan(scores).all()


def test_nothing_is_said_of_a_first_clear_observation(
    make: Callable[[], SeriesDetector], walk: tuple[Days, Vectors, Clear]
) -> None:
    days, vectors, clear = walk
    scores = make().detect(days, vectors, clear)
    first = clear.argmax(axis=1)
    assert np.isnan(scores[np.arange(len(scores)), first]).all()


@pytest.mark.parametrize("length", [1, 2, 3, 70])
def test_vectors_may_be_of_any_length(
    make: Callable[[], SeriesDetector],
    walk: tuple[Days, Vectors, Clear],
    length: int,
) -> None:
    days, _, clear = walk
    random = np.random.default_rng(length)
    vectors = (3 + random.normal(size=(*clear.shape, length))).astype(np.float16)
    scores = make().detect(days, vectors, clear)
    assert scores.shape == clear.shape
    assert np.isnan(scores[~clear]).all()
    assert not np.isinf(scores).any()


def test_float32_vectors_score_like_float16(
    make: Callable[[], SeriesDetector], walk: tuple[Days, Vectors, Clear]
) -> None:
    days, vectors, clear = walk
    wide = vectors.astype(np.float32)
    same(make().detect(days, vectors, clear), make().detect(days, wide, clear))
