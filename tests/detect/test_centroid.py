import numpy as np
import pytest

from terradrift import kernels
from terradrift.detect import centroid
from terradrift.detect.fixed import CentroidDrift

SCORES = ("drift", "z", "cusum")
WAYS = {"wide": 1, "narrow": 2, "any": 3}


@pytest.fixture(params=["on", "off"])
def either(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiled kernels and their twins, one after the other."""
    monkeypatch.setenv("TERRADRIFT_KERNELS", request.param)


def patches(n: int = 7, t: int = 24, d: int = 37, dtype=np.float16):
    """A walk with a step, two of three clear; what is not clear is NaN."""
    random = np.random.default_rng(n + t + d)
    vectors = 2 + random.normal(size=(n, t, d))
    vectors[: n // 2, 2 * t // 3 :] += random.normal(size=d)
    clear = random.random((n, t)) < 0.7
    vectors[~clear] = np.nan
    return vectors.astype(dtype), clear


def written_out(vectors, clear, reference, *, robust: bool):
    """One patch in float64, step by step."""
    t = len(vectors)
    wide = vectors.astype(np.float64)
    length = np.linalg.norm(wide, axis=1, keepdims=True)
    turned = wide / np.where(length > 0, length, 1)
    members = turned[reference]

    def distance(one, others) -> float:
        center = others.sum(axis=0)
        return 1 - one @ center / np.linalg.norm(center)

    left_out = [
        distance(members[k], np.delete(members, k, axis=0)) for k in range(len(members))
    ]
    middle, spread = np.mean(left_out), np.std(left_out, ddof=1)
    if robust:
        middle = np.median(left_out)
        spread = 1.4826 * np.median(np.abs(left_out - middle))
    spread += 0.3 * middle + 1e-6
    found = {name: np.full(t, np.nan) for name in SCORES}
    level = 0.0
    for at in np.flatnonzero(clear & (np.arange(t) > np.flatnonzero(reference).max())):
        found["drift"][at] = distance(turned[at], members)
        found["z"][at] = (found["drift"][at] - middle) / spread
        level = max(0.0, level + found["z"][at] - 1)
        found["cusum"][at] = level
    return found


@pytest.mark.usefixtures("either")
@pytest.mark.parametrize("robust", [True, False])
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_scores_are_those_written_out(robust: bool, dtype: type) -> None:
    vectors, clear = patches(dtype=dtype)
    reference = centroid.first(clear, 8)
    found = centroid.apart(vectors, clear, reference, robust=robust)
    for row in range(len(clear)):
        expected = written_out(vectors[row], clear[row], reference[row], robust=robust)
        for name in SCORES:
            tolerance = {"rtol": 2e-4, "atol": 1e-6 if name == "drift" else 1e-3}
            mine = getattr(found, name)[row]
            np.testing.assert_allclose(mine, expected[name], **tolerance)


@pytest.mark.parametrize("way", [0, *WAYS.values()])
@pytest.mark.parametrize("d", [1, 8, 15, 16, 33, 300])
@pytest.mark.parametrize("members", [1, 4, 9, 70])
def test_every_processor_gives_what_numpy_gives(way: int, d: int, members: int) -> None:
    library = kernels.opened("drift")
    if library is None:
        pytest.skip("kernels were not built")
    vectors, clear = patches(5, 90, d)
    vectors[1, 20:25] = 0
    clear[:, :75] = True
    np.copyto(vectors, 1, where=np.isnan(vectors) & clear[..., None])
    role = np.where(clear, centroid._JUDGED, centroid._SKIPPED).astype(np.uint8)
    role[:, :members] = centroid._REFERENCE
    usual = centroid._Usual(robust=True, least=4, floor=0.3, slack=1.0)
    one = centroid.Apart(*(np.zeros(clear.shape, np.float32) for _ in range(3)))
    other = centroid.Apart(*(np.zeros(clear.shape, np.float32) for _ in range(3)))
    centroid._numpy(vectors, role, usual, one)
    call = centroid._compiled(library, vectors.dtype)
    shape = vectors.shape
    said = call(
        vectors, role, 1, way, *shape, 1, 4, 0.3, 1.0, other.drift, other.z, other.cusum
    )
    if said == 2:
        pytest.skip("this processor lacks these instructions")
    assert said == 0
    np.testing.assert_allclose(one.drift, other.drift, rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(one.z, other.z, rtol=1e-3, atol=2e-2)
    np.testing.assert_allclose(one.cusum, other.cusum, rtol=1e-3, atol=2e-1)


def test_halves_of_every_kind_are_read_as_numpy_reads_them() -> None:
    library = kernels.opened("drift")
    if library is None:
        pytest.skip("kernels were not built")
    every = np.arange(1 << 16, dtype=np.uint16).view(np.float16)
    finite = every[np.isfinite(every)]
    assert len(finite) == 63488
    vectors = finite.reshape(8, 4, -1).copy()
    clear = np.ones((8, 4), bool)
    role = np.tile(np.array([1, 1, 2, 2], np.uint8), (8, 1))
    expected = centroid.apart(vectors.astype(np.float32), clear, role == 1).drift
    for way in (0, *WAYS.values()):
        out = [np.zeros((8, 4), np.float32) for _ in range(3)]
        call = centroid._compiled(library, vectors.dtype)
        if call(vectors, role, 1, way, *vectors.shape, 1, 4, 0.3, 1.0, *out) == 0:
            np.testing.assert_allclose(out[0], expected, rtol=1e-5, atol=1e-6)


@pytest.mark.usefixtures("either")
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_vector_that_is_not_finite_spoils_its_date_or_its_patch_only(
    value: float,
) -> None:
    vectors, clear = patches()
    reference = centroid.first(clear, 8)
    good = centroid.apart(vectors, clear, reference).drift
    member = np.flatnonzero(clear[2])[3]
    judged = np.flatnonzero(clear[4])[-2]
    vectors[2, member, 5] = vectors[4, judged, 5] = value
    bad = centroid.apart(vectors, clear, reference)
    expected = good.copy()
    expected[2] = expected[4, judged] = np.nan
    np.testing.assert_array_equal(bad.drift, expected)
    np.testing.assert_array_equal(np.isnan(bad.cusum), np.isnan(expected))


@pytest.mark.usefixtures("either")
def test_threads_and_memory_order_change_nothing() -> None:
    vectors, clear = patches(40)
    reference = centroid.first(clear, 8)
    one = centroid.apart(vectors, clear, reference)
    backwards = np.ascontiguousarray(vectors[:, ::-1])[:, ::-1]
    other = centroid.apart(backwards, clear, reference, threads=3)
    for name in SCORES:
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


@pytest.mark.usefixtures("either")
def test_too_few_members_give_drift_without_z() -> None:
    vectors, clear = patches()
    found = centroid.apart(vectors, clear, centroid.first(clear, 3), least=4)
    assert np.isfinite(found.drift).any()
    assert np.isnan(found.z).all()
    assert np.isnan(found.cusum).all()


@pytest.mark.usefixtures("either")
@pytest.mark.parametrize("shape", [(0, 5, 3), (4, 0, 3), (3, 5, 0)])
def test_empty_arrays(shape: tuple[int, int, int]) -> None:
    vectors = np.zeros(shape, np.float16)
    clear = np.ones(shape[:2], bool)
    found = centroid.apart(vectors, clear, centroid.first(clear, 4))
    assert found.drift.shape == shape[:2]


def test_a_reference_by_date_knows_nothing_of_later_days() -> None:
    vectors, clear = patches(6, 40)
    days = np.datetime64("2019-01-01") + np.arange(40) * 10
    detector = CentroidDrift(until="2019-07-01")
    whole = detector.detect(days, vectors, clear)
    assert np.isnan(whole[:, days < np.datetime64("2019-07-01")]).all()
    assert np.isfinite(whole[:, days >= np.datetime64("2019-07-01")]).any()
    shorter = detector.detect(days[:30], vectors[:, :30], clear[:, :30])
    np.testing.assert_array_equal(whole[:, :30], shorter)


def test_the_detector_gives_the_score_that_it_is_told() -> None:
    vectors, clear = patches(6, 40)
    days = np.datetime64("2019-01-01") + np.arange(40) * 10
    found = centroid.apart(vectors, clear, centroid.first(clear, 12))
    for name in SCORES:
        given = CentroidDrift(score=name).detect(days, vectors, clear)
        np.testing.assert_array_equal(given, getattr(found, name))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"vectors": np.zeros((3, 4, 2), np.float32)}, "expected vectors"),
        ({"vectors": np.zeros((3, 5, 2))}, "must be float16 or float32, got float64"),
        ({"least": 1}, "least must be at least 2, got 1"),
        ({"slack": -1.0}, "slack must be at least 0"),
        ({"threads": 0}, "threads must be at least 1"),
    ],
)
def test_bad_arguments_are_refused(change: dict, message: str) -> None:
    given = {
        "vectors": np.zeros((3, 5, 2), np.float16),
        "clear": np.ones((3, 5), bool),
        "reference": np.ones((3, 5), bool),
    }
    with pytest.raises(ValueError, match=message):
        centroid.apart(**(given | change))


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"score": "p"}, "score must be one of"),
        ({"reference": 3}, "reference must be at least min_reference"),
        ({"min_reference": 1}, "min_reference must be at least 2"),
        ({"until": "soon"}, "until must be a date as 2019-01-01, got 'soon'"),
    ],
)
def test_bad_parameters_are_refused(change: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        CentroidDrift(**change)
