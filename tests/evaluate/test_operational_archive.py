import json
from pathlib import Path

import numpy as np
import pytest

import terradrift as td
from terradrift.errors import ArchiveError, SourceError
from tests.cli.test_cli import run


def test_shares_are_those_of_the_tables(finished: Path) -> None:
    archive = td.open(finished)
    found = archive.calibration()
    held = archive.sql("SELECT p_value, reason, datetime FROM scores").to_arrow_table()
    p = held["p_value"].to_numpy()
    known = p[np.isfinite(p)]
    assert found.frames.levels.count == len(known)
    assert found.frames.silent == np.isnan(p).sum() == sum(found.abstained.values())
    at = found.frames.levels.alphas.tolist().index(0.1)
    assert found.frames.levels.share[at] == (known <= np.float32(0.1)).mean()
    assert sum(one.levels.count for one in found.months.values()) == len(known)
    assert sum(one.levels.count for one in found.strata.values()) == len(known)
    histories = archive.store.count("patch_changes_mosaiks")
    assert found.histories.levels.count + found.histories.silent == histories
    assert "" not in found.abstained


def test_controls_bound_what_is_counted(finished: Path, tmp_path: Path) -> None:
    archive = td.open(finished)
    box = archive.sql(
        "SELECT min(longitude) w, min(latitude) s, median(longitude) e, "
        "max(latitude) n FROM patches"
    ).fetchone()
    west, south, east, north = box
    ring = [[west, south], [east, south], [east, north], [west, north], [west, south]]
    controls = tmp_path / "same.geojson"

    def area(ring: list[list[float]]) -> None:
        shape = {"type": "Polygon", "coordinates": [ring]}
        feature = {"type": "Feature", "properties": {}, "geometry": shape}
        controls.write_text(
            json.dumps({"type": "FeatureCollection", "features": [feature]})
        )

    area(ring)
    whole, part = archive.calibration(), archive.calibration(controls=controls)
    assert 0 < part.patches < whole.patches
    assert 0 < part.frames.levels.count < whole.frames.levels.count
    assert part.ground == "Ground that is said not to have changed"
    area([[x + 5, y] for x, y in ring])
    with pytest.raises(SourceError, match="no patch of the archive lies wholly inside"):
        archive.calibration(controls=controls)


def test_an_archive_without_scores_is_refused(tmp_path: Path) -> None:
    archive = td.create(tmp_path / "new.td")
    with pytest.raises(ArchiveError, match="run terradrift detect first"):
        archive.calibration()


def test_the_command_prints_a_record_and_writes_a_folder(
    finished: Path, tmp_path: Path
) -> None:
    done = run("calibration", finished, "--json", "-o", tmp_path / "out")
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "out" / "calibration.json").read_text())
    assert json.loads(done.stdout) == record
    assert (tmp_path / "out" / "calibration.png").read_bytes()[:4] == b"\x89PNG"
