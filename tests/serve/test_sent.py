"""Files of visitors, and what a killed server left of them."""

import fcntl
from pathlib import Path

import pytest

from terradrift.serve import sent


def test_what_a_killed_server_left_goes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    with sent.made("a.csv") as (path, _):
        path.touch()
        held = path.parent
        left = held.with_name(f"{held.name}-left")
        left.mkdir()
        (left / "half.gpkg").touch()
        (left / ".lock").touch()
        with sent.made("b.csv") as (other, send):
            assert sorted(tmp_path.iterdir()) == sorted([held, other.parent])
            other.touch()
            send(0, None)
        # Sent files stay until they are sent; their lock goes with the process.
        assert other.exists()
        with (other.parent / ".lock").open() as lock, pytest.raises(BlockingIOError):
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    assert list(tmp_path.iterdir()) == [other.parent]
