import multiprocessing
import signal
import time
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from terradrift.errors import ModelMismatchError
from terradrift.store import parts
from terradrift.store.committer import Committer
from terradrift.store.optimize import optimize
from terradrift.store.parts import write
from terradrift.store.tables import Store
from terradrift.store.units import Writer, done
from tests.store import committing_process, embedding_process, made

UNITS = "units_toy_1"


def unit(tile: int, day: int, **options) -> parts.Unit:
    scene = options.get("scene") or made.scene_name(day)
    return made.tile_name(tile), (scene,), made.unit(tile, day, **options)


def committer(store: Store, **options) -> Committer:
    return Committer(store, made.MODEL, made.columns(), **options)


def commit(store: Store, *batches: list[parts.Unit], **options) -> None:
    with committer(store, **options) as target:
        for units in batches:
            target.add(write(target.target, units, target.days))


def state(store: Store) -> tuple[list, list]:
    ledger = store.scan(UNITS).read_all().to_pylist()
    return (
        made.rows(store.scan(made.TABLE).read_all()),
        sorted(tuple(row.values()) for row in ledger),
    )


def files(store: Store) -> set[str]:
    return {path.name for path in (store.path(made.TABLE) / "data").glob("*.lance")}


def test_parts_make_the_table_that_a_writer_makes(tmp_path: Path) -> None:
    units = [unit(tile, day) for day in range(4) for tile in range(3)]
    plain = made.store(tmp_path / "plain")
    with Writer(plain, made.MODEL, made.columns()) as writer:
        for one in units:
            writer.add(*one)
    store = made.store(tmp_path / "parts")
    commit(store, units[:5], units[5:6], units[6:])
    assert state(store) == state(plain)
    one, other = store.dataset(made.TABLE), plain.dataset(made.TABLE)
    assert one.schema.equals(other.schema, check_metadata=True)
    assert one.data_storage_version == other.data_storage_version
    assert one.version == 1


@pytest.mark.parametrize("commit_units", [1, 3, 1 << 20])
def test_commits_before_the_end_give_the_same_rows(
    tmp_path: Path, commit_units: int
) -> None:
    batches = [[unit(0, day), unit(1, day)] for day in range(3)]
    whole = made.store(tmp_path / "whole")
    commit(whole, *batches)
    store = made.store(tmp_path / "some")
    commit(store, *batches, commit_units=commit_units)
    assert state(store) == state(whole)


@settings(max_examples=15, deadline=None)
@given(data=st.data())
def test_of_one_patch_and_day_the_clearest_stays_as_with_a_writer(
    tmp_path_factory, data: st.DataObject
) -> None:
    drawn = data.draw(
        st.lists(
            st.tuples(
                st.integers(0, 1),
                st.integers(0, 1),
                st.sampled_from([10.0, 50.0, 90.0]),
                st.sampled_from([9, 10]),
                st.sets(st.integers(0, 9), min_size=1, max_size=6),
            ),
            min_size=1,
            max_size=6,
        )
    )
    runs = [
        unit(t, day, patches=sorted(p), scene=f"S{i}", clear=c, hour=h)
        for i, (t, day, c, h, p) in enumerate(drawn)
    ]
    plain = made.store(tmp_path_factory.mktemp("plain"))
    with Writer(plain, made.MODEL, made.columns()) as writer:
        for one in runs:
            writer.add(*one)
    store = made.store(tmp_path_factory.mktemp("parts"))
    for one in runs:
        commit(store, [one])
    assert state(store) == state(plain)


def test_a_unit_without_rows_is_done_too(tmp_path: Path) -> None:
    store = made.store(tmp_path)
    commit(store, [unit(0, 0, patches=0)], run_id="run-7")
    assert not store.exists(made.TABLE)
    assert store.scan(UNITS).read_all().to_pylist() == [
        {
            "scene_id": "S0000",
            "tile": made.tile_name(0),
            "rows": 0,
            "run_id": "run-7",
        }
    ]


def test_a_part_that_comes_twice_is_refused(tmp_path: Path) -> None:
    store = made.store(tmp_path)
    with committer(store) as target:
        part = write(target.target, [unit(0, 0)], target.days)
        target.add(part)
        with pytest.raises(ValueError, match="S0000 is in the store for tile"):
            target.add(part)
        beside = write(target.target, [unit(0, 0, scene="beside")], target.days)
        with pytest.raises(ValueError, match="comes twice on 2018-01-01"):
            target.add(beside)
    with committer(store) as target, pytest.raises(ValueError, match="S0000 is in"):
        target.add(part)
    assert store.count(made.TABLE) == 16
    assert len(files(store)) == 1


