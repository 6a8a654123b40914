"""`detect --method local` on an archive: rows, references in the past, p-values by rank."""

import shutil
from pathlib import Path

import pandas as pd
import pytest

import terradrift as td
from terradrift.archive.methods import dispatch as methods
from terradrift.archive.methods.method import Judged
from terradrift.archive.runs import recorded


@pytest.fixture
def archive(finished: Path, tmp_path: Path) -> td.Archive:
    return td.open(shutil.copytree(finished, tmp_path / "copy.td"))


def detect(archive: td.Archive, **given: str) -> Judged:
    since = given.pop("since", None)
    request = methods.request(
        "local",
        archive.model,
        given,
        since=since,
        until=None,
        maps=None,
        device="cpu",
        threads=1,
        quiet=True,
    )
    with recorded(archive.store, "detect", {}) as run:
        return methods.detect(archive.store, run, request)


def rows(archive: td.Archive) -> pd.DataFrame:
    return archive.sql("SELECT * FROM anomalies WHERE method = 'local'").df()


@pytest.mark.parametrize("measure", ["distance", "lof"])
def test_every_observation_has_a_score_or_a_reason(
    archive: td.Archive, measure: str
) -> None:
    done = detect(archive, measure=measure, min_reference="5")
    found = rows(archive)
    assert done.observations == len(found) == archive.store.count("embeddings_mosaiks")
    assert 0 < done.scored == found.score.notna().sum()
    assert (found.score.isna() <= found.reason.notna()).all()
    assert found.p_value.dropna().between(0, 1, inclusive="right").all()
    assert len(found.p_value.dropna()) > 100
    assert f"{found.p_value.notna().sum():,} with a p-value" in done.notes
    judged = found[found.score.notna()]
    gap = judged.datetime - judged.reference_end
    assert (gap.dt.total_seconds() > 9 * 86_400).all()
    assert (judged.reference_start <= judged.reference_end).all()
    assert (judged.n_reference >= 5).all()
    held = archive.sql("SELECT patch_id, datetime, scene_id FROM observations").df()
    both = found.merge(held, on=["patch_id", "datetime"], suffixes=("", "_held"))
    assert len(both) == len(found)
    assert (both.scene_id == both.scene_id_held).all()
    assert archive.validate() == []


def test_a_later_start_leaves_scores_as_they_were(archive: td.Archive) -> None:
    detect(archive, min_reference="5")
    whole = rows(archive).set_index(["patch_id", "datetime"]).sort_index()
    late = whole.index.get_level_values("datetime").max().normalize()
    detect(archive, min_reference="5", since=f"{late:%Y-%m-%d}")
    part = rows(archive).set_index(["patch_id", "datetime"]).sort_index()
    assert 0 < len(part) < len(whole)
    columns = ["score", "z", "p_value", "n_reference"]
    pd.testing.assert_frame_equal(part[columns], whole.loc[part.index, columns])


def test_too_little_history_is_told(archive: td.Archive) -> None:
    done = detect(archive, window="first", reference="40")
    assert done.scored == 0
    assert "no patch has 40 observations" in str(done)


def test_settings_of_the_other_measure_are_refused(archive: td.Archive) -> None:
    with pytest.raises(ValueError, match="neighbours is no setting of measure dist"):
        detect(archive, neighbours="5")
    with pytest.raises(
        ValueError, match="has no setting 'guard'; did you mean guard_d"
    ):
        detect(archive, guard="5")
