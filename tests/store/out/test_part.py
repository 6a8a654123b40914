import fcntl
from pathlib import Path

import pytest

from terradrift.errors import ArchiveError
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


def free(target: Path, *, folder: bool = False, overwrite: bool = False) -> None:
    part.free(target, folder=folder, overwrite=overwrite)


def test_files_of_others_are_not_replaced_by_chance(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours.csv", tmp_path / "theirs.csv"
    ours.write_text("change_id,score\n")
    theirs.write_text("precious\n")
    free(ours)
    with pytest.raises(ArchiveError, match=r"theirs\.csv is there and no export wrote"):
        free(theirs)
    free(theirs, overwrite=True)
    free(tmp_path / "new.csv")
    with pytest.raises(ArchiveError, match="No such file or directory"):
        free(tmp_path / "nowhere" / "a.csv")


def test_only_folders_of_exports_are_replaced_and_when_asked(tmp_path: Path) -> None:
    ours, theirs = tmp_path / "ours", tmp_path / "theirs"
    for folder in (ours, theirs):
        folder.mkdir()
        free(folder, folder=True)
    (ours / part.MANIFEST).write_text('{"terradrift": "0.1.0"}')
    (theirs / "precious").touch()
    with pytest.raises(ArchiveError, match="pass --overwrite"):
        free(ours, folder=True)
    free(ours, folder=True, overwrite=True)
    with pytest.raises(ArchiveError, match="no export wrote; choose another name"):
        free(theirs, folder=True, overwrite=True)
    with pytest.raises(ArchiveError, match="expected a file to write"):
        free(ours, overwrite=True)
    (tmp_path / "file").touch()
    with pytest.raises(ArchiveError, match="expected a folder to write"):
        free(tmp_path / "file", folder=True, overwrite=True)


def test_the_mode_of_what_is_written_is_the_usual_one(tmp_path: Path) -> None:
    (tmp_path / "plain").touch()
    with part.whole(tmp_path / "made") as made:
        made.touch()
    modes = {(tmp_path / name).stat().st_mode for name in ("plain", "made")}
    assert len(modes) == 1
