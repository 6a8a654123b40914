import shutil
from pathlib import Path

import lance
import numpy as np
import pyarrow as pa
import pytest

from terradrift import schema
from terradrift.store.optimize import optimize
from terradrift.store.tables import Store
from terradrift.store.validate import validate
from tests.store import made

UNITS = "units_toy_1"
SCORES = "scores_toy_1"


@pytest.fixture
def store(tmp_path: Path) -> Store:
    found = made.filled(tmp_path / "a.td")
    rows = found.scan(made.TABLE, ["patch_id", "datetime", "tile"]).read_all()
    scores = {one.name: pa.nulls(len(rows), one.type) for one in schema.scores()}
    scores |= {name: rows[name] for name in rows.column_names}
    found.append(SCORES, pa.table(scores, schema=schema.scores()))
    found.append("changes_toy_1", made.changes(range(3)))
    return found


def test_a_sound_archive_has_no_problems(store: Store) -> None:
    assert validate(store) == []
    optimize(store)
    assert validate(store) == []


def test_an_archive_of_nothing_has_no_problems(tmp_path: Path) -> None:
    assert validate(made.store(tmp_path)) == []


def test_two_rows_of_a_patch_and_day_are_found(store: Store) -> None:
    store.append(made.TABLE, made.unit(1, 2, patches=5, hour=12, scene="S0002"))
    problems = validate(store)
    assert len(problems) == 2
    assert problems[0].startswith(
        f"{made.TABLE}: 5 rows are of a patch and day that another row is of, such as "
        "32631_40m_32_0, "
    )
    assert (
        "1 units have more rows than units_toy_1 says, such as scene S0002"
        in problems[1]
    )


def test_rows_that_the_ledger_does_not_know_are_found(store: Store) -> None:
    store.append(made.TABLE, made.unit(1, 9))
    (problem,) = validate(store)
    assert problem == (
        f"{made.TABLE}: rows of 1 units are not in {UNITS}, such as scene S0009 on tile "
        "32631_40m_1_0"
    )
    shutil.rmtree(store.path(UNITS))
    assert validate(store) == [
        f"{UNITS} is missing; 13 units of {made.TABLE} are not in a ledger"
    ]


def test_units_that_stand_twice_are_found(store: Store) -> None:
    store.append(UNITS, store.scan(UNITS).read_all())
    assert validate(store) == [f"{UNITS}: 12 units stand more than once"]


def test_rows_of_unknown_patches_are_found(store: Store) -> None:
    store.overwrite("patches", made.patches([0, 1]))
    problems = validate(store)
    assert [problem.split(",")[0] for problem in problems] == [
        "changes_toy_1: 16 rows are of patches that are not in patches under their tile",
        f"{made.TABLE}: 64 rows are of patches that are not in patches under their tile",
        f"{SCORES}: 64 rows are of patches that are not in patches under their tile",
    ]
    store.drop("patches")
    assert f"{SCORES} has rows but the archive has no patches" in validate(store)


def test_patches_that_are_no_cells_of_the_grid_are_found(store: Store) -> None:
    rows = made.patches(range(3)).to_pylist()
    for i, wrong in enumerate(["here", "32631_80m_0_0", "32631_40m_7_7", "x", "y"]):
        rows[i]["patch_id"] = wrong
    store.overwrite("patches", pa.Table.from_pylist(rows, schema.patches()))
    assert (
        "patches: here, 32631_80m_0_0, 32631_40m_7_7 and others is no patch of 40 m at its "
        "row and column" in validate(store)
    )


def test_scores_of_no_observation_are_found(store: Store) -> None:
    store.dataset(made.TABLE).delete("scene_id = 'S0001'")
    assert validate(store) == [
        f"{SCORES}: 48 scores are of observations that are not in {made.TABLE}"
    ]
    store.drop(made.TABLE)
    assert f"{SCORES} has rows but there is no table {made.TABLE}" in validate(store)


def test_vectors_that_are_not_finite_are_found(store: Store) -> None:
    rows = made.unit(0, 9, scene="S9").to_pylist()
    rows[2]["embedding"][3] = np.nan
    rows[5]["embedding"][0] = -np.inf
    rows[6]["embedding"] = None
    store.append(made.TABLE, pa.RecordBatch.from_pylist(rows, made.columns()))
    problems = validate(store)
    assert f"{made.TABLE}: 2 vectors in embedding hold NaN or infinity" in problems
    assert f"{made.TABLE}: 1 rows have no embedding" in problems


def test_keys_that_are_null_or_stand_twice_are_found(store: Store) -> None:
    changes = made.changes([0]).to_pylist()
    changes[0]["change_id"] = None
    store.append("changes_toy_1", pa.Table.from_pylist(changes, schema.changes(8)))
    problems = validate(store)
    assert "changes_toy_1: 1 rows have no change_id" in problems
    assert any(
        problem.startswith("changes_toy_1: change_id c-32631_40m_1_0, ")
        and problem.endswith(" and others stands more than once")
        for problem in problems
    )


def test_a_table_of_another_version_is_found_and_the_rest_still_checked(
    store: Store,
) -> None:
    kinds = schema.kinds().empty_table()
    older = kinds.replace_schema_metadata({"terradrift:schema": "kinds/0"})
    lance.write_dataset(older, store.root / "kinds_toy_1.lance")
    store.append(UNITS, store.scan(UNITS).read_all())
    assert set(validate(store)) == {
        (
            "kinds_toy_1 was made by another version of terradrift; run terradrift "
            "cluster to make it anew (expected kinds/2, got kinds/0)"
        ),
        f"{UNITS}: 12 units stand more than once",
    }


def test_a_folder_that_is_no_table_is_found(store: Store) -> None:
    lance.write_dataset(pa.table({"a": [1]}), store.root / "notes.lance")
    assert "notes" not in store.tables()
    assert validate(store) == ["notes.lance is not a table of an archive"]
