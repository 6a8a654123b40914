import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from terradrift.store import hilbert


@given(bits=st.integers(1, 5))
def test_the_curve_meets_every_cell_once_and_steps_to_a_neighbour(bits: int) -> None:
    side = 1 << bits
    x, y = (axis.ravel() for axis in np.meshgrid(np.arange(side), np.arange(side)))
    along = hilbert.distance(x, y, bits)
    assert sorted(along.tolist()) == list(range(side * side))
    order = np.argsort(along)
    steps = np.abs(np.diff(x[order])) + np.abs(np.diff(y[order]))
    assert (steps == 1).all()


@given(x=st.integers(0, 2**21 - 1), y=st.integers(0, 2**21 - 1))
def test_far_cells_have_a_place_too(x: int, y: int) -> None:
    (along,) = hilbert.distance(np.array([x]), np.array([y]))
    assert 0 <= along < 2**42
