import json
from pathlib import Path

from tests.cli.test_cli import refused, run


def test_evaluate_prints_a_record_and_writes_a_folder(
    finished: Path, scenes: Path, tmp_path: Path
) -> None:
    labels = scenes.parent / "truth.geojson"
    done = run(
        *("evaluate", finished, "--labels", labels, "--json", "-o", tmp_path / "out")
    )
    assert done.returncode == 0, done.stderr
    record = json.loads((tmp_path / "out" / "evaluation.json").read_text())
    assert json.loads(done.stdout) == record
    assert record["archive"] == finished.name
    assert (tmp_path / "out" / "evaluation.png").read_bytes()[:4] == b"\x89PNG"


def test_bad_options_and_labels_are_one_clear_line(
    finished: Path, scenes: Path, tmp_path: Path
) -> None:
    labels = scenes.parent / "truth.geojson"
    refused(
        run("evaluate", finished, "--labels", tmp_path / "absent.geojson"),
        1,
        "expected labels as GeoJSON",
        "got no file",
    )
    refused(
        run("evaluate", finished, "--labels", labels, "--days", "few"),
        2,
        "days must be whole numbers",
    )
