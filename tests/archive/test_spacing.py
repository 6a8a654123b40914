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
    assert (chosen.space, chosen.observations) == ("centre/2", len(vectors))
    from terradrift.store import spaces

    mean = spaces.current(archive.store, "mosaiks").mean
    np.testing.assert_allclose(mean, vectors.mean(axis=0), atol=1e-6)
    assert archive.space("centre", quiet=True).space == "centre/3"
    assert archive.space("centre/1").space == "centre/1"
    assert archive.space("raw").space == "raw"


def test_states_are_searched_in_the_centre_that_detection_keeps(archive):
    change = archive.sql("SELECT change_id FROM changes ORDER BY score DESC").fetchone()
    asked = {"change": change[0], "k": 1}
    for mode in ("after", "before", "before-after", "after-before"):
        found = archive.similar(mode=mode, **asked)
        assert (found.space, found.note) == ("centre/1", None)
    for mode in ("delta", "reverse"):
        assert archive.similar(mode=mode, **asked).space == "raw"
    seen = archive.similar(target="observations", **asked)
    assert seen.space == "centre/1"
    assert archive.info()["space"] == "raw"  # what detection compares in
    raw = archive.similar(mode="after", space="raw", **asked)
    assert raw.space == "raw"
    archive.space("raw")
    chosen = archive.similar(mode="after", **asked)
    assert (chosen.space, chosen.note) == ("raw", None)
    assert chosen.to_arrow() == raw.to_arrow()
    assert archive.similar(mode="after", space="centre", **asked).space == "centre/1"
    with pytest.raises(ArchiveError, match="no space whiten/1 of mosaiks, it has cent"):
        archive.similar(space="whiten", **asked)


def test_an_archive_without_a_centre_says_how_to_get_one(archive):
    change = archive.sql("SELECT change_id FROM changes ORDER BY score DESC").fetchone()
    (path,) = (archive.store.root / "spaces").glob("*.safetensors")
    path.unlink()
    found = archive.similar(change=change[0], mode="after", k=1)
    assert found.space == "raw"
    assert "terradrift index fits the archive's centre" in found.note
    assert archive.similar(change=change[0], k=1).note is None
    said = archive.index(quiet=True)
    assert said[0].startswith("searches compare states of mosaiks in centre/1, fitted")
    found = archive.similar(change=change[0], mode="after", k=1)
    assert (found.space, found.note) == ("centre/1", None)
    path.unlink()
    assert not archive.detect(quiet=True).fresh
    assert path.exists()


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

    archive.space("whiten", quiet=True)
    (path,) = (archive.store.root / "spaces").glob("*.whiten.*.safetensors")
    held, said = arrays.read(path)
    held = {name: np.array(one) for name, one in held.items()}
    arrays.write(path, held, {k: v for k, v in said.items() if k != "last_day"})
    space = spaces.current(archive.store, "mosaiks")
    assert space.last_day is None
    assert "may know days after 2018-01-01" in space.knew(np.datetime64("2018-01-01"))
