import numpy as np
import pytest

from terradrift.store.majortom.fragments import Boxes, offsets, votes


@pytest.mark.parametrize(
    ("sample", "fragment", "expected"),
    [
        (1068, 224, [0, 211, 422, 633, 844]),
        (1068, 384, [0, 342, 684]),
        (224, 224, [0]),
        (400, 224, [0, 176]),
        (1000, 224, [0, 194, 388, 582, 776]),
    ],
)
def test_fragments_begin_evenly_and_end_with_the_sample(
    sample: int, fragment: int, expected: list[int]
) -> None:
    found = offsets(sample, fragment)
    assert found.tolist() == expected
    assert found[-1] + fragment == sample


@pytest.mark.parametrize("sample", [448, 1024, 1280, 2048, 1067])
def test_any_size_is_covered_without_gaps(sample: int) -> None:
    found = offsets(sample, 224)
    assert (found[0], found[-1]) == (0, sample - 224)
    assert 0 < np.diff(found).max() <= 224
    assert np.ptp(np.diff(found)) <= len(found)


def test_the_published_rule_leaves_a_gap_in_small_samples() -> None:
    assert offsets(512, 224).tolist() == [0, 288]  # 64 pixels lie in no fragment


def test_fragments_larger_than_the_sample_are_refused() -> None:
    with pytest.raises(ValueError, match="fragments of 1 to 200 pixels"):
        offsets(200, 224)


def boxes(
    first: list[tuple[int, int]], *, transposed: bool, west: float = 0.0
) -> Boxes:
    at = np.array(first)
    along, down = (at if transposed else at[:, ::-1]).T
    n = len(at)
    return Boxes(
        at,
        np.full(n, 224),
        west + along * 10.0,
        10_680 - down * 10.0,
        np.full(n, 2240.0),
    )


@pytest.mark.parametrize("transposed", [True, False])
def test_every_fragment_comes_to_its_own_place(transposed: bool) -> None:
    first = [(i * 211, j * 211) for i in range(5) for j in range(5)]
    found = boxes(first, transposed=transposed)
    expected = [(j * 10.0, 10_680 - i * 10.0) for i, j in first]
    np.testing.assert_allclose(found.true(transposed=transposed), expected)
    stated = np.column_stack([found.west, found.north])
    wrong = np.any(stated != np.array(expected), axis=1)
    assert wrong.sum() == (20 if transposed else 0)
    assert np.abs(stated - expected).max() == (8440 if transposed else 0)


@pytest.mark.parametrize("transposed", [True, False])
@pytest.mark.parametrize(
    "first",
    [
        [(0, 211), (422, 0), (211, 211)],
        [(211, 0), (0, 0)],
        [(844, 0)],  # one fragment: the cell's point decides
        [(0, 211), (211, 422)],  # of one diagonal: so too
    ],
)
def test_few_fragments_tell_how_footprints_were_made(
    first: list[tuple[int, int]], transposed: bool
) -> None:
    found = boxes(first, transposed=transposed)
    n = len(first)
    point = np.full((n, 2), 120.0)  # samples begin near the point, not on it
    told = votes(found, np.zeros(n, np.int64), point, 10_680)
    assert told == ((1, 0, 0) if transposed else (0, 1, 0))


def test_the_diagonal_says_nothing_and_nonsense_is_told() -> None:
    point = np.zeros((2, 2))
    same = np.zeros(2, np.int64)
    both = boxes([(211, 211), (0, 0)], transposed=True)
    assert votes(both, same, point, 10_680) == (0, 0, 0)
    odd = boxes([(211, 0), (0, 422)], transposed=True)
    odd.west[0] += 5000
    assert votes(odd, same, point, 10_680) == (0, 0, 1)
