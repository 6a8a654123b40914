import fcntl
from pathlib import Path

import pytest

from terradrift.store.out import part


def hidden(folder: Path) -> list[str]:
    return [one.name for one in folder.iterdir() if one.name.startswith(part.PREFIX)]


def test_a_file_appears_when_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    with part.whole(target) as made:
        made.write_text("half")
        assert not target.exists()
        assert len(hidden(tmp_path)) == 1
    assert target.read_text() == "half"
    assert hidden(tmp_path) == []


def test_a_folder_replaces_a_folder(tmp_path: Path) -> None:
    target = tmp_path / "a"
    for text in ("old", "new"):
        with part.whole(target) as made:
            made.mkdir()
            (made / text).touch()
    assert [one.name for one in target.iterdir()] == ["new"]
    assert hidden(tmp_path) == []


def test_what_raises_leaves_the_old(tmp_path: Path) -> None:
    target = tmp_path / "a.txt"
    target.write_text("old")

    def half() -> None:
        with part.whole(target) as made:
            made.write_text("half")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        half()
    assert target.read_text() == "old"
    assert hidden(tmp_path) == []


def test_a_leftover_goes_and_what_is_being_written_stays(tmp_path: Path) -> None:
    left = tmp_path / f"{part.PREFIX}left"
    left.mkdir()
    (left / ".lock").touch()
    (left / "half").touch()
    foreign = tmp_path / f"{part.PREFIX}foreign"
    foreign.mkdir()
    busy = tmp_path / f"{part.PREFIX}busy"
    busy.mkdir()
    with (busy / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        with part.whole(tmp_path / "a.txt") as made:
            made.touch()
        assert sorted(hidden(tmp_path)) == [busy.name, foreign.name]
    part.clean(tmp_path)
    assert hidden(tmp_path) == [foreign.name]


def test_a_folder_that_was_being_replaced_is_found_again(tmp_path: Path) -> None:
    left = tmp_path / f"{part.PREFIX}left"
    for name in (".old", "a"):
        (left / name).mkdir(parents=True)
        (left / name / "file").write_text(name)
    (left / ".lock").touch()
    part.clean(tmp_path)
    assert hidden(tmp_path) == []
    assert (tmp_path / "a" / "file").read_text() == "a"


def test_what_is_killed_while_it_removes_is_still_known(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        pass

    def killed(*_: object, **__: object) -> None:
        raise Killed

    folder, lock = part.begin(tmp_path)
    (folder / "half").mkdir()
    with monkeypatch.context() as changed:
        changed.setattr(part.shutil, "rmtree", killed)
        with pytest.raises(Killed):
            part.end(folder, lock)
    assert sorted(one.name for one in folder.iterdir()) == [".lock", "half"]
    part.clean(tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_a_folder_whose_replacing_is_interrupted_has_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "a"
    target.mkdir()

    def interrupted(*_: object) -> None:
        raise KeyboardInterrupt

    def replaced() -> None:
        with part.whole(target) as made:
            made.mkdir()
            (made / "new").touch()
            monkeypatch.setattr(Path, "replace", interrupted)

    with pytest.raises(KeyboardInterrupt):
        replaced()
    assert [one.name for one in target.iterdir()] == ["new"]
    assert hidden(tmp_path) == []


def test_folders_of_others_are_not_looked_into(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    precious = tmp_path / "precious"
    precious.mkdir()
    (precious / ".lock").touch()
    (tmp_path / f"{part.PREFIX}link").symlink_to(precious)
    part.clean(tmp_path)
    assert (precious / ".lock").exists()
    folder, lock = part.begin(tmp_path)
    part.os.close(lock)
    with monkeypatch.context() as changed:
        changed.setattr(part.os, "getuid", lambda: -1)
        part.clean(tmp_path)
    assert folder.exists()


def test_the_mode_of_what_is_written_is_the_usual_one(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    with part.whole(tmp_path / "made") as made:
        made.touch()
    modes = {(tmp_path / name).stat().st_mode for name in ("plain", "made")}
    assert len(modes) == 1
