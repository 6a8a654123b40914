"""`--max-false-alarms` on the command line."""

import shutil
from pathlib import Path

import pytest
from typer.testing import CliRunner

import terradrift as td
from terradrift.cli import app
from terradrift.errors import ArchiveError

RUN = CliRunner()


def test_fewer_false_alarms_leave_the_surest_changes(
    finished: Path, tmp_path: Path
) -> None:
    place = tmp_path / "own.td"
    shutil.copytree(finished, place)
    held = []
    for most in ("50", "1e4"):
        done = RUN.invoke(app, f"detect {place} -q --max-false-alarms {most}".split())
        assert done.exit_code == 0, done.output
        rows = td.open(place).sql("SELECT false_alarms, change_id FROM changes").df()
        assert (rows["false_alarms"] <= float(most)).all()
        held.append(set(rows["change_id"]))
    assert held[0] < held[1]


@pytest.mark.parametrize("verb", ["detect {0}", "run {0} {1}"])
def test_no_false_alarm_at_all_cannot_be_asked_for(
    finished: Path, scenes: Path, verb: str
) -> None:
    words = verb.format(finished, scenes).split()
    done = RUN.invoke(app, [*words, "--max-false-alarms", "0"])
    assert done.exit_code == 2
    assert "max_false_alarms must be above 0, got 0" in done.output


def test_a_rate_that_few_patches_cannot_tell_is_refused_and_nothing_is_replaced(
    scenes: Path, tmp_path: Path
) -> None:
    place = tmp_path / "few.td"
    archive = td.create(place, td.Grid(640))
    archive.ingest(scenes)
    archive.embed("spectral", quiet=True)
    done = archive.detect(quiet=True, min_controls=4)
    assert archive.store.count("patch_changes_spectral") < 20
    # z without a p-value is not calibrated, and the rows say why.
    rows = archive.sql("FROM scores").df()
    assert rows["z"].notna().sum() > done.scored == rows["p_value"].notna().sum()
    assert (rows["reason"].notna() == rows["p_value"].isna()).all()
    told = str(archive.calibration())
    assert "too few patches to rank among: " in told
    assert "(: " not in told
    tables = ("scores", "changes", "patch_changes", "events")
    before = [archive.store.dataset(f"{one}_spectral").version for one in tables]
    with pytest.raises(ArchiveError, match="at least 20 patches that can be judged"):
        RUN.invoke(
            app,
            f"detect {place} -q --max-false-alarms 100".split(),
            catch_exceptions=False,
        )
    after = [archive.store.dataset(f"{one}_spectral").version for one in tables]
    assert after == before
