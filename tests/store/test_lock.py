import os
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from terradrift.errors import ArchiveError, ArchiveLockedError
from terradrift.store.tables import Store
from tests.store import made

HOLD = """
import sys, time
from terradrift.store.tables import Store
with Store.open(sys.argv[1]).lock("embed"):
    print("held", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def holder(tmp_path: Path):
    """Another process that holds the lock of the archive in `tmp_path`."""
    store = made.store(tmp_path)
    store.append(made.TABLE, made.unit(0, 0))
    with subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        yield process
        process.kill()


def test_a_second_writer_is_told_who_holds_the_archive(
    holder: subprocess.Popen, tmp_path: Path
) -> None:
    store = Store.open(tmp_path)
    who = rf"process {holder.pid} on {socket.gethostname()} \(embed, since 20..-"
    with pytest.raises(ArchiveLockedError, match=who), store.lock("detect"):
        pass
    with pytest.raises(ArchiveLockedError, match=who):
        store.append(made.TABLE, made.unit(0, 1))
    with pytest.raises(ArchiveLockedError, match=who):
        store.update(store.settings)


@pytest.mark.parametrize("verb", ["label", "rename"])
def test_a_writer_waits_for_a_verb_that_takes_a_moment(
    tmp_path: Path, verb: str
) -> None:
    made.store(tmp_path)
    brief = HOLD.replace('"embed"', repr(verb)).replace("sleep(60)", "sleep(0.3)")
    with subprocess.Popen(
        [sys.executable, "-c", brief, str(tmp_path)], stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"held\n"
        store = Store.open(tmp_path)
        store.append(made.TABLE, made.unit(0, 0))
        assert store.count(made.TABLE) == 16


def test_readers_do_not_wait_for_a_writer(
    holder: subprocess.Popen, tmp_path: Path
) -> None:
    assert Store.open(tmp_path).count(made.TABLE) == 16
    assert holder.poll() is None


def test_the_lock_goes_with_a_killed_process(
    holder: subprocess.Popen, tmp_path: Path
) -> None:
    os.kill(holder.pid, signal.SIGKILL)
    holder.wait()
    store = Store.open(tmp_path)
    store.append(made.TABLE, made.unit(0, 1))
    assert store.count(made.TABLE) == 32


def test_one_thread_may_take_the_lock_inside_itself(tmp_path: Path) -> None:
    store = made.store(tmp_path)
    with store.lock("run"):
        with store.lock("embed"):
            store.append(made.TABLE, made.unit(0, 0))
        with pytest.raises(ArchiveLockedError, match="by process"):
            Store.open(tmp_path).append(made.TABLE, made.unit(0, 1))
    Store.open(tmp_path).append(made.TABLE, made.unit(0, 1))


def test_another_thread_is_refused(tmp_path: Path) -> None:
    store = made.store(tmp_path)
    refused: list[BaseException] = []

    def write() -> None:
        try:
            store.append(made.TABLE, made.unit(0, 0))
        except ArchiveLockedError as error:
            refused.append(error)

    with store.lock("run"):
        thread = threading.Thread(target=write)
        thread.start()
        thread.join()
    assert "(run, since" in str(refused[0])


def test_a_lock_without_a_readable_holder_still_refuses(tmp_path: Path) -> None:
    store = made.store(tmp_path)
    with store.lock("run"):
        (tmp_path / ".lock").write_text("")
        with (
            pytest.raises(ArchiveLockedError, match="by another process; wait"),
            Store.open(tmp_path).lock("embed"),
        ):
            pass


def test_an_archive_whose_folder_is_gone_is_named(tmp_path: Path) -> None:
    store = made.store(tmp_path / "a")
    (tmp_path / "a" / "archive.json").unlink()
    (tmp_path / "a").rmdir()
    with (
        pytest.raises(
            ArchiveError, match=r"cannot write to the archive .*: No such file"
        ),
        store.lock("run"),
    ):
        pass
