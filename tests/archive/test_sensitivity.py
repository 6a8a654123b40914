import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import terradrift as td
from terradrift.archive.choosing import Choice
from terradrift.archive.judge.sensitivity import on_pixels
from terradrift.cli import app
from terradrift.embed.how import How
from terradrift.errors import ArchiveError


@pytest.fixture(scope="module")
def spectral(scenes: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("sensitivity") / "small.td"
    archive = td.create(place, td.Grid(80))
    archive.ingest(scenes)
    archive.embed("spectral", quiet=True)
    return place


def test_the_command_tells_amplitudes_and_alarms(
    spectral: Path, tmp_path: Path
) -> None:
    out = tmp_path / "out"
    said = CliRunner().invoke(
        app,
        f"sensitivity {spectral} --directions --frames 2 --layouts 2 --min-history 5 "
        f"--false-positives 0.02 --detectors surprise,temporal-median --json -q -o {out}".split(),
    )
    assert said.exit_code == 0, said.output
    record = json.loads(said.stdout)
    assert record == json.loads((out / "sensitivity.json").read_text())
    assert (out / "sensitivity.png").stat().st_size > 10_000
    assert record["model"] == "spectral"
    assert record["objects"] >= 8
    methods = record["methods"]
    assert {"surprise", "temporal-median", "temporal median, pixels"} <= set(methods)
    assert set(methods["surprise"]["alarms"]) >= {"none", "season", "haze", "snow"}
    # The baseline on band means and the one on pixels, pooled, are the same science.
    assert "temporal median, pixels" in methods["surprise"]["gain"]


def test_it_writes_nothing_and_repeats_itself(spectral: Path) -> None:
    archive = td.open(spectral)
    before = {
        name: archive.store.dataset(name).version for name in archive.store.tables()
    }
    plan = {"frames": 1, "layouts": 1, "min_history": 5, "false_positives": 0.02}
    first, second = (
        archive.sensitivity(detectors=["temporal-median"], quiet=True, **plan)
        for _ in range(2)
    )
    assert first.to_dict() == second.to_dict()
    assert before == {
        name: archive.store.dataset(name).version for name in archive.store.tables()
    }
    assert "temporal-median" in str(first)


def test_detectors_on_pixels_stand_beside_by_name(spectral: Path) -> None:
    archive = td.open(spectral)
    plan = {"frames": 1, "layouts": 2, "min_history": 6, "false_positives": 0.02}
    found = archive.sensitivity(detectors=["rx-temporal-pixels"], quiet=True, **plan)
    fixed = {
        f"{name}, {grid}"
        for name in (
            "temporal median",
            "Reed-Xiaoli",
            "Reed-Xiaoli of the difference",
            "rx-temporal",
        )
        for grid in ("pixels", "patches")
    }
    assert set(found.thresholds) == fixed
    assert found.untouched > 100
    assert {"temporal median, pixels", "rx-temporal, patches"} <= set(
        found.gains["rx-temporal, pixels"]
    )
    for name in fixed:
        assert found.alarms["none"][name] <= 0.1


def test_a_name_of_both_kinds_is_the_one_on_vectors_that_can_read_them() -> None:
    names = ["rx-temporal", "rx-temporal-pixels", "drift", "scores-z"]
    both = {"rx-temporal-pixels": "rx-temporal"}
    assert on_pixels(Choice("spectral", How()), names) == both
    assert on_pixels(Choice("mosaiks", How()), names) == {
        **both,
        "rx-temporal": "rx-temporal",
    }


def test_what_cannot_be_planted_into_is_refused(spectral: Path) -> None:
    archive = td.open(spectral)
    with pytest.raises(ArchiveError, match="judges whole histories"):
        archive.sensitivity(detectors=["changes"], quiet=True)
    with pytest.raises(ArchiveError, match="no date is clear on 70%"):
        archive.sensitivity(detectors=["temporal-median"], min_history=60, quiet=True)
    with pytest.raises(ArchiveError, match="run terradrift embed first"):
        archive.sensitivity("mosaiks", quiet=True)
