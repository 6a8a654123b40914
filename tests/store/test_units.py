import multiprocessing
import shutil
import signal
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from terradrift.errors import ModelMismatchError, SchemaError
from terradrift.store.tables import Store
from terradrift.store.units import Writer, done
from tests.store import embedding_process, made

UNITS = "units_toy_1"


def writer(store: Store, flush_bytes: int = 1, **options) -> Writer:
    return Writer(store, made.MODEL, made.columns(), flush_bytes=flush_bytes, **options)


def add(target: Writer, tile: int, batch: pa.RecordBatch, *scenes: str) -> None:
    target.add(made.tile_name(tile), scenes, batch)


def state(store: Store) -> tuple[list, list]:
    ledger = store.scan(UNITS).read_all().to_pylist()
    return (
        made.rows(store.scan(made.TABLE).read_all()),
        sorted(tuple(row.values()) for row in ledger),
    )


def test_a_unit_is_added_once_however_often_it_comes(tmp_path: Path) -> None:
    store = made.store(tmp_path)
    for _ in range(2):
        with writer(store) as target:
            add(target, 0, made.unit(0, 0), "S0000")
            add(target, 0, made.unit(0, 0), "S0000")
    assert store.count(made.TABLE) == 16
    assert done(store, made.MODEL) == {("S0000", made.tile_name(0))}


def test_a_unit_without_rows_is_done_too(tmp_path: Path) -> None:
    store = made.store(tmp_path)
    with writer(store, run_id="run-7") as target:
        add(target, 0, made.unit(0, 0, patches=0), "S0000", "S0001")
    assert not store.exists(made.TABLE)
    assert store.scan(UNITS).read_all().to_pylist() == [
        {"scene_id": s, "tile": made.tile_name(0), "rows": 0, "run_id": "run-7"}
        for s in ("S0000", "S0001")
    ]


def test_the_ledger_counts_the_rows_of_each_scene(tmp_path: Path) -> None:
    store = made.store(tmp_path)
    left = made.unit(0, 0, patches=range(10), scene="A")
    right = made.unit(0, 0, patches=range(10, 16), scene="B")
    both = pa.Table.from_batches([left, right]).combine_chunks().to_batches()[0]
    with writer(store) as target:
        add(target, 0, both, "A", "B")
    ledger = store.scan(UNITS).read_all().to_pylist()
    assert {row["scene_id"]: row["rows"] for row in ledger} == {"A": 10, "B": 6}


def test_units_are_committed_together_until_there_are_enough(tmp_path: Path) -> None:
    store = made.store(tmp_path)
    with writer(store, flush_bytes=1 << 30) as target:
        for day in range(10):
            add(target, 0, made.unit(0, day), made.scene_name(day))
        assert not store.exists(made.TABLE)
    assert store.dataset(made.TABLE).version == 1
    assert store.count(UNITS) == 10


def test_units_wait_no_longer_than_asked(tmp_path: Path) -> None:
    store = made.store(tmp_path)
    with writer(store, flush_bytes=1 << 30, flush_seconds=0.0) as target:
        add(target, 0, made.unit(0, 0), "S0000")
        assert store.count(made.TABLE) == 16


def test_whole_units_are_kept_when_the_run_fails(tmp_path: Path) -> None:
    store = made.store(tmp_path)

    def fail() -> None:
        with writer(store, 1 << 30) as target:
            add(target, 0, made.unit(0, 0), "S0000")
            raise RuntimeError("bad scene")

    with pytest.raises(RuntimeError, match="bad scene"):
        fail()
    assert store.count(made.TABLE) == 16
    assert done(store, made.MODEL) == {("S0000", made.tile_name(0))}


