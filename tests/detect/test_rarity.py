import numpy as np
from numpy.typing import NDArray

from terradrift.detect.rarity import rarity


def slow_twin(
    points: NDArray[np.float64],
    event: NDArray[np.int64],
    peak: NDArray[np.int64],
    k: int,
) -> list[float]:
    apart = []
    for row, own in zip(points, event, strict=True):
        others = [points[peak[e]] for e in range(len(peak)) if e != own]
        apart.append(sorted(np.linalg.norm(row - other) for other in others)[:k])
    means = np.array([np.mean(each) for each in apart])
    return [
        float(((means < mean).sum() + (means == mean).sum() / 2) / len(means))
        for mean in means
    ]


def test_ranks_are_those_of_the_slow_twin() -> None:
    random = np.random.default_rng(1)
    points = random.normal(size=(80, 5)).astype(np.float32)
    event = np.concatenate([np.arange(25), random.integers(0, 25, 55)])
    peak = np.arange(25)
    found = rarity(points, event, peak, k=4)
    np.testing.assert_allclose(found, slow_twin(points, event, peak, 4), atol=0.013)


def test_a_large_event_of_a_rare_kind_stays_rare() -> None:
    random = np.random.default_rng(2)
    common = random.normal(size=(100, 4)) * 0.1
    site = random.normal(size=(30, 4)) * 0.01 + 5
    points = np.concatenate([common, site]).astype(np.float32)
    event = np.concatenate([np.arange(100), np.full(30, 100)])
    found = rarity(points, event, np.append(np.arange(100), 100))
    assert found[100:].min() > found[:100].max()


def test_one_event_alone_cannot_be_ranked() -> None:
    found = rarity(np.zeros((3, 2)), np.zeros(3, np.int64), np.array([0]))
    assert np.isnan(found).all()


def test_equal_changes_share_the_middle() -> None:
    found = rarity(np.ones((4, 2)), np.arange(4), np.arange(4))
    assert found.tolist() == [0.5] * 4
