"""`embed --ray` on a cluster of processes of this machine."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import psutil
import pyarrow as pa
import pytest

import terradrift as td
from terradrift.archive import cluster
from terradrift.archive.bundles import bundles
from terradrift.archive.modelling import opened
from terradrift.archive.reading import alone
from terradrift.archive.worker import Task, Worker
from terradrift.embed import library
from terradrift.embed.models.galileo import NANO
from terradrift.errors import ArchiveError, ModelMismatchError, SourceError
from terradrift.grid import Grid
from terradrift.ingest.simulate import simulate
from terradrift.store.parts import Target

ray = pytest.importorskip("ray")
pytestmark = pytest.mark.filterwarnings("ignore:lance is not fork-safe:UserWarning")

GRID = Grid(40, 10.0)
TABLE = "embeddings_mosaiks"
TOKENS = "embeddings_galileo_nano_tokens"
KEY = [("patch_id", "ascending"), ("datetime", "ascending")]


@pytest.fixture(scope="module")
def local() -> Iterator[str]:
    """A cluster that lasts for the module; `embed` uses a connection that is there."""
    cluster._connect(ray, "local")
    yield "local"
    ray.shutdown()


@pytest.fixture(scope="module")
def plain(scenes: Path, tmp_path_factory: pytest.TempPathFactory) -> td.Archive:
    made = archive(tmp_path_factory.mktemp("plain"), scenes)
    made.embed(threads=2, quiet=True)
    return made


def archive(folder: Path, scenes: Path) -> td.Archive:
    made = td.create(folder / "a.td", GRID)
    made.ingest(scenes)
    return made


def table(given: td.Archive, name: str = TABLE) -> pa.Table:
    return given.store.scan(name).read_all().sort_by(KEY)


def check_same(
    given: td.Archive,
    wanted: td.Archive,
    name: str = TABLE,
    *,
    every_file: bool = True,
) -> None:
    one, other = table(given, name), table(wanted, name)
    but = ["embedding", "run_id"]
    assert one.drop_columns(but).equals(other.drop_columns(but))
    vectors = [
        found["embedding"].combine_chunks().values.to_numpy().astype(np.float32)
        for found in (one, other)
    ]
    np.testing.assert_allclose(*vectors, rtol=2e-3, atol=1e-5)
    ledgers = [
        made.store.scan(name.replace("embeddings", "units"))
        .read_all()
        .drop_columns(["run_id"])
        .sort_by([("scene_id", "ascending"), ("tile", "ascending")])
        for made in (given, wanted)
    ]
    assert ledgers[0].equals(ledgers[1])
    assert given.validate() == []
    if every_file:
        assert files(given, name) == committed(given, name)


def files(given: td.Archive, name: str = TABLE) -> set[str]:
    data = given.store.path(name) / "data"
    return {path.name for path in data.glob("*.lance")}


def committed(given: td.Archive, name: str) -> set[str]:
    parts = given.store.dataset(name).get_fragments()
    return {Path(file.path).name for part in parts for file in part.data_files()}


def workers(above: psutil.Process) -> list[psutil.Process]:
    """Processes of workers that embed, under a process."""
    found = []
    for one in above.children(recursive=True):
        try:
            if one.cmdline()[:1] == ["ray::Worker.embed"]:
                found.append(one)
        except psutil.Error:
            continue  # it ended meanwhile
    return found


@pytest.mark.parametrize("count", [1, 2])
def test_workers_write_the_rows_of_a_plain_run_in_one_commit(
    plain: td.Archive, scenes: Path, tmp_path: Path, local: str, count: int
) -> None:
    given = archive(tmp_path, scenes)
    done = given.embed(ray=local, ray_workers=count, threads=1, quiet=True)
    assert done.rows == plain.store.count(TABLE)
    assert given.store.dataset(TABLE).version == 1
    check_same(given, plain)
    again = given.embed(ray=local, ray_workers=count, threads=1, quiet=True)
    assert again.rows == 0


def test_a_worker_killed_midway_has_its_units_done_by_another(
    plain: td.Archive, scenes: Path, tmp_path: Path, local: str
) -> None:
    given = archive(tmp_path, scenes)
    killed: list[int] = []
    over = threading.Event()

    def kill() -> None:
        while not killed and not over.is_set():
            if len(files(given)) >= 2:
                for one in workers(psutil.Process())[:1]:
                    os.kill(one.pid, signal.SIGKILL)
                    killed.append(one.pid)
            time.sleep(0.002)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        given.embed(ray=local, ray_workers=2, threads=1, quiet=True)
    finally:
        over.set()
        killer.join()
    assert len(killed) == 1
    assert given.store.dataset(TABLE).version == 1
    check_same(given, plain)


def test_a_bundle_that_no_worker_survives_is_given_up(
    scenes: Path, tmp_path: Path, local: str
) -> None:
    given = archive(tmp_path, scenes)
    over = threading.Event()

    def kill() -> None:
        while not over.is_set():
            for one in workers(psutil.Process()):
                with suppress(ProcessLookupError):
                    os.kill(one.pid, signal.SIGKILL)
            time.sleep(0.002)

    killer = threading.Thread(target=kill)
    killer.start()
    try:
        with pytest.raises(ArchiveError, match="4 workers were lost over tile 32631"):
            given.embed("spectral", ray=local, ray_workers=1, threads=1, quiet=True)
    finally:
        over.set()
        killer.join()
    assert given.plan("spectral").scenes == 14
    assert given.validate() == []


def test_a_killed_driver_leaves_the_archive_as_it_was_and_it_is_taken_up(
    plain: td.Archive, scenes: Path, tmp_path: Path, local: str
) -> None:
    given = archive(tmp_path, scenes)
    before = given.store.tables()
    words = ["embed", str(given.store.root), "--ray", "local", "--ray-workers", "2"]
    process = subprocess.Popen(
        [sys.executable, "-m", "terradrift", *words, "--threads", "1", "--quiet"],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
    )
    while not files(given) and process.poll() is None:
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert process.returncode == -signal.SIGKILL
    assert files(given)
    opened = td.open(given.store.root)
    assert opened.store.tables() == before
    assert opened.store.settings == given.store.settings
    assert opened.validate() == []
    opened.embed(ray=local, ray_workers=2, threads=1, quiet=True)
    check_same(opened, plain)


def second_look(folder: Path) -> Path:
    """Other scenes of the same days and ground, some clearer, some less."""
    catalog = simulate(folder, size_px=128, dates=6, seed=8)
    for path in (folder / "items").glob("*.json"):
        item = json.loads(path.read_text())
        path.write_text(json.dumps({**item, "id": f"{item['id']}-again"}))
    return catalog


def test_of_two_scenes_of_a_day_the_clearer_stays_as_in_a_plain_run(
    tmp_path: Path, local: str
) -> None:
    first = simulate(tmp_path / "first", size_px=128, dates=6, seed=3)
    second = second_look(tmp_path / "second")
    made = []
    for name, address in (("plain", None), ("cluster", local)):
        (tmp_path / name).mkdir()
        given = archive(tmp_path / name, first)
        for later in (None, second):
            if later is not None:
                given.ingest(later)
            given.embed(ray=address, threads=1, quiet=True)
        made.append(given)
    assert made[1].store.dataset(TABLE).version == 2
    days = table(made[1]).select(["patch_id", "datetime", "scene_id"]).to_pandas()
    again = days.scene_id.str.endswith("-again")
    assert 0.02 < again.mean() < 0.98
    assert (
        not days.assign(day=days.datetime.dt.date).duplicated(["patch_id", "day"]).any()
    )
    check_same(made[1], made[0], every_file=False)


def test_a_foundation_model_of_several_dates_gives_the_rows_of_a_plain_run(
    shared: Callable[[str], Path],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    local: str,
) -> None:
    official = shared("weights/galileo_nano/encoder.pt")
    monkeypatch.setenv("TERRADRIFT_MODELS", str(tmp_path / "models"))
    library.add(NANO, official)
    catalog = simulate(tmp_path / "scenes", size_px=64, dates=4, seed=3)
    how = {"tokens": True, "token_size": 4, "dates": 2, "allow_mismatch": True}
    made = []
    for name, address in (("plain", None), ("cluster", local)):
        (tmp_path / name).mkdir()
        given = archive(tmp_path / name, catalog)
        given.embed(
            "galileo-nano",
            ray=address,
            ray_workers=2 if address else None,
            threads=1,
            quiet=True,
            **how,
        )
        made.append(given)
    check_same(made[1], made[0], TOKENS)
    schemas = [given.store.dataset(TOKENS).schema for given in made]
    assert schemas[0].equals(schemas[1], check_metadata=True)


def test_a_worker_with_another_model_is_refused(
    plain: td.Archive, tmp_path: Path
) -> None:
    with pytest.raises(ModelMismatchError, match=r"has another mosaiks .* revision 99"):
        other_model(plain)


def other_model(given: td.Archive) -> None:
    """What a worker does whose terradrift is not the driver's."""
    choice = given.choice("mosaiks")
    card = replace(opened(given.store, choice).card, revision="99")
    columns = given.store.dataset(TABLE).schema
    target = Target(given.store.root, "mosaiks", columns, None)
    task = Task(target, choice, card, "run", "cpu", "auto", 1, skip_bad=False)
    whole = given.plan("spectral")
    (bundle, *_) = bundles(alone(whole), GRID, frozenset(), workers=1)
    Worker(task).embed(bundle)


