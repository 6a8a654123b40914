import numpy as np
import pytest

from terradrift.detect.features import components, features, unit


def test_components_keep_distances_where_rows_span_few_dimensions() -> None:
    random = np.random.default_rng(0)
    rows = random.normal(size=(60, 3)) @ random.normal(size=(3, 20)) + 7
    short = components(rows, 10)
    assert short.shape == (60, 3)
    np.testing.assert_allclose(
        np.linalg.norm(short[:, None] - short, axis=2),
        np.linalg.norm(rows[:, None] - rows, axis=2),
        rtol=1e-4,
        atol=1e-4,
    )


def test_components_are_those_of_scikit_learn_but_for_their_sign() -> None:
    from sklearn.decomposition import PCA

    rows = np.random.default_rng(1).normal(size=(200, 12)) * np.arange(1, 13)
    peer = PCA(5).fit_transform(rows)
    np.testing.assert_allclose(
        np.abs(components(rows, 5)), np.abs(peer), rtol=1e-3, atol=1e-3
    )


@pytest.mark.parametrize("shape", [(40, 600), (530, 520), (60, 80)])
def test_few_rows_and_many_columns_have_the_components_of_scikit_learn(
    shape: tuple[int, int],
) -> None:
    from sklearn.decomposition import PCA

    random = np.random.default_rng(7)
    rows = random.normal(size=shape) * np.geomspace(8, 0.1, shape[1])
    peer = PCA(6, svd_solver="full").fit_transform(rows)
    np.testing.assert_allclose(
        np.abs(components(rows, 6)), np.abs(peer), rtol=1e-3, atol=1e-2
    )


def test_many_columns_of_rows_that_are_all_alike_have_no_components() -> None:
    found = components(np.ones((520, 515), np.float32), 4)
    assert found.shape == (520, 1)
    assert not found.any()


def test_the_sign_of_components_does_not_depend_on_the_order_of_rows() -> None:
    random = np.random.default_rng(2)
    rows = random.normal(size=(50, 8)) * np.arange(1, 9)
    order = random.permutation(50)
    np.testing.assert_allclose(
        components(rows, 8)[order], components(rows[order], 8), atol=1e-4
    )


def test_strength_does_not_count_and_state_counts_as_asked() -> None:
    random = np.random.default_rng(3)
    before, delta = random.normal(size=(2, 40, 6))
    alone = features(before, delta, dimensions=12, state=0)
    stronger = features(before, 5 * delta, dimensions=12, state=0)
    np.testing.assert_allclose(alone, stronger, atol=1e-5)
    assert alone.shape == (40, 6)
    assert features(before, delta, dimensions=12, state=1).shape == (40, 12)


def test_rows_of_no_length_point_nowhere() -> None:
    assert unit(np.zeros((2, 3))).tolist() == [[0, 0, 0], [0, 0, 0]]
    assert components(np.ones((5, 3)), 2).tolist() == [[0]] * 5
    assert components(np.empty((0, 3)), 2).shape == (0, 1)
