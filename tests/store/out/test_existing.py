"""What is there already is not lost by chance."""

from collections.abc import Callable
from pathlib import Path

import pytest

from terradrift.errors import ArchiveError
from terradrift.store.out import existing, partitioned, zarr_store
from terradrift.store.out.existing import free
from terradrift.store.out.leaving import Leaving
from terradrift.store.tables import Store
from tests.store import made


def partition(leaving: Leaving, target: Path) -> None:
    partitioned.export(leaving, target, overwrite=True)


def stac(leaving: Leaving, target: Path) -> None:
    partitioned.export(leaving, target, stac=True, overwrite=True)


def zarr(leaving: Leaving, target: Path) -> None:
    zarr_store.export(leaving, target, dtype="int8", overwrite=True)


def test_a_file_is_replaced_when_asked_alone(tmp_path: Path) -> None:
    for text in ("my_id,event_id,remark\n", '{"terradrift": 1}'):
        path = tmp_path / "notes.csv"
        path.write_text(text)
        with pytest.raises(ArchiveError, match=r"is there already; .* --overwrite"):
            free(path, folder=False, overwrite=False)
        free(path, folder=False, overwrite=True)
    free(tmp_path / "new.csv", folder=False, overwrite=False)
    with pytest.raises(ArchiveError, match="No such file or directory"):
        free(tmp_path / "nowhere" / "a.csv", folder=False, overwrite=False)


@pytest.mark.parametrize("to", ["nothing", "folder"])
def test_a_link_is_told_in_one_line(tmp_path: Path, to: str) -> None:
    (tmp_path / "folder").mkdir()
    link = tmp_path / "link"
    link.symlink_to(tmp_path / to)
    for folder in (False, True):
        with pytest.raises(ArchiveError, match="choose another name"):
            free(link, folder=folder, overwrite=False)
    with pytest.raises(ArchiveError, match="is a link"):
        free(link, folder=True, overwrite=True)


@pytest.mark.parametrize("export", [partition, stac, zarr])
@pytest.mark.parametrize("stranger", ["notes.txt", "data/a/._b", "utm31/time/c/x"])
def test_a_folder_is_replaced_where_an_export_wrote_every_file(
    store: Store,
    tmp_path: Path,
    export: Callable[[Leaving, Path], None],
    stranger: str,
) -> None:
    target = tmp_path / "e.zarr"
    leaving = Leaving(store, "embeddings", made.MODEL)
    export(leaving, target)
    with pytest.raises(ArchiveError, match="pass --overwrite"):
        free(target, folder=True, overwrite=False)
    free(target, folder=True, overwrite=True)
    path = target / stranger
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    with pytest.raises(ArchiveError, match=f"no export wrote, such as {stranger}"):
        export(leaving, target)
    assert path.exists()


@pytest.mark.parametrize("name", [existing.MANIFEST, "zarr.json"])
@pytest.mark.parametrize("text", ["", "[]", "{}", "null", '{"attributes": null}'])
def test_folders_of_others_are_left_alone(tmp_path: Path, name: str, text: str) -> None:
    target = tmp_path / "theirs"
    target.mkdir()
    free(target, folder=True, overwrite=False)
    (target / name).write_text(text)
    with pytest.raises(ArchiveError, match="no export wrote"):
        free(target, folder=True, overwrite=True)


def test_files_and_folders_do_not_replace_each_other(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ArchiveError, match="expected a folder to write"):
        free(tmp_path / "file", folder=True, overwrite=True)
    with pytest.raises(ArchiveError, match="expected a file to write"):
        free(tmp_path, folder=False, overwrite=True)
