import numpy as np
import pytest

from terradrift.detect import gram


@pytest.fixture(params=["on", "off"])
def either(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiled kernels and their twins, one after the other."""
    monkeypatch.setenv("TERRADRIFT_KERNELS", request.param)


@pytest.mark.usefixtures("either")
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
@pytest.mark.parametrize(
    "shape", [(3, 1, 1), (4, 7, 16), (5, 12, 33), (2, 30, 300), (1, 9, 1024)]
)
def test_cosines_are_those_of_every_pair(
    shape: tuple[int, int, int], dtype: type
) -> None:
    random = np.random.default_rng(shape[2])
    vectors = (0.3 + random.normal(size=shape)).astype(dtype)
    clear = random.random(shape[:2]) < 0.8
    wide = vectors.astype(np.float64)
    wide /= np.linalg.norm(wide, axis=2, keepdims=True)
    both = clear[:, :, None] & clear[:, None, :]
    expected = np.where(both, wide @ wide.transpose(0, 2, 1), 0)
    vectors[~clear] = np.nan
    found = gram.cosines(vectors, clear)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected, atol=1e-6)
    np.testing.assert_allclose(found, found.transpose(0, 2, 1), atol=2e-7)


@pytest.mark.usefixtures("either")
def test_zeros_have_no_direction() -> None:
    vectors = np.ones((1, 3, 5), np.float16)
    vectors[0, 1] = 0
    found = gram.cosines(vectors, np.ones((1, 3), bool))
    np.testing.assert_allclose(found[0], [[1, 0, 1], [0, 0, 0], [1, 0, 1]], atol=1e-6)


@pytest.mark.usefixtures("either")
@pytest.mark.parametrize("shape", [(0, 4, 3), (4, 0, 3), (2, 3, 0)])
def test_empty_arrays(shape: tuple[int, int, int]) -> None:
    found = gram.cosines(np.zeros(shape, np.float16), np.ones(shape[:2], bool))
    assert found.shape == (shape[0], shape[1], shape[1])
    assert not found.any()


def test_bad_arguments_are_refused() -> None:
    clear = np.ones((2, 3), bool)
    with pytest.raises(ValueError, match="expected vectors"):
        gram.cosines(np.zeros((2, 4, 5), np.float16), clear)
    with pytest.raises(ValueError, match="must be float16 or float32, got float64"):
        gram.cosines(np.zeros((2, 3, 5)), clear)
