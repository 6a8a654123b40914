"""Choosing a space through the archive: fitted on what is stored, used by detect and search."""

import shutil

import numpy as np
import pytest

import terradrift as td
from terradrift.errors import ArchiveError
from terradrift.store.series import vectors_of


@pytest.fixture
def archive(finished, tmp_path):
    shutil.copytree(finished, tmp_path / "own.td")
    return td.open(tmp_path / "own.td")


def stored(archive, model="mosaiks"):
    scanned = archive.store.scan(
        f"embeddings_{model}", ["embedding"], "clear_percent >= 70"
    )
    return np.concatenate([vectors_of(batch["embedding"]) for batch in scanned])


def test_a_space_is_fitted_on_the_clear_observations(archive):
    assert archive.space().space == archive.info()["space"] == "raw"
    chosen = archive.space("centre", quiet=True)
    vectors = stored(archive).astype(np.float64)
    assert (chosen.space, chosen.observations) == ("centre/1", len(vectors))
    from terradrift.store import spaces

    mean = spaces.current(archive.store, "mosaiks").mean
    np.testing.assert_allclose(mean, vectors.mean(axis=0), atol=1e-6)
    assert archive.space("centre", quiet=True).space == "centre/2"
    assert archive.space("centre/1").space == "centre/1"
    assert archive.space("raw").space == "raw"


def test_detection_and_search_use_the_space_and_say_so(archive):
    before = archive.sql("SELECT drift FROM scores ORDER BY patch_id, datetime").df()
    archive.space("whiten", quiet=True)
    assert archive.detect(quiet=True).fresh
    assert not archive.detect(quiet=True).fresh
    after = archive.sql("SELECT drift FROM scores ORDER BY patch_id, datetime").df()
    assert not np.allclose(before["drift"], after["drift"], equal_nan=True)
    change = archive.sql("SELECT change_id FROM changes ORDER BY score DESC").fetchone()
    assert archive.similar(change=change[0], k=3).space == "whiten/1"
    assert archive.info()["space"] == "whiten/1"
    archive.space("raw")
    assert archive.detect(quiet=True).fresh
    again = archive.sql("SELECT drift FROM scores ORDER BY patch_id, datetime").df()
    np.testing.assert_array_equal(again["drift"], before["drift"])


def test_what_cannot_be_chosen_is_refused(archive, tmp_path):
    with pytest.raises(ValueError, match="one of raw, centre, whiten, got 'zca'"):
        archive.space("zca")
    with pytest.raises(ArchiveError, match="no embeddings of spectral"):
        archive.space("centre", model="spectral")
    assert archive.space().space == "raw"


def test_a_space_keeps_the_last_day_that_it_was_fitted_on(archive):
    from terradrift.store import spaces

    archive.space("whiten", quiet=True)
    space = spaces.current(archive.store, "mosaiks")
    last = archive.sql(
        "SELECT max(datetime)::DATE FROM embeddings WHERE clear_percent >= 70"
    ).fetchone()[0]
    assert space.last_day == np.datetime64(last, "D")
    assert space.knew(space.last_day) == ""
    before = space.last_day - np.timedelta64(1, "D")
    assert f"whiten/1 was fitted on days up to {last}" in space.knew(before)


def test_a_space_of_an_older_file_does_not_claim_to_know_no_later_days(archive):
    from terradrift.store import arrays, spaces

    archive.space("centre", quiet=True)
    (path,) = (archive.store.root / "spaces").glob("*.safetensors")
    held, said = arrays.read(path)
    held = {name: np.array(one) for name, one in held.items()}
    arrays.write(path, held, {k: v for k, v in said.items() if k != "last_day"})
    space = spaces.current(archive.store, "mosaiks")
    assert space.last_day is None
    assert "may know days after 2018-01-01" in space.knew(np.datetime64("2018-01-01"))
