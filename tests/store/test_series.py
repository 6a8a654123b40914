from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from terradrift.series import Series
from terradrift.store import series
from terradrift.store.tables import Store
from terradrift.store.units import Writer
from tests.store import made


def write(store: Store, units, flush_bytes: int = 1) -> None:
    with Writer(store, made.MODEL, made.columns(), flush_bytes=flush_bytes) as writer:
        for tile, day, batch in units:
            scenes = tuple(batch["scene_id"].unique().to_pylist()) or (
                made.scene_name(day),
            )
            writer.add(made.tile_name(tile), scenes, batch)


def slow(store: Store) -> dict:
    """Row by row: patch to day to (time, clear, indices, vector)."""
    found: dict = {}
    for row in store.scan(made.TABLE).read_all().to_pylist():
        day = row["datetime"].date()
        found.setdefault(row["patch_id"], {})[day] = row
    return found


def check_block(block: Series, truth: dict) -> None:
    n, t, _ = block.vectors.shape
    assert block.times.shape == block.clear_percent.shape == (n, t)
    assert block.indices.shape == (n, t, 3)
    assert block.cells.shape == (n, 3)
    assert list(block.patch_ids) == sorted(block.patch_ids)
    assert np.all(np.diff(block.days) > np.timedelta64(0, "D"))
    assert (~np.isnat(block.times)).any(axis=0).all()
    for i, patch in enumerate(block.patch_ids):
        epsg, row, col = block.cells[i]
        assert patch == f"{epsg}_40m_{col}_{row}"
        seen = truth[str(patch)]
        there = {
            day for j, day in enumerate(block.days) if not np.isnat(block.times[i, j])
        }
        assert there == {np.datetime64(day, "D") for day in seen}
        for j, day in enumerate(block.days):
            if np.isnat(block.times[i, j]):
                assert not block.vectors[i, j].any()
                assert np.isnan(block.clear_percent[i, j])
                assert np.isnan(block.indices[i, j]).all()
                continue
            row_ = seen[day.astype(object)]
            assert block.vectors[i, j].tolist() == row_["embedding"]
            assert block.clear_percent[i, j] == row_["clear_percent"]
            assert block.indices[i, j].tolist() == [
                row_[k] for k in ("ndvi", "nbr", "ndwi")
            ]
            assert block.times[i, j] == np.datetime64(
                row_["datetime"].replace(tzinfo=None)
            )


@settings(max_examples=15, deadline=None)
@given(
    seen=st.lists(
        st.tuples(
            st.integers(0, 2),
            st.integers(0, 12),
            st.sets(st.integers(0, 80), min_size=1, max_size=12),
        ),
        min_size=1,
        max_size=8,
        unique_by=lambda unit: unit[:2],
    ),
    max_bytes=st.sampled_from([1, 200, 1000, 1 << 20]),
    flush_bytes=st.sampled_from([1, 1 << 20]),
)
def test_blocks_hold_what_a_row_by_row_reading_finds(
    tmp_path_factory, seen, max_bytes: int, flush_bytes: int
) -> None:
    store = made.store(tmp_path_factory.mktemp("a"))
    write(
        store,
        [(tile, day, made.unit(tile, day, patches=sorted(p))) for tile, day, p in seen],
        flush_bytes,
    )
    truth = slow(store)
    met: list[str] = []
    for block in series.blocks(store, made.MODEL, max_bytes=max_bytes):
        check_block(block, truth)
        assert block.vectors.nbytes <= max_bytes or len(block) == 1
        met += block.patch_ids.tolist()
    assert sorted(met) == sorted(truth)
    assert len(met) == len(set(met))


def test_tiles_are_sorted_and_series_gives_one_tile(tmp_path: Path) -> None:
    store = made.store(tmp_path)
    write(store, [(t, d, made.unit(t, d)) for d in range(2) for t in (2, 0, 1)])
    assert series.tiles(store, made.MODEL) == [made.tile_name(t) for t in range(3)]
    (block,) = series.series(store, made.MODEL, made.tile_name(1))
    assert len(block) == 16
    assert block.vectors.shape == (16, 2, 8)
    check_block(block, slow(store))


def test_series_of_a_tile_without_rows_has_no_blocks(tmp_path: Path) -> None:
    store = made.store(tmp_path)
    write(store, [(0, 0, made.unit(0, 0))])
    assert list(series.series(store, made.MODEL, made.tile_name(5))) == []


def test_of_two_observations_of_a_day_the_clearest_is_given(tmp_path: Path) -> None:
    store = made.store(tmp_path)
    store.append(made.TABLE, made.unit(0, 0, scene="A", clear=40.0, hour=8))
    store.append(made.TABLE, made.unit(0, 0, scene="B", clear=70.0, hour=9))
    (block,) = series.blocks(store, made.MODEL)
    assert block.vectors.shape == (16, 1, 8)
    assert (block.clear_percent == 70).all()
    assert (block.times == made.instant(0, 9)).all()


def test_blocks_keep_to_the_version_that_was_newest_when_they_began(
    tmp_path: Path,
) -> None:
    store = made.store(tmp_path)
    write(store, [(t, 0, made.unit(t, 0)) for t in range(4)])
    blocks = series.blocks(store, made.MODEL, ahead=1)
    first = next(blocks)
    write(store, [(t, 1, made.unit(t, 1)) for t in range(4)])
    assert [len(block.days) for block in [first, *blocks]] == [1, 1, 1, 1]


def test_a_model_without_embeddings_is_named(tmp_path: Path) -> None:
    store = made.store(tmp_path)
    with pytest.raises(
        ValueError, match="has no table embeddings_clay; it has no tables"
    ):
        series.tiles(store, "clay")