@pytest.mark.parametrize("wreck", ["ledger lost", "ledger behind"])
def test_a_ledger_behind_the_rows_catches_up(tmp_path: Path, wreck: str) -> None:
    store = made.store(tmp_path)
    days = [0] if wreck == "ledger lost" else [0, 1, 2]
    with writer(store) as target:
        for day in days:
            scenes = (made.scene_name(day), f"{made.scene_name(day)}-no-rows")
            add(target, 0, made.unit(0, day), *scenes)
    whole = state(store)
    # What is left when the process dies between the two commits of the last flush.
    if wreck == "ledger lost":
        shutil.rmtree(store.path(UNITS))
    else:
        store.dataset(UNITS, version=2).restore()
    assert len(done(store, made.MODEL)) == 2 * len(days)
    with writer(store):
        pass
    assert state(store) == whole


@settings(max_examples=25, deadline=None)
@given(data=st.data())
def test_of_one_patch_and_day_the_clearest_stays_in_whatever_order_scenes_come(
    tmp_path_factory, data: st.DataObject
) -> None:
    given_units = data.draw(
        st.lists(
            st.tuples(
                st.integers(0, 1),
                st.integers(0, 1),
                st.sampled_from([10.0, 50.0, 90.0]),
                st.sampled_from([9, 10]),
                st.sets(st.integers(0, 9), min_size=1, max_size=6),
            ),
            min_size=1,
            max_size=8,
        )
    )
    batches = [
        (
            t,
            f"S{i}",
            made.unit(t, day, patches=sorted(p), scene=f"S{i}", clear=c, hour=h),
        )
        for i, (t, day, c, h, p) in enumerate(given_units)
    ]
    best: dict = {}
    for _, _, batch in batches:
        for row in batch.to_pylist():
            key = (row["patch_id"], row["datetime"].date())
            rank = (-row["clear_percent"], row["datetime"], row["scene_id"])
            if key not in best or rank < best[key][0]:
                best[key] = (rank, row)
    want = made.rows(
        pa.Table.from_pylist([row for _, row in best.values()], made.columns())
    )
    order = data.draw(st.permutations(range(len(batches))))
    store = made.store(tmp_path_factory.mktemp("a"))
    with writer(store, data.draw(st.sampled_from([1, 1500, 1 << 20]))) as target:
        for i in order:
            tile, scene, batch = batches[i]
            add(target, tile, batch, scene)
    assert made.rows(store.scan(made.TABLE).read_all()) == want
    assert len(done(store, made.MODEL)) == len(batches)


def test_a_clearer_scene_replaces_rows_in_one_commit(tmp_path: Path) -> None:
    store = made.store(tmp_path)
    with writer(store) as target:
        for tile in range(3):
            add(target, tile, made.unit(tile, 0, clear=50.0), "S0000")
    before = store.dataset(made.TABLE)
    late = made.unit(1, 0, patches=8, scene="late", clear=80.0)
    with writer(store) as target:
        add(target, 1, late, "late")
    after = store.dataset(made.TABLE)
    assert after.version == before.version + 1
    assert after.count_rows() == 48
    assert after.count_rows("scene_id = 'late'") == 8
    assert before.count_rows("scene_id = 'late'") == 0


def test_a_stored_fragment_that_loses_every_row_goes(tmp_path: Path) -> None:
    store = made.store(tmp_path)
    with writer(store) as target:
        add(target, 0, made.unit(0, 0, clear=50.0), "S0000")
        add(target, 0, made.unit(0, 0, scene="late", clear=80.0), "late")
    found = store.dataset(made.TABLE)
    assert len(found.get_fragments()) == 1
    assert found.count_rows("scene_id = 'late'") == 16


def test_a_scene_that_is_nowhere_clearer_adds_no_commit_of_rows(tmp_path: Path) -> None:
    store = made.store(tmp_path)
    with writer(store) as target:
        add(target, 0, made.unit(0, 0, clear=50.0), "S0000")
        add(target, 0, made.unit(0, 0, scene="late", clear=20.0), "late")
    assert store.dataset(made.TABLE).version == 1
    assert len(done(store, made.MODEL)) == 2


