import multiprocessing
import threading
import time
from datetime import timedelta
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from terradrift import schema
from terradrift.errors import ArchiveLockedError
from terradrift.store import layout, series
from terradrift.store.optimize import optimize
from terradrift.store.tables import Store
from terradrift.store.units import Writer, done
from tests.store import made, optimizing_process

KEY = ("tile", "patch_id", "datetime")


def filled(path: Path, tiles: int = 3, days: int = 5, **unit) -> Store:
    store = made.store(path)
    optimizing_process.fill(store, tiles, range(days), **unit)
    return store


def keys(store: Store, table: str = made.TABLE) -> list[tuple]:
    found = store.scan(table, list(KEY)).read_all()
    return list(zip(*(found[name].to_pylist() for name in KEY), strict=True))


@settings(max_examples=10, deadline=None)
@given(
    units=st.lists(
        st.tuples(st.integers(0, 2), st.integers(0, 9), st.integers(0, 40)),
        min_size=1,
        max_size=10,
        unique_by=lambda unit: unit[:2],
    ),
    block_bytes=st.sampled_from([1, 500, 1 << 20]),
)
def test_rows_are_the_same_and_in_order(
    tmp_path_factory, units, block_bytes: int
) -> None:
    store = made.store(tmp_path_factory.mktemp("a"))
    with Writer(store, made.MODEL, made.columns(), flush_bytes=2000) as writer:
        for tile, day, patches in units:
            batch = made.unit(tile, day, patches=patches)
            writer.add(made.tile_name(tile), (made.scene_name(day),), batch)
    if not store.exists(made.TABLE):
        return
    before = made.rows(store.scan(made.TABLE).read_all())
    was_done = done(store, made.MODEL)
    optimize(store, block_bytes=block_bytes)
    assert made.rows(store.scan(made.TABLE).read_all()) == before
    assert keys(store) == sorted(keys(store))
    assert done(store, made.MODEL) == was_done
    assert store.dataset(made.TABLE).schema.field("embedding").metadata == (
        made.columns().field("embedding").metadata
    )


def test_a_tile_becomes_one_run_and_its_series_stay_the_same(tmp_path: Path) -> None:
    store = filled(tmp_path)
    before = list(series.blocks(store, made.MODEL))
    assert len(layout.layout(store.dataset(made.TABLE)).runs[made.tile_name(0)]) == 5
    optimize(store)
    runs = layout.layout(store.dataset(made.TABLE)).runs
    assert [len(ranges) for ranges in runs.values()] == [1, 1, 1]
    for old, new in zip(before, series.blocks(store, made.MODEL), strict=True):
        assert np.array_equal(old.patch_ids, new.patch_ids)
        assert np.array_equal(old.vectors, new.vectors)
        assert np.array_equal(old.times, new.times)


def test_what_is_in_order_is_not_written_again(tmp_path: Path) -> None:
    store = filled(tmp_path)
    (first,) = [done for done in optimize(store) if done.table == made.TABLE]
    assert first.sorted
    assert (first.files_before, first.files_after) == (5, 1)
    assert str(first).startswith("embeddings_toy_1: 240 rows sorted, 5 files to 1, ")
    version = store.dataset(made.TABLE).version
    (second,) = [done for done in optimize(store) if done.table == made.TABLE]
    assert not second.sorted
    assert store.dataset(made.TABLE).version == version
    optimizing_process.fill(store, 1, [9])
    (third,) = [done for done in optimize(store) if done.table == made.TABLE]
    assert third.sorted


def test_an_overwritten_table_is_sorted_anew(tmp_path: Path) -> None:
    store = filled(tmp_path)
    optimize(store)
    rows = store.scan(made.TABLE).read_all()
    store.overwrite(made.TABLE, rows.take(np.arange(len(rows))[::-1]))
    optimize(store)
    assert keys(store) == sorted(keys(store))


def test_filters_on_place_use_an_index_of_all_rows(tmp_path: Path) -> None:
    store = filled(tmp_path)
    optimize(store)
    optimizing_process.fill(store, 3, [7])
    optimize(store)
    found = store.dataset(made.TABLE)
    covered = {i.field_names[0]: i.num_rows_indexed for i in found.describe_indices()}
    assert covered == {"tile": 288, "patch_id": 288}
    plan = found.scanner(filter=f"tile = '{made.tile_name(1)}'").explain_plan()
    assert "ScalarIndexQuery" in plan
    assert store.count(made.TABLE, f"tile = '{made.tile_name(1)}'") == 96