@pytest.mark.parametrize("before", [False, True])
def test_files_that_no_commit_took_are_removed(tmp_path: Path, before: bool) -> None:
    store = made.store(tmp_path)
    if before:
        commit(store, [unit(0, 0)])
    kept = files(store)
    with committer(store) as target:
        write(target.target, [unit(1, 1)], target.days)
        assert len(files(store)) == len(kept) + 1
    assert files(store) == kept
    assert store.exists(made.TABLE) == before
    assert done(store, made.MODEL) == (
        {("S0000", made.tile_name(0))} if before else set()
    )


@pytest.mark.parametrize("before", [False, True])
def test_optimize_removes_what_a_killed_committer_left(
    tmp_path: Path, before: bool
) -> None:
    store = made.store(tmp_path)
    if before:
        commit(store, [unit(0, 0)])
    with committer(store) as target:
        orders = target.target, target.days
    kept = files(store)
    write(orders[0], [unit(1, 1)], orders[1])  # nobody is there to commit it
    (left,) = files(store) - kept
    optimize(store)
    assert store.exists(made.TABLE) == before
    assert left not in files(store)


def test_whole_parts_are_kept_when_the_run_fails(tmp_path: Path) -> None:
    store = made.store(tmp_path)

    def fail() -> None:
        with committer(store) as target:
            target.add(write(target.target, [unit(0, 0)], target.days))
            raise RuntimeError("bad scene")

    with pytest.raises(RuntimeError, match="bad scene"):
        fail()
    assert done(store, made.MODEL) == {("S0000", made.tile_name(0))}


def test_vectors_of_another_model_are_refused_before_any_work(tmp_path: Path) -> None:
    store = made.store(tmp_path)
    commit(store, [unit(0, 0)])
    with pytest.raises(
        ModelMismatchError, match="holds vectors of toy-1@1, got toy-1@2"
    ):
        Committer(store, made.MODEL, made.columns(revision="2")).__enter__()
    with store.lock("anybody"):
        assert store.count(made.TABLE) == 16


def test_a_worker_writes_a_file_whenever_enough_rows_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(parts, "FLUSH_BYTES", 1)
    store = made.store(tmp_path)
    commit(store, [unit(0, 0), unit(0, 1), unit(1, 0)])
    assert len(files(store)) == 3
    assert store.count(made.TABLE) == 48


def _killed(root: Path, delay: float) -> bool:
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.store.committing_process"])
    process = context.Process(target=committing_process.embed, args=(str(root), 12))
    process.start()
    process.join(delay)
    process.kill()
    process.join()
    assert process.exitcode in (0, -signal.SIGKILL)
    return process.exitcode != 0


def _kill_and_take_up(folder: Path, kills: int, seed: int) -> None:
    plain = made.store(folder / "plain")
    embedding_process.embed(str(plain.root), 4000)
    whole = made.store(folder / "whole")
    _killed(made.store(folder / "first").root, 60.0)
    started = time.perf_counter()
    assert not _killed(whole.root, 60.0)
    span = time.perf_counter() - started
    assert state(whole) == state(plain)
    random = np.random.default_rng(seed)
    interrupted = 0
    while interrupted < kills:
        root = made.store(folder / f"killed-{random.integers(1 << 40)}").root
        for _ in range(3):
            interrupted += _killed(root, random.uniform(0, span))
        committing_process.embed(str(root), 12)
        store = Store.open(root)
        assert state(store) == state(whole)
        used = {
            Path(file.path).name
            for version in store.dataset(made.TABLE).versions()
            for part in store.dataset(made.TABLE, version["version"]).get_fragments()
            for file in part.data_files()
        }
        assert files(store) == used


def test_a_committer_killed_at_any_moment_and_taken_up_ends_as_one_undisturbed(
    tmp_path: Path,
) -> None:
    _kill_and_take_up(tmp_path, kills=10, seed=1)


@pytest.mark.slow
def test_a_committer_killed_at_very_many_moments_ends_as_one_undisturbed(
    tmp_path: Path,
) -> None:
    _kill_and_take_up(tmp_path, kills=200, seed=2)


def test_what_a_part_holds_can_be_sent(tmp_path: Path) -> None:
    import pickle

    store = made.store(tmp_path)
    with committer(store) as target:
        sent = pickle.loads(pickle.dumps(target.target))  # noqa: S301 - our own
        part = write(sent, [unit(0, 0)], target.days)
        target.add(pickle.loads(pickle.dumps(part)))  # noqa: S301 - our own
    assert isinstance(store.scan(made.TABLE).read_all(), pa.Table)
    assert store.count(made.TABLE) == 16
