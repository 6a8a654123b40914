import sys

import pytest

from terradrift.archive import cluster
from terradrift.archive.cluster import Cluster, Share, share
from terradrift.errors import ArchiveError


@pytest.mark.parametrize(
    ("asked", "cpus", "gpus", "expected"),
    [
        (Cluster("auto"), 8, 0, Share(8, 1, 0.0)),
        (Cluster("auto", workers=3), 8, 0, Share(3, 2, 0.0)),
        (Cluster("auto", threads=3), 8, 0, Share(2, 3, 0.0)),
        (Cluster("auto", gpus=0.5), 16, 2, Share(4, 4, 0.5)),
        (Cluster("auto", gpus=0.4), 16, 2, Share(4, 4, 0.4)),
        (Cluster("auto", gpus=2), 16, 5, Share(2, 8, 2)),
        (Cluster("auto", gpus=0.1), 4, 1, Share(4, 1, 0.1)),
    ],
)
def test_a_cluster_is_shared_out(
    asked: Cluster, cpus: int, gpus: float, expected: Share
) -> None:
    assert share(asked, cpus, gpus) == expected


@pytest.mark.parametrize(
    ("asked", "phrase"),
    [
        (Cluster("auto", workers=9), "too few for 9 workers with 1 threads each"),
        (Cluster("auto", workers=2, threads=5), "8 CPUs and 1 GPUs"),
        (Cluster("auto", threads=9), "too few for 1 workers with 9 threads each"),
        (Cluster("auto", workers=3, gpus=0.4), "too few for 3 workers .* and 0.4 GPUs"),
        (Cluster("auto", gpus=2), "too few for 1 workers"),
        (Cluster("auto", gpus=1.5), "a part of one or whole ones, got --ray-gpus 1.5"),
        (Cluster("auto", gpus=-1), "got --ray-gpus -1"),
    ],
)
def test_more_than_there_is_is_refused(asked: Cluster, phrase: str) -> None:
    with pytest.raises(ArchiveError, match=phrase):
        share(asked, 8, 1)


def test_a_worker_computes_on_no_gpu_that_it_has_not_reserved() -> None:
    assert Share(2, 1, 0.0).device("auto") == "cpu"
    assert Share(2, 1, 0.5).device("auto") == "cuda"
    assert Share(2, 1, 0.5).device("cpu") == "cpu"
    with pytest.raises(ArchiveError, match="pass --ray-gpus"):
        Share(2, 1, 0.0).device("cuda")


def test_without_ray_it_is_said_how_to_get_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(ArchiveError, match=r"pip install 'terradrift\[ray\]'"):
        cluster.imported()


@pytest.mark.parametrize(
    "address", ["auto", "ray://127.0.0.1:1", "127.0.0.1:1", "nonsense"]
)
def test_a_cluster_that_does_not_answer_is_one_line(
    address: str, monkeypatch: pytest.MonkeyPatch, tmp_path
) -> None:
    pytest.importorskip("ray")
    monkeypatch.setenv("RAY_TMPDIR", str(tmp_path))
    monkeypatch.delenv("RAY_ADDRESS", raising=False)
    with (
        pytest.raises(ArchiveError, match="no Ray cluster answers at") as refused,
        cluster.connected(Cluster(address)),
    ):
        pass
    assert "\n" not in str(refused.value)
