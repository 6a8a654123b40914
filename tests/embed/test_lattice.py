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
    # No chip fewer would do.
    assert (len(first) - 1) * (chip - overlap) < tile


@given(laid())
def test_chips_lie_in_the_same_way_from_either_end_of_the_tile(given_):
    tile, chip, overlap = given_
    first = lattice.starts(tile, chip, overlap)
    from_the_end = tile - (first[::-1] + chip)
    # Half tokens are rounded towards the end.
    assert np.abs(first - from_the_end).max() <= 1
    step = tile / len(first)
    assert np.abs(np.diff(first) - step).max(initial=0) < 1


@given(laid())
def test_shares_in_a_token_add_up_to_one(given_):
    tile, chip, overlap = given_
    first = lattice.starts(tile, chip, overlap)
    weights = lattice.weights(first, tile, chip)
    total = np.zeros(tile + 2 * chip)
    for start, row in zip(first, weights, strict=True):
        total[start + chip : start + 2 * chip] += row
    np.testing.assert_allclose(total[chip : chip + tile], 1, rtol=1e-5)
    assert not total[:chip].any()
    assert not total[chip + tile :].any()


def test_a_share_falls_towards_the_border_of_its_chip():
    first = lattice.starts(32, 14, 3)
    weights = lattice.weights(first, 32, 14)
    np.testing.assert_allclose(weights[1, :4], [1 / 6, 1 / 2, 5 / 6, 1], rtol=1e-6)
    np.testing.assert_allclose(weights[1, ::-1], weights[1])


def test_tiles_beside_each_other_are_reached_into_alike():
    first = lattice.starts(32, 14, 3)
    assert first.tolist() == [-2, 9, 20]
    assert lattice.reach(first, 32, 14) == 2
    assert lattice.reach(lattice.starts(32, 16, 0), 32, 16) == 0
    assert lattice.reach(lattice.starts(32, 64, 16), 32, 64) == 16


@pytest.mark.parametrize("given_", [(0, 4, 0), (8, 4, 4), (8, 4, -1), (8, 0, 0)])
def test_sizes_that_make_no_lattice_are_refused(given_):
    with pytest.raises(
        ValueError, match="at least one token and an overlap of 0 up to"
    ):
        lattice.starts(*given_)
