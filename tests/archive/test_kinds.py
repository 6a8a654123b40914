"""Kinds in an archive: a fit is kept, names and numbers outlive it, new changes are assigned."""

import shutil
from pathlib import Path

import lance
import numpy as np
import pyarrow as pa
import pytest

import terradrift as td
from terradrift import schema
from terradrift.archive.kinds import fits as kind_fits
from terradrift.errors import ArchiveError, SchemaError

D = 24
N = {1: 90, 2: 60, 3: 40}


def changes(sizes: dict[int, int], seed: int) -> pa.Table:
    """Rows of changes of planted kinds, each its own event."""
    random = np.random.default_rng(seed)
    directions = np.random.default_rng(99).normal(size=(12, D))
    truth = np.repeat(list(sizes), list(sizes.values()))
    delta = directions[truth] + 0.2 * random.normal(size=(len(truth), D))
    before = random.normal(size=(len(truth), D))
    rows = [
        {
            "change_id": f"{seed}-{i:04}",
            "patch_id": f"32631_80m_{i}_{seed}",
            "tile": "32631_80m_0_0",
            "event_id": f"e-{seed}-{i:04}",
            "rarity": float(kind) / 10,
            "score": float(random.random()),
            "d_ndvi": -0.4 if kind == 1 else 0.4,
            "before": before[i].astype(np.float16),
            "after": (before[i] + delta[i]).astype(np.float16),
            "delta": delta[i].astype(np.float16),
        }
        for i, kind in enumerate(truth.tolist())
    ]
    return pa.Table.from_pylist(rows, schema=schema.changes(D))


def put(archive: td.Archive, table: pa.Table, stamp: str) -> None:
    """Changes as detection leaves them."""
    store = archive.store
    store.overwrite("changes_toy", table, table.schema)
    events = [
        {"event_id": event, "rank": rank}
        for rank, event in enumerate(table["event_id"].to_pylist())
    ]
    rows = pa.Table.from_pylist(events, schema=schema.events())
    told = {**rows.schema.metadata, b"terradrift:made_from": stamp.encode()}
    rows = rows.replace_schema_metadata(told)
    store.overwrite("events_toy", rows, rows.schema)


@pytest.fixture
def archive(tmp_path: Path) -> td.Archive:
    made = td.create(tmp_path / "toy.td", td.Grid(80))
    put(made, changes(N, 1), "one")
    made.cluster("toy", quiet=True)
    return made


def kinds(archive: td.Archive) -> dict[int, dict[str, object]]:
    return {row["kind"]: row for row in archive.kinds("toy").to_pylist()}


def test_kinds_are_ranked_by_rarity_and_magnitude(archive: td.Archive) -> None:
    rows = archive.kinds("toy").to_pylist()
    assert [row["rank"] for row in rows] == [1, 2, 3]
    products = [row["rarity"] * row["magnitude"] for row in rows]
    assert products == sorted(products, reverse=True)
    assert sum(row["size"] for row in rows) == sum(N.values())
    assert {row["fate"] for row in rows} == {"born"}
    assert {row["n_events"] for row in rows} == set(N.values())
    tree = archive.kinds("toy", tree=True)
    assert set(tree["role"].to_pylist()) >= {"kind"}
    assert tree.num_rows >= len(rows)


def test_a_name_and_a_number_outlive_a_fit(archive: td.Archive) -> None:
    before = kinds(archive)
    used = archive.kinds("toy", tree=True)["kind"].to_pylist()
    (largest,) = (number for number, row in before.items() if row["size"] == N[1])
    archive.rename_kind(largest, "  field   to hamlet ", model="toy", who="an analyst")
    # New ground: the largest kind is the smallest now, and a kind nobody knew is there.
    put(archive, changes({1: 40, 2: 80, 3: 60, 7: 100}, 2), "two")
    done = archive.cluster("toy", quiet=True)
    after = kinds(archive)
    assert after[largest]["name"] == "field to hamlet"
    assert after[largest]["size"] == 40
    assert [fate.what for fate in done.fates].count("kept") == 3
    assert [fate.what for fate in done.fates].count("born") == 1
    (born,) = set(after) - set(before)
    assert born not in used
    assert after[born]["fate"] == "born"
    assert "3 kept, 1 born" in str(done)
    labels = archive.sql("SELECT target_id, name, who FROM labels").fetchall()
    assert labels == [(f"kind/toy/{largest}", "field to hamlet", "an analyst")]
    archive.rename_kind(largest, "", model="toy")
    assert kinds(archive)[largest]["name"] is None
    assert not [problem for problem in archive.validate() if "kinds" in problem]


def test_new_changes_are_assigned_without_a_fit(archive: td.Archive) -> None:
    first = kinds(archive)
    put(archive, changes({1: 30, 2: 50, 7: 100}, 3), "two")
    done = archive.cluster("toy", assign=True, quiet=True)
    assert done.assigned
    assert done.none_share == pytest.approx(100 / 180, abs=0.03)
    assert kind_fits.numbers(archive.store, "toy") == [1]
    now = kinds(archive)
    assert set(now) == set(first)
    by_size = {row["size"]: number for number, row in first.items()}
    assert now[by_size[N[1]]]["size"] == pytest.approx(30, abs=2)
    assert now[by_size[N[2]]]["size"] == pytest.approx(50, abs=2)
    assert now[by_size[N[3]]]["size"] <= 2
    again = archive.cluster("toy", assign=True, quiet=True)
    assert not again.fresh
    # A fit after that is made, though the changes are the same.
    assert archive.cluster("toy", quiet=True).fresh


