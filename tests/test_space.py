import numpy as np
import pytest

from terradrift import space


def collapsed(n=400, d=12, seed=0):
    """Vectors that share one large component, as networks with a last LayerNorm give."""
    rng = np.random.default_rng(seed)
    loudness = np.geomspace(1, 0.05, d)
    return (10 + rng.normal(0, loudness, (n, d))).astype(np.float32)


def cosines(vectors):
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    return (unit @ unit.T)[np.triu_indices(len(vectors), 1)]


def in_batches(vectors, size=64):
    return (vectors[at : at + size] for at in range(0, len(vectors), size))


@pytest.mark.parametrize("name", space.NAMES)
def test_cosines_that_had_collapsed_spread_around_zero(name):
    vectors = collapsed()
    assert cosines(vectors).min() > 0.97
    found = space.fit(name, in_batches(vectors), 12, 1)
    spread = cosines(found.place(vectors))
    assert abs(spread.mean()) < 0.02
    assert spread.min() < -0.5


def test_whitening_makes_directions_equally_loud_but_for_the_shrinkage():
    vectors = collapsed(4000)
    found = space.fit("whiten", in_batches(vectors), 12, 1)
    covariance = np.cov(found.place(vectors), rowvar=False)
    variances = np.linalg.eigvalsh(np.cov(vectors, rowvar=False))[::-1]
    shrunken = variances / (variances + space.SHRINKAGE * variances.mean())
    np.testing.assert_allclose(covariance, np.diag(shrunken), atol=2e-3)


def test_directions_without_variance_are_left_out():
    vectors = collapsed(300, 6)
    vectors = np.concatenate([vectors, vectors[:, :2]], axis=1)
    found = space.fit("whiten", in_batches(vectors), 8, 1)
    assert found.matrix.shape == (8, 6)


@pytest.mark.parametrize("name", space.NAMES)
def test_a_step_is_the_difference_of_two_places(name):
    vectors = collapsed()
    found = space.fit(name, in_batches(vectors), 12, 1)
    a, b = vectors[:50], vectors[50:100]
    np.testing.assert_allclose(
        found.step(a - b), found.place(a) - found.place(b), atol=1e-4
    )


@pytest.mark.parametrize("name", space.NAMES)
def test_batches_do_not_matter(name):
    vectors = collapsed()
    one = space.fit(name, iter([vectors]), 12, 1)
    many = space.fit(name, in_batches(vectors, 7), 12, 1)
    np.testing.assert_allclose(one.place(vectors), many.place(vectors), atol=1e-4)


def test_histories_are_placed_where_clear_and_zero_elsewhere():
    vectors = collapsed(60).reshape(5, 12, 12).astype(np.float16)
    clear = np.random.default_rng(1).random((5, 12)) < 0.6
    found = space.fit("centre", iter([vectors.reshape(-1, 12)]), 12, 1)
    placed = space.placed(vectors, clear, found)
    np.testing.assert_array_equal(placed[clear], found.place(vectors[clear]))
    assert not placed[~clear].any()
    assert space.placed(vectors, clear, None) is vectors


def test_what_cannot_be_fitted_is_refused():
    with pytest.raises(ValueError, match="one of raw, centre, whiten, got 'zca'"):
        space.fit("zca", iter([collapsed()]), 12, 1)
    with pytest.raises(ValueError, match="at least two vectors, got 1"):
        space.fit("centre", iter([collapsed(1)]), 12, 1)
    with pytest.raises(ValueError, match="all are the same"):
        space.fit("whiten", iter([np.full((9, 12), 7.0)]), 12, 1)
