import numpy as np

from terradrift.detect import observe
from terradrift.detect.analogue import Histories
from terradrift.detect.placebo import Placebo, beside_controls
from terradrift.detect.pool import Pool
from terradrift.detect.settings import Settings

DEFAULTS = Settings(controls=12)


def pool(m: int = 90, t: int = 12, r: int = 4, seed: int = 0) -> Pool:
    random = np.random.default_rng(seed)
    seen = random.random((m, t)) < 0.85
    covers = random.normal(size=(3, 1, r))[np.arange(m) % 3]
    vectors = covers + 0.2 * random.normal(size=(m, t, r))
    return Pool(
        np.array([f"p{k:04d}" for k in range(m)]),
        np.datetime64("2020-01-01", "D") + 12 * np.arange(t),
        np.where(seen[..., None], vectors, 0).astype(np.float32),
        seen,
        np.full((m, t), np.nan, np.float32),
    )


def test_a_member_judged_in_a_block_stands_where_the_pool_has_it() -> None:
    members = pool()
    kept = np.array([3, 50, 51])
    placebo, residual, compared = Placebo.of(members, kept, DEFAULTS, threads=2)
    rows, columns = np.array([50, 3]), np.arange(12)
    block = Histories(members.vectors[rows], members.clear[rows])
    found = observe.beside(block, columns, rows, members, DEFAULTS)
    ranked = placebo.rank(found, columns, rows, DEFAULTS)
    np.testing.assert_array_equal(ranked.z, placebo.z[rows])
    np.testing.assert_allclose(found.length, placebo.length[rows], rtol=1e-5)
    np.testing.assert_allclose(residual[[1, 0]], found.residual, atol=1e-5)
    np.testing.assert_array_equal(compared[[1, 0]], found.count > 0)
    whole, _ = placebo.ranks.p_value(placebo.z, columns, np.arange(90))
    np.testing.assert_array_equal(ranked.p_value, whole[rows])


def test_z_is_of_the_distances_of_the_controls_to_their_own() -> None:
    length = np.array([[5.0], [np.nan]], np.float32)
    usual = np.arange(1.0, 10.0, dtype=np.float32)[:, None]
    index = np.arange(9, dtype=np.int32)[None, None].repeat(2, axis=0)
    rules = Settings(controls=9, min_controls=9, floor=0.0)
    z = beside_controls(length, index, usual, rules)
    assert z[0, 0] == 0  # at their median
    assert np.isnan(z[1, 0])
    more = beside_controls(length + 4, index, usual, rules)
    np.testing.assert_allclose(more[0, 0], 4 / (1.4826 * 2), rtol=1e-4)
    usual[2] = np.nan
    assert np.isnan(beside_controls(length, index, usual, rules)).all()


def test_the_nearest_controls_are_given_in_order_and_padded() -> None:
    members = pool()
    block = Histories(members.vectors[:5], members.clear[:5])
    rules = Settings(controls=8)
    found = observe.beside(block, np.arange(12), np.arange(5), members, rules)
    row, at = np.nonzero(found.count > 0)
    near = found.controls_at(row, at)
    assert near.shape == (len(row), 10)
    assert (near[:, 8:] == -1).all()
    np.testing.assert_array_equal((near >= 0).sum(axis=1), found.count[row, at])
    assert (near != row[:, None]).all()
