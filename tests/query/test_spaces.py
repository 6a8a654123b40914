"""Searches in a centred or whitened space equal plain numpy in that space."""

import shutil

import numpy as np
import pyarrow as pa
import pytest

from terradrift import space
from terradrift.errors import ArchiveError, QueryError
from terradrift.query.search.similar import similar
from terradrift.store import spaces
from terradrift.store.tables import Store
from tests.query.conftest import DIMENSIONS, MODEL
from tests.query.twin import stack


@pytest.fixture
def own_store(store: Store, tmp_path):
    shutil.copytree(store.root, tmp_path / "own.td")
    return Store.open(tmp_path / "own.td")


def fitted(name: str, rows: pa.Table, version: int = 1) -> space.Space:
    vectors = stack(rows, "after") * np.geomspace(1, 0.1, DIMENSIONS) + 3
    return space.fit(name, iter([vectors]), DIMENSIONS, version)


@pytest.mark.parametrize("name", space.NAMES)
@pytest.mark.parametrize("mode", ["delta", "after", "before-after"])
def test_distances_are_those_of_the_space(own_store, changes, name, mode):
    chosen = fitted(name, changes)
    spaces.choose(own_store, MODEL, chosen)
    found = similar(own_store, change="c00007", mode=mode, k=50, exclude="self")
    assert found.space == f"{name}/1"
    assert f"compared in {name}/1" in repr(found)
    moved = [
        (chosen.step if part == "delta" else chosen.place)(stack(changes, part))
        for part in mode.split("-")
    ]
    vectors = np.concatenate(moved, axis=1).astype(np.float64)
    unit = vectors / np.linalg.norm(vectors, axis=1, keepdims=True)
    distance = 1 - unit @ unit[7]
    order = np.argsort(distance, kind="stable")[1:51]
    ids = np.array(changes["change_id"].to_pylist())
    table = found.to_arrow()
    np.testing.assert_allclose(table["distance"].to_numpy(), distance[order], atol=1e-5)
    assert set(table["change_id"].to_pylist()[:10]) == set(ids[order][:10])


def test_spaces_are_kept_by_number_and_none_is_replaced(own_store, changes):
    assert spaces.current(own_store, MODEL) is None
    first = fitted("centre", changes)
    spaces.choose(own_store, MODEL, first)
    assert spaces.next_version(own_store, MODEL, "centre") == 2
    assert spaces.next_version(own_store, MODEL, "whiten") == 1
    second = fitted("centre", changes.slice(0, 100), version=2)
    spaces.choose(own_store, MODEL, second)
    again = Store.open(own_store.root)
    assert spaces.current(again, MODEL).label == "centre/2"
    np.testing.assert_array_equal(
        spaces.held(again, MODEL, "centre/1").mean, first.mean
    )
    spaces.choose(again, MODEL, None)
    assert spaces.current(again, MODEL) is None


def test_a_space_that_is_not_there_or_damaged_is_one_line(own_store, changes):
    with pytest.raises(ArchiveError, match=r"has no space centre/3 .* it has none"):
        spaces.held(own_store, MODEL, "centre/3")
    with pytest.raises(ArchiveError, match=r"expected the label .* got '../x/1'"):
        spaces.held(own_store, MODEL, "../x/1")
    spaces.choose(own_store, MODEL, fitted("whiten", changes))
    (path,) = (own_store.root / "spaces").iterdir()
    path.write_bytes(path.read_bytes()[:-8])
    with pytest.raises(ArchiveError, match="cannot read the space whiten/1"):
        similar(own_store, change="c00007")


def test_an_example_in_the_middle_of_the_archive_has_no_direction(own_store, changes):
    chosen = fitted("centre", changes)
    spaces.choose(own_store, MODEL, chosen)
    with pytest.raises(
        QueryError, match="the vector has no direction to compare in the space centre/1"
    ):
        similar(own_store, vector=chosen.mean, mode="after")
