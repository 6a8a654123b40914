"""`terradrift event-folders` as a user calls it."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from terradrift.cli import app
from terradrift.errors import TerradriftError
from terradrift.ingest.simulate.events import event_folders as simulate


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate(
        tmp_path_factory.mktemp("sites"), events=2, controls=1, steps=2, size_px=64
    )


def test_tables_on_standard_output(folder: Path) -> None:
    done = CliRunner().invoke(app, ["event-folders", str(folder), "-q"])
    assert done.exit_code == 0, done.output
    assert "Protocol of the paper" in done.stdout
    assert "False alarms on controls" in done.stdout
    assert done.stderr == ""


def test_a_record_a_page_and_maps(folder: Path, tmp_path: Path) -> None:
    page, maps = tmp_path / "page.md", tmp_path / "maps"
    done = CliRunner().invoke(
        app,
        [
            "event-folders",
            str(folder),
            "--json",
            "--output",
            str(page),
            "--maps",
            str(maps),
            "--model",
            "spectral",
        ],
    )
    assert done.exit_code == 0, done.output
    held = json.loads(done.stdout)
    assert held["model"] == "spectral"
    assert page.read_text().startswith("# ")
    assert len(list(maps.rglob("*.tif"))) == 6
    assert "event: 3/3 folders" in done.stderr


def test_mistakes_are_one_line(folder: Path, tmp_path: Path) -> None:
    done = CliRunner().invoke(app, ["event-folders", str(folder), "--protocol", "x"])
    assert done.exit_code == 2
    assert "protocol must be one of" in done.stderr
    done = CliRunner().invoke(app, ["event-folders", str(tmp_path)])
    assert done.exit_code == 1
    assert "got no event" in str(done.exception)
    (tmp_path / "afile").write_text("mine")
    where = ["--maps", str(tmp_path / "afile")]
    done = CliRunner().invoke(app, ["event-folders", str(folder), *where])
    assert done.exit_code == 1
    assert isinstance(done.exception, TerradriftError)
    assert "cannot write maps into" in str(done.exception)
    assert "folders in" not in done.stderr  # nothing was judged yet
