import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from terradrift.embed import lattice

tiles = st.integers(1, 200)


@st.composite
def laid(draw):
    chip = draw(st.integers(1, 90))
    return draw(tiles), chip, draw(st.integers(0, chip - 1))


@given(laid())
def test_chips_cover_the_tile_and_share_at_least_what_is_asked(given_):
    tile, chip, overlap = given_
    first = lattice.starts(tile, chip, overlap)
    assert first[0] <= 0
    assert first[-1] + chip >= tile
    assert (np.diff(first) >= 1).all()
    assert (chip - np.diff(first) >= overlap).all()
    # No step fewer would do.
    steps = len(first) - (overlap > 0)
    assert (steps - 1) * (chip - overlap) < tile


@given(laid())
def test_the_pattern_of_chips_goes_on_over_the_next_tile(given_):
    tile, chip, overlap = given_
    first = lattice.starts(tile, chip, overlap)
    if overlap:
        assert first[-1] == first[0] + tile
    else:
        assert first[0] + tile > first[-1]
        # The same from either end; half tokens are rounded towards the end.
        assert np.abs(first + first[::-1] + chip - tile).max() <= 1


@given(laid())
def test_shares_in_a_token_add_up_to_one(given_):
    tile, chip, overlap = given_
    first = lattice.starts(tile, chip, overlap)
    weights = lattice.weights(first, tile, chip)
    total = np.zeros(tile + 3 * chip)
    for start, row in zip(first, weights, strict=True):
        total[start + chip : start + 2 * chip] += row
    assert (weights >= 0).all()
    np.testing.assert_allclose(total[chip : chip + tile], 1, rtol=1e-5)
    assert not total[:chip].any()
    assert not total[chip + tile :].any()


@given(st.integers(1, 8), st.integers(2, 16), st.integers(0, 10))
def test_a_token_on_a_tiles_border_has_the_same_chips_in_the_same_shares_as_beyond(
    steps, step, more
):
    tile, chip = steps * step, step + 2 + more
    first = lattice.starts(tile, chip, chip - step)
    here = lattice.weights(first, tile, chip)
    # Two tiles as one: what the lattice would be without a border between them.
    both = lattice.weights(
        np.unique(np.concatenate([first, first + tile])), 2 * tile, chip
    )
    np.testing.assert_allclose(here[:-1], both[: len(first) - 1], atol=1e-6)
    inside = first[-1] + np.arange(chip) < tile
    np.testing.assert_allclose(
        here[-1][inside], both[len(first) - 1][inside], atol=1e-6
    )


def test_what_is_linear_in_position_cancels_where_chips_share_half():
    tile, chip = 32, 8
    first = lattice.starts(tile, chip, 4)
    weights = lattice.weights(first, tile, chip)
    position = np.arange(chip)
    total = np.zeros(tile)
    for start, row in zip(first, weights, strict=True):
        inside = (start + position >= 0) & (start + position < tile)
        total[(start + position)[inside]] += (row * position)[inside]
    np.testing.assert_allclose(total, (chip - 1) / 2, rtol=1e-5)


def test_a_share_falls_over_what_two_chips_have_in_common():
    first = lattice.starts(32, 12, 4)
    assert first.tolist() == [-6, 2, 10, 18, 26]
    weights = lattice.weights(first, 32, 12)
    rising = [1 / 8, 3 / 8, 5 / 8, 7 / 8]
    np.testing.assert_allclose(weights[1], [*rising, 1, 1, 1, 1, *rising[::-1]])


def test_chips_that_need_not_overlap_lie_on_their_own_tile():
    assert lattice.starts(32, 16, 0).tolist() == [0, 16]
    assert lattice.starts(32, 14, 0).tolist() == [-2, 9, 20]
    assert lattice.starts(32, 64, 0).tolist() == [-16]


@pytest.mark.parametrize("given_", [(0, 4, 0), (8, 4, 4), (8, 4, -1), (8, 0, 0)])
def test_sizes_that_make_no_lattice_are_refused(given_):
    with pytest.raises(
        ValueError, match="at least one token and an overlap of 0 up to"
    ):
        lattice.starts(*given_)