def test_two_fits_are_compared_by_the_changes_of_now(archive: td.Archive) -> None:
    put(archive, changes({2: 60, 3: 40, 7: 80}, 4), "two")
    archive.cluster("toy", quiet=True)
    found = archive.compare_kinds(1, 2, model="toy")
    assert sorted(fate.what for fate in found) == ["born", "kept", "kept"]
    assert archive.compare_kinds(1, model="toy") == found
    assert {fate.what for fate in archive.compare_kinds(2, 2, model="toy")} == {"kept"}


def test_other_settings_make_another_fit(archive: td.Archive) -> None:
    assert not archive.cluster("toy", quiet=True).fresh
    assert archive.cluster("toy", quiet=True, selection="leaf").fresh
    assert kind_fits.numbers(archive.store, "toy") == [1, 2]
    with pytest.raises(ValueError, match="cluster has no setting size"):
        archive.cluster("toy", quiet=True, size=3)


def test_a_fit_is_read_as_it_was_written(archive: td.Archive) -> None:
    fit = kind_fits.newest(archive.store, "toy")
    assert fit is not None
    again = kind_fits.write(
        archive.store, "toy", fit.fitted, run_id="r", free=fit.free, none_share=0.25
    )
    assert again.number == 2
    read = kind_fits.read(archive.store, "toy", 2)
    assert (read.run_id, read.free, read.none_share) == ("r", fit.free, 0.25)
    for name in ("points", "kind", "node", "probability", "reach"):
        np.testing.assert_array_equal(
            getattr(read.fitted, name), getattr(fit.fitted, name)
        )
    vectors = np.random.default_rng(0).normal(size=(2, 9, D))
    np.testing.assert_array_equal(
        read.fitted.assign(*vectors).kind, fit.fitted.assign(*vectors).kind
    )


def test_what_cannot_be_done_is_said_in_one_line(archive: td.Archive) -> None:
    with pytest.raises(ArchiveError, match="has no kind 99 of toy, it has"):
        archive.rename_kind(99, "x", model="toy")
    with pytest.raises(ArchiveError, match="at most 200 characters, got 201"):
        archive.rename_kind(1, "x" * 201, model="toy")
    with pytest.raises(ArchiveError, match="no fit 9 of kinds of toy, it has 1"):
        archive.compare_kinds(9, model="toy")
    with pytest.raises(ArchiveError, match="holds no kinds of other"):
        archive.kinds("other")
    with pytest.raises(ValueError, match=r"ends in \.png"):
        archive.draw_kinds("tree.jpg", model="toy")
    path = archive.store.root / "models" / "kinds.toy.1.safetensors"
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ArchiveError, match=r"cannot read kinds from .*remove it"):
        archive.compare_kinds(1, model="toy")


def test_a_fit_that_was_never_shown_is_not_assigned(archive: td.Archive) -> None:
    """As after a run that was killed between the fit and its tables."""
    first = kinds(archive)
    fit = kind_fits.newest(archive.store, "toy")
    assert fit is not None
    moved = fit.fitted.renumbered(
        {number: number + 50 for number in set(fit.fitted.node.tolist()) | set(first)}
    )
    kind_fits.write(
        archive.store, "toy", moved, run_id="r", free=99, none_share=fit.none_share
    )
    archive.cluster("toy", assign=True, quiet=True)
    now = kinds(archive)
    assert {number: row["size"] for number, row in now.items()} == {
        number: pytest.approx(row["size"], abs=2) for number, row in first.items()
    }
    assert {row["fit"] for row in now.values()} == {1}


def test_no_kinds_to_assign_after_a_fit_without_any(archive: td.Archive) -> None:
    done = archive.cluster("toy", quiet=True, min_cluster_size=120)
    assert done.kinds == 0
    with pytest.raises(ArchiveError, match="no kinds of toy to assign"):
        archive.cluster("toy", assign=True, quiet=True)


def test_branches_and_parts_have_no_names(archive: td.Archive) -> None:
    rows = archive.kinds("toy", tree=True).to_pylist()
    others = [row["kind"] for row in rows if row["role"] != "kind"]
    assert others, "the planted kinds join in a tree"
    with pytest.raises(ArchiveError, match="of the tree of kinds"):
        archive.rename_kind(others[0], "x", model="toy")


def test_nothing_to_assign_is_said(tmp_path: Path) -> None:
    made = td.create(tmp_path / "toy.td", td.Grid(80))
    put(made, changes(N, 1), "one")
    with pytest.raises(ArchiveError, match="no kinds of toy to assign"):
        made.cluster("toy", assign=True, quiet=True)


def test_kinds_of_an_earlier_form_are_made_anew(archive: td.Archive) -> None:
    path = archive.store.root / "kinds_toy.lance"
    shutil.rmtree(path)
    older = pa.table({"kind": pa.array([1], pa.int32())})
    older = older.replace_schema_metadata({"terradrift:schema": "kinds/1"})
    lance.write_dataset(older, path)
    with pytest.raises(SchemaError, match="run terradrift cluster to make it anew"):
        archive.kinds("toy")
    assert archive.cluster("toy", quiet=True).kinds == len(N)
    assert archive.kinds("toy").num_rows == len(N)


def test_the_tree_is_drawn(archive: td.Archive, tmp_path: Path) -> None:
    written = archive.draw_kinds(tmp_path / "tree.png", model="toy")
    assert written.read_bytes()[:4] == b"\x89PNG"
