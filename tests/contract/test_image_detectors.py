"""What every installed image detector promises; those that must be trained are tested apart."""

import dataclasses
from collections.abc import Callable

import numpy as np
import pytest

from terradrift import plugins
from terradrift.detect.image.protocol import ImageDetector
from terradrift.stack import Stack
from tests.detect.stacks import noisy

_READY = [
    name
    for name in plugins.names(plugins.IMAGE_DETECTORS)
    if not hasattr(plugins.load(plugins.IMAGE_DETECTORS, name), "trained")
]


@pytest.fixture(params=_READY)
def make(request: pytest.FixtureRequest) -> Callable[[], ImageDetector]:
    return plugins.load(plugins.IMAGE_DETECTORS, request.param)


@pytest.fixture
def stack() -> Stack:
    return noisy(14, 4, 40, seed=3)


def test_it_is_a_frozen_dataclass_with_defaults(
    make: Callable[[], ImageDetector],
) -> None:
    detector = make()
    assert type(detector).__dataclass_params__.frozen  # type: ignore[attr-defined]
    assert repr(detector).startswith(type(detector).__name__ + "(")
    assert detector.halo_px >= 0
    assert (type(detector).__doc__ or "").partition("\n")[0].endswith(".")


def test_the_last_frame_is_scored_where_it_is_clear(
    make: Callable[[], ImageDetector], stack: Stack
) -> None:
    found = make().detect(stack)
    clear = np.isfinite(stack.pixels[-1]).all(axis=0)
    assert found.score.shape == stack.pixels.shape[2:]
    assert found.score.dtype == np.float32
    assert np.isnan(found.score[~clear]).all()
    assert np.isfinite(found.score[clear]).mean() > 0.9
    assert not np.isinf(found.score).any()
    for extra in (found.expected, found.scale):
        if extra is not None:
            assert extra.shape == stack.pixels.shape[1:]
            assert extra.dtype == np.float32


def test_input_is_left_as_it_was_and_twice_is_the_same(
    make: Callable[[], ImageDetector], stack: Stack
) -> None:
    before = stack.pixels.copy()
    first, second = make().detect(stack), make().detect(stack)
    np.testing.assert_array_equal(first.score, second.score)
    np.testing.assert_array_equal(stack.pixels, before)


def test_nothing_of_the_last_frame_is_in_what_was_expected_of_it(
    make: Callable[[], ImageDetector], stack: Stack
) -> None:
    first = make().detect(stack)
    stack.pixels[-1] = np.nan_to_num(stack.pixels[-1], nan=0.9) + np.float32(0.3)
    second = make().detect(stack)
    for one, other in (
        (first.expected, second.expected),
        (first.scale, second.scale),
    ):
        assert (one is None) == (other is None)
        if one is not None and other is not None:
            np.testing.assert_array_equal(one, other)


def test_what_is_not_clear_is_not_read(
    make: Callable[[], ImageDetector], stack: Stack
) -> None:
    """A pixel that is known in some bands only is not clear in the last frame."""
    stack.pixels[-1, 0, 5, :] = np.nan
    stack.pixels[-1, 1:, 5, :] = 0.9
    first = make().detect(stack).score
    stack.pixels[-1, 1:, 5, :] = 0.1
    np.testing.assert_array_equal(make().detect(stack).score, first)
    assert np.isnan(first[5]).all()


def test_one_frame_and_nothing_clear_are_abstained_from(
    make: Callable[[], ImageDetector], stack: Stack
) -> None:
    alone = dataclasses.replace(stack.upto(0), pixels=stack.pixels[-1:])
    if type(make()).__name__ != "Rx":  # it looks at one frame
        assert np.isnan(make().detect(alone).score).all()
    stack.pixels[-1] = np.nan
    assert np.isnan(make().detect(stack).score).all()
    stack.pixels[:] = np.nan
    assert np.isnan(make().detect(stack).score).all()


def test_a_planted_square_stands_out(
    make: Callable[[], ImageDetector],
) -> None:
    stack = noisy(16, 5, 48, seed=5, cloud=0.2, noise=0.01)
    stack.pixels[-1, :, 20:26, 20:26] += np.linspace(0.4, -0.2, 5, dtype=np.float32)[
        :, None, None
    ]
    score = make().detect(stack).score
    inside = score[20:26, 20:26]
    inside = inside[np.isfinite(inside)]
    assert np.median(inside) > np.nanquantile(score, 0.95)


def test_a_score_depends_on_no_more_ground_than_it_says(
    make: Callable[[], ImageDetector],
) -> None:
    """All windows cut smaller give the same, but of those that say `frame`: theirs do not."""
    detector = make()
    halo, side = detector.halo_px, 16 + 2 * detector.halo_px + 8
    stack = noisy(12, 4, side, seed=6, cloud=0.1)
    whole = detector.detect(stack).score
    cut = slice(4, side - 4)
    part = detector.detect(
        dataclasses.replace(stack, pixels=stack.pixels[:, :, cut, cut])
    ).score
    inner = slice(4 + halo, 4 + halo + 16)
    local = slice(halo, halo + 16)
    alike = np.allclose(
        part[local, local], whole[inner, inner], rtol=1e-4, equal_nan=True
    )
    assert alike is not getattr(detector, "frame", False)