def test_rows_that_do_not_belong_to_the_unit_are_refused(tmp_path: Path) -> None:
    with writer(made.store(tmp_path)) as target:
        with pytest.raises(ValueError, match="unit of tile 32631_40m_1_0 has rows of"):
            add(target, 1, made.unit(0, 0), "S0000")
        with pytest.raises(ValueError, match=r"unit of S9 has rows of \['S0000'\]"):
            add(target, 0, made.unit(0, 0), "S9")
        twice = pa.concat_batches([made.unit(0, 0), made.unit(0, 0, hour=12)])
        with pytest.raises(ValueError, match="two rows of one patch and day"):
            add(target, 0, twice, "S0000")
        with pytest.raises(SchemaError, match="run_id: expected string, got no such"):
            add(target, 0, made.unit(0, 0).drop_columns(["run_id"]), "S0000")


def test_vectors_of_another_model_are_refused_before_any_work(tmp_path: Path) -> None:
    store = made.store(tmp_path)
    with writer(store) as target:
        add(target, 0, made.unit(0, 0), "S0000")
    newer = made.columns(revision="2")
    with pytest.raises(
        ModelMismatchError, match="holds vectors of toy-1@1, got toy-1@2; distances"
    ):
        Writer(store, made.MODEL, newer).__enter__()
    with pytest.raises(SchemaError, match=r"embedding: expected .*\[8\], got .*\[4\]"):
        Writer(store, made.MODEL, made.columns(4)).__enter__()
    batch = made.unit(0, 1, named=made.columns(weights_sha256="abc"))
    with (
        writer(store) as target,
        pytest.raises(ModelMismatchError, match="weights_sha256 abc"),
    ):
        add(target, 0, batch, "S0001")
    with store.lock("anybody"):  # the refused writers hold nothing
        assert store.count(made.TABLE) == 16


def test_null_vectors_are_refused(tmp_path: Path) -> None:
    rows = made.unit(0, 0).to_pylist()
    rows[3]["embedding"] = None
    batch = pa.RecordBatch.from_pylist(rows, made.columns())
    with (
        writer(made.store(tmp_path)) as target,
        pytest.raises(ValueError, match="1 rows without a vector"),
    ):
        add(target, 0, batch, "S0000")


def _killed_run(root: Path, delay: float, flush_bytes: int) -> bool:
    """Start a real process, SIGKILL it after `delay` seconds; whether that cut it short."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.store.embedding_process"])
    process = context.Process(
        target=embedding_process.embed, args=(str(root), flush_bytes)
    )
    process.start()
    process.join(delay)
    process.kill()
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode != 0


def _kill_and_take_up(folder: Path, kills: int, seed: int) -> None:
    """Kill runs over one archive until one gets through; then compare with a whole run."""
    whole = made.store(folder / "whole")
    embedding_process.embed(str(whole.root), 4000)
    want = state(whole)
    random = np.random.default_rng(seed)
    _killed_run(made.store(folder / "first").root, 60.0, 4000)
    started = time.perf_counter()
    _killed_run(made.store(folder / "timed").root, 60.0, 4000)
    span = time.perf_counter() - started
    interrupted = 0
    while interrupted < kills:
        root = made.store(
            folder / f"killed-{interrupted}-{random.integers(1 << 30)}"
        ).root
        for _ in range(3):
            interrupted += _killed_run(root, random.uniform(0, span), 4000)
        embedding_process.embed(str(root), int(random.choice([1, 4000, 1 << 20])))
        assert state(Store.open(root)) == want
        embedding_process.embed(str(root), 4000)
        assert state(Store.open(root)) == want


def test_a_run_killed_at_any_moment_and_taken_up_ends_as_one_undisturbed(
    tmp_path: Path,
) -> None:
    _kill_and_take_up(tmp_path, kills=20, seed=1)


@pytest.mark.slow
def test_a_run_killed_at_very_many_moments_ends_as_one_undisturbed(
    tmp_path: Path,
) -> None:
    _kill_and_take_up(tmp_path, kills=300, seed=2)
