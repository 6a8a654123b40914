"""What detection says of whole histories, in the archive."""

import shutil

import lance
import numpy as np
import pytest

import terradrift as td
from terradrift.errors import SchemaError


@pytest.fixture
def archive(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "own.td")
    return td.open(tmp_path / "own.td")


@pytest.fixture(scope="module")
def telling(finished, tmp_path_factory):
    """The same with more changes: those that one in twenty unchanged patches has."""
    place = tmp_path_factory.mktemp("telling") / "own.td"
    shutil.copytree(finished, place)
    archive = td.open(place)
    archive.detect(quiet=True, max_p_value=0.05)
    return archive


def test_every_patch_with_an_observation_has_a_row_with_its_place(archive):
    rows = archive.sql("FROM patch_changes ORDER BY patch_id").df()
    seen = archive.sql(
        "SELECT DISTINCT patch_id FROM embeddings ORDER BY patch_id"
    ).df()
    np.testing.assert_array_equal(rows["patch_id"], seen["patch_id"])
    assert rows["longitude"].notna().all()
    assert (rows["reason"].isna() == rows["score"].notna()).all()
    assert (rows["reason"] != "").all()
    assert rows["onset"].notna().equals(rows["score"].notna())
    assert archive.validate() == []


def test_reported_changes_are_told_in_the_words_of_esri(telling):
    told = telling.sql(
        """
        SELECT count(*), coalesce(sum(n_changes), 0), count(first_change),
               bool_and(first_change <= last_change AND
                        largest_change BETWEEN first_change AND last_change)
        FROM patch_changes WHERE n_changes > 0
        """
    ).fetchone()
    by_row = telling.sql(
        "SELECT count(DISTINCT patch_id), count(*) FROM changes"
    ).fetchone()
    assert told == (by_row[0], by_row[1], by_row[0], True)
    assert telling.sql(
        """
        SELECT count(*) FROM patch_changes p JOIN (
            SELECT patch_id, arg_max(onset, score) AS onset FROM changes GROUP BY ALL
        ) c USING (patch_id) WHERE p.largest_change <> c.onset
        """
    ).fetchone() == (0,)


def test_tables_of_an_earlier_form_say_what_to_do_and_are_made_anew(archive):
    path = archive.store.path("changes_mosaiks")
    held = lance.dataset(path).to_table()
    older = held.drop_columns(["persistence"]).replace_schema_metadata(
        {b"terradrift:schema": b"changes/0"}
    )
    lance.write_dataset(older, path, mode="overwrite")
    with pytest.raises(SchemaError) as told:
        archive.sql("FROM changes")
    assert str(told.value) == (
        "changes_mosaiks was made by another version of terradrift; run terradrift detect "
        "to make it anew (expected changes/2, got changes/0)"
    )
    assert archive.detect(quiet=True, max_p_value=0.03).fresh
    assert len(archive.sql("FROM changes").df()) > held.num_rows


def test_changes_name_their_analogues_and_carry_what_chance_makes(telling):
    rows = telling.sql("FROM changes ORDER BY patch_id, number").df()
    known = set(telling.sql("SELECT patch_id FROM patches").df()["patch_id"])
    for own, controls, count in zip(
        rows["patch_id"], rows["controls"], rows["n_controls"], strict=True
    ):
        assert len(controls) == min(10, count)
        assert set(controls) <= known - {own}
    assert (rows["p_value"] <= 0.05).all()
    assert (rows["q_value"] >= rows["p_value"]).all()
    numbers = rows.groupby("patch_id")["number"].apply(list)
    assert all(each == list(range(1, len(each) + 1)) for each in numbers)
    assert (rows["onset_early"] <= rows["date_before"]).all()
    assert (rows["onset_late"] >= rows["date_after"]).all()
    assert (rows["ended"].notna() == (rows["persistence"] == "transient")).all()