def test_a_scene_that_cannot_be_read_is_named_as_in_a_plain_run(
    tmp_path: Path, local: str
) -> None:
    catalog = simulate(tmp_path / "scenes", size_px=128, dates=6, seed=3)
    images = sorted((catalog.parent / "images").glob("*.tif"))
    images[3].write_bytes(images[3].read_bytes()[:5000])
    given = archive(tmp_path, catalog)
    with pytest.raises(SourceError, match=images[3].stem):
        given.embed("spectral", ray=local, ray_workers=2, threads=1, quiet=True)
    done = given.embed(
        "spectral", ray=local, ray_workers=2, threads=1, skip_bad=True, quiet=True
    )
    assert list(done.bad) == [images[3].stem]
    assert given.validate() == []
    assert given.plan("spectral").scenes == 1


def test_more_than_the_cluster_has_is_refused(
    plain: td.Archive, scenes: Path, tmp_path: Path, local: str
) -> None:
    given = archive(tmp_path, scenes)
    with pytest.raises(ArchiveError, match="too few for 1000 workers"):
        given.embed("spectral", ray=local, ray_workers=1000, quiet=True)
    with pytest.raises(ArchiveError, match=r"pass --ray-gpus, such as 0\.5"):
        given.embed("spectral", ray=local, device="cuda", ray_workers=1, quiet=True)
    assert not given.store.exists("embeddings_spectral")