def test_late_scenes_are_still_resolved_on_an_indexed_table(tmp_path: Path) -> None:
    store = filled(tmp_path)
    optimize(store)
    late = made.unit(1, 2, patches=8, scene="late", clear=99.0)
    with Writer(store, made.MODEL, made.columns()) as writer:
        writer.add(made.tile_name(1), ("late",), late)
    assert store.count(made.TABLE) == 240
    assert store.count(made.TABLE, "scene_id = 'late'") == 8
    tile = f"tile = '{made.tile_name(1)}'"
    assert store.count(made.TABLE, tile) == 80
    optimize(store)
    assert store.count(made.TABLE, f"{tile} AND scene_id = 'late'") == 8


def test_other_tables_are_compacted_and_scores_sorted(tmp_path: Path) -> None:
    store = filled(tmp_path)
    found = store.scan(made.TABLE, ["patch_id", "datetime", "tile"]).read_all()
    nothing = {
        field.name: pa.nulls(len(found), field.type) for field in schema.scores()
    }
    columns = {**nothing, **{name: found[name] for name in found.column_names}}
    store.append("scores_toy_1", pa.table(columns, schema=schema.scores()))
    assert len(store.dataset("units_toy_1").get_fragments()) == 5
    optimize(store)
    assert len(store.dataset("units_toy_1").get_fragments()) == 1
    assert keys(store, "scores_toy_1") == keys(store)


def test_old_versions_and_leftovers_go_but_not_what_a_reader_may_use(
    tmp_path: Path,
) -> None:
    store = filled(tmp_path)
    files = store.path(made.TABLE) / "data"
    (files / "010101leftover.lance").write_bytes(b"of a killed writer")
    reading = store.dataset(made.TABLE)
    optimize(store)
    assert not (files / "010101leftover.lance").exists()
    assert reading.to_table().num_rows == 240
    time.sleep(0.01)
    last = optimize(store, keep=timedelta(0))
    assert len(list(files.iterdir())) == 1
    assert sum(done.freed_bytes for done in last) > 0
    assert store.count(made.TABLE) == 240


def test_a_version_read_since_long_stays_while_its_successor_is_young(
    tmp_path: Path,
) -> None:
    store = filled(tmp_path)
    time.sleep(0.3)
    reading = store.dataset(made.TABLE)  # older than `keep`, but replaced only now
    optimize(store, keep=timedelta(seconds=0.25))
    assert reading.to_table().num_rows == 240


def test_a_reader_in_the_middle_of_a_scan_finishes(tmp_path: Path) -> None:
    store = filled(tmp_path, tiles=6, days=12)
    want = {str(p) for b in series.blocks(store, made.MODEL) for p in b.patch_ids}
    met: list[list[str]] = []
    ready, go = threading.Event(), threading.Event()

    def read() -> None:
        blocks = series.blocks(
            Store.open(tmp_path), made.MODEL, max_bytes=2000, ahead=1
        )
        seen = next(blocks).patch_ids.tolist()
        ready.set()
        go.wait()
        for block in blocks:
            assert block.vectors.shape[1] == 12
            seen += block.patch_ids.tolist()
        met.append(seen)

    thread = threading.Thread(target=read)
    thread.start()
    ready.wait()
    optimize(store)
    optimizing_process.fill(store, 6, [20])
    optimize(store)
    go.set()
    thread.join()
    assert sorted(met[0]) == sorted(want)


def test_optimize_waits_for_no_other_writer(tmp_path: Path) -> None:
    store = filled(tmp_path)
    with (
        store.lock("embed"),
        pytest.raises(ArchiveLockedError, match=r"\(embed, since"),
    ):
        optimize(Store.open(tmp_path))


def test_optimize_killed_at_any_moment_loses_nothing(tmp_path: Path) -> None:
    store = filled(tmp_path, tiles=6, days=10, patches=64)
    want = made.rows(store.scan(made.TABLE).read_all())
    was_done = done(store, made.MODEL)
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.store.optimizing_process"])
    random = np.random.default_rng(0)
    span, cut_short = 0.0, 0
    for i in range(14):
        process = context.Process(
            target=optimizing_process.disturb_and_optimize, args=(str(tmp_path),)
        )
        start = time.perf_counter()
        process.start()
        process.join(None if i < 2 else random.uniform(0, span))
        span = span if i > 1 else time.perf_counter() - start
        process.kill()
        process.join()
        cut_short += process.exitcode != 0
        assert made.rows(store.scan(made.TABLE).read_all()) == want
        assert done(store, made.MODEL) == was_done
    assert cut_short >= 5
    optimize(store, keep=timedelta(0))
    assert keys(store) == sorted(keys(store))
    assert made.rows(store.scan(made.TABLE).read_all()) == want
    assert len(list((store.path(made.TABLE) / "data").iterdir())) == 1
