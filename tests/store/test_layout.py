from itertools import pairwise
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from terradrift.store import layout
from tests.store import made


def written(path: Path, tiles: list[int], drop: str | None = None):
    store = made.store(path)
    for day, tile in enumerate(tiles):
        store.append(made.TABLE, made.unit(tile, day))
    if drop:
        store.dataset(made.TABLE).delete(drop)
    return store.dataset(made.TABLE)


@pytest.mark.parametrize("drop", [None, "scene_id = 'S0001'", "ndvi > 0", "true"])
def test_runs_hold_every_row_of_their_tile_and_no_other(
    tmp_path: Path, drop: str | None
) -> None:
    dataset = written(tmp_path, [2, 0, 0, 1, 2, 2, 0], drop)
    everything = dataset.to_table(columns=["tile", "patch_id", "datetime", "embedding"])
    runs = layout.layout(dataset).runs
    assert list(runs) == sorted(set(everything["tile"].to_pylist()))
    for tile, ranges in runs.items():
        want = everything.filter(pa.compute.equal(everything["tile"], tile))
        for columns in (["patch_id", "datetime"], ["patch_id", "embedding"]):
            found = layout.read_table(dataset, columns, ranges)
            assert found.equals(want.select(columns))
        rows = np.random.default_rng(0).permutation(layout.positions(ranges))
        taken = layout.take(dataset, ["patch_id", "embedding"], rows)
        assert taken.to_pylist() == (
            everything.select(["patch_id", "embedding"])
            .take(pa.array(rows))
            .to_pylist()
        )


def test_neighbouring_runs_of_one_tile_are_one(tmp_path: Path) -> None:
    runs = layout.layout(written(tmp_path, [0, 0, 1, 0])).runs
    assert [ranges.tolist() for ranges in runs.values()] == [
        [[0, 32], [48, 64]],
        [[32, 48]],
    ]


@given(
    rows=st.sets(st.integers(0, 400), max_size=60).map(sorted), gap=st.integers(0, 30)
)
def test_covering_ranges_cover_with_small_gaps_only(rows: list[int], gap: int) -> None:
    ranges = layout.covering(np.array(rows, np.int64), gap)
    covered = layout.positions(ranges)
    assert set(rows) <= set(covered.tolist())
    assert len(set(covered.tolist())) == len(covered)
    lost = sorted(set(covered.tolist()) - set(rows))
    held = set(rows)
    for one in lost:
        before = max(row for row in held if row < one)
        after = min(row for row in held if row > one)
        assert after - before - 1 <= gap
    for (_, stop), (start, _) in pairwise(ranges):
        assert start - stop > gap
