"""`kill -9` at any moment of the main job, and running it again."""

import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pytest

import terradrift as td

KEY = [("patch_id", "ascending"), ("datetime", "ascending")]


def start(place: Path, catalog: Path) -> subprocess.Popen[bytes]:
    words = ["run", str(place), str(catalog), "--patch-size", "80", "--quiet"]
    return subprocess.Popen(
        [sys.executable, "-m", "terradrift", *words, "--model", "spectral"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )


def finished(place: Path, catalog: Path) -> float:
    """Run to the end; seconds that it took."""
    began = time.monotonic()
    process = start(place, catalog)
    _, words = process.communicate()
    assert process.returncode == 0, words.decode()
    return time.monotonic() - began


def killed(place: Path, catalog: Path, after: float) -> None:
    """Run, and kill -9 after so many seconds unless it ended before."""
    process = start(place, catalog)
    try:
        process.wait(after)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
    process.communicate()


def observations(place: Path, table: str) -> pa.Table:
    rows = td.open(place).store.scan(table).read_all()
    return rows.drop_columns(["run_id"]).sort_by(KEY)


def check_killed_runs(scenes: Path, folder: Path, times: int, seed: int) -> None:
    whole, cut = folder / "whole.td", folder / "cut.td"
    seconds = finished(whole, scenes)
    moments = random.Random(seed)  # noqa: S311 - moments, not secrets
    for _ in range(times):
        killed(cut, scenes, moments.uniform(0.2, 1.0) * seconds)
    finished(cut, scenes)
    assert td.open(cut).validate() == []
    for table in ("embeddings_spectral", "scores_spectral"):
        assert observations(cut, table).equals(observations(whole, table))
    ids = [
        td.open(place).sql("SELECT event_id FROM events ORDER BY rank").fetchall()
        for place in (cut, whole)
    ]
    assert ids[0] == ids[1]


def test_a_killed_run_taken_up_gives_the_rows_of_an_undisturbed_one(
    scenes: Path, tmp_path: Path
) -> None:
    check_killed_runs(scenes, tmp_path, times=5, seed=0)


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(1, 5))
def test_the_same_at_many_more_moments(scenes: Path, tmp_path: Path, seed: int) -> None:
    check_killed_runs(scenes, tmp_path, times=25, seed=seed)
