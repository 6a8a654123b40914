import numpy as np

from terradrift.detect.half import single


def test_every_half_becomes_the_single_that_a_cast_gives() -> None:
    every = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    for halves in (every, every[np.isfinite(every)].reshape(-1, 4)):
        expected = halves.astype(np.float32)
        found = single(halves)
        assert found.shape == expected.shape
        assert (found.view(np.uint32) == expected.view(np.uint32)).all()


def test_strided_halves_and_other_precisions_are_cast_too() -> None:
    halves = np.arange(24, dtype=np.float16).reshape(4, 6)
    np.testing.assert_array_equal(single(halves[::2, 1::2]), halves[::2, 1::2])
    assert single(halves.astype(np.float64)).dtype == np.float32
    assert single(halves[:0]).shape == (0, 6)
