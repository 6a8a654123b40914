"""Foundation models as a user names them on the command line."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from terradrift.ingest.simulate import simulate
from tests.cli.test_cli import json_lines, refused, run


@pytest.fixture
def weights(shared: Callable[[str], Path], tmp_path: Path) -> dict[str, str]:
    """Where the weights of galileo-nano lie, for the environment of a command."""
    place = {"TERRADRIFT_MODELS": str(tmp_path / "models")}
    official = shared("weights/galileo_nano/encoder.pt")
    assert run("models", "add", "galileo-nano", official, env=place).returncode == 0
    return place


def test_absent_weights_are_one_line_and_nothing_is_made(
    scenes: Path, tmp_path: Path
) -> None:
    place, nowhere = tmp_path / "a.td", {"TERRADRIFT_MODELS": str(tmp_path)}
    words = ("run", place, scenes, "--model", "galileo-nano", "--tokens")
    refused(run(*words, env=nowhere), 1, "terradrift models fetch galileo-nano")
    assert not place.exists()


@pytest.mark.parametrize(
    ("options", "phrase"),
    [
        (("--model", "mosaiks", "--tokens"), "mosaiks knows no --tokens"),
        (("--model", "clay-v1.5", "--dates", "2"), "looks at one date"),
        (("--model", "galileo-nano", "--overlap", "4"), "pass --tokens too"),
        (("--model", "galileo-nano-tokens", "--token-size", "9"), "got --token-size 9"),
        (("--model", "galileo-nano", "--precision", "fp8"), "got 'fp8'"),
        (("--model", "galileo-nano", "--device", "abacus"), "got 'abacus'"),
    ],
)
def test_choices_that_do_not_fit_are_refused_before_anything_is_made(
    scenes: Path, tmp_path: Path, options: tuple[str, ...], phrase: str
) -> None:
    place = tmp_path / "a.td"
    refused(run("run", place, scenes, *options), 2, phrase)
    assert not place.exists()


def test_a_new_archive_gets_patches_of_one_token(
    weights: dict[str, str], tmp_path: Path
) -> None:
    catalog = simulate(tmp_path / "scenes", size_px=64, dates=2, seed=3)
    place = tmp_path / "a.td"
    words = ("run", place, catalog, "--model", "galileo-nano", "--tokens")
    refused(run(*words, env=weights), 1, "made for L1C, given L2A", "--allow-mismatch")
    done = run(*words, "--allow-mismatch", "--json", env=weights)
    assert "patches of 40 m: one vector of galileo-nano-tokens each" in done.stderr
    assert done.returncode == 0, done.stderr
    again = run(*words, "--allow-mismatch", env=weights)
    assert "one vector of" not in again.stderr  # the first run has settled them
    (facts,) = json_lines(run("info", place, "--json"))
    assert facts["model"] == "galileo-nano-tokens"
    assert facts["grid"].startswith("40 m patches at 10.0 m")
    sized = run(*words, "--token-size", "4", "--dry-run", env=weights)
    assert "0 units of work" in sized.stderr + sized.stdout
    fresh = ("run", tmp_path / "b.td", *words[2:], "--allow-mismatch", "--dry-run")
    done = run(*fresh, "--token-size", "8", env=weights)
    assert "patches of 80 m: one vector of galileo-nano-tokens each" in done.stderr
    refused(
        run("embed", place, "--token-size", "2", env=weights),
        1,
        "made with the model's own --token-size, got --token-size 2",
    )
    by_name = run("embed", place, "--model", "galileo-nano-tokens", env=weights)
    assert "0 observations embedded" in by_name.stderr


def test_patches_are_sized_by_the_pixels_of_the_scenes(
    weights: dict[str, str], shared: Callable[[str], Path], tmp_path: Path
) -> None:
    """Scenes of 20 m for a model of 10 m, and nothing written that is of no use."""
    catalog = shared("data/s2-wildfires-california/catalog.json")
    place = tmp_path / "a.td"
    words = ("run", place, catalog, "--model", "galileo-nano", "--tokens")
    small = (*words, "--allow-mismatch", "--patch-size", "40")
    phrase = "--patch-size 80 (4 pixels of 20 m), or pass --token-size 2"
    refused(run(*small, env=weights), 1, phrase)
    refused(run(*words, env=weights), 1, "say which it is by --level L1C|L2A")
    (facts,) = json_lines(run("info", place, "--json"))
    assert facts["scenes"] == 0
    done = run(*words, "--allow-mismatch", "--dry-run", env=weights)
    assert "patches of 80 m: one vector of galileo-nano-tokens each" in done.stderr
    assert json_lines(run("info", place, "--json")) == [facts]


def test_levels_and_patches_can_be_given_as_long_as_nothing_is_embedded(
    weights: dict[str, str], shared: Callable[[str], Path], tmp_path: Path
) -> None:
    catalog = shared("data/s2-flanders-2018/catalog.json")
    place = tmp_path / "a.td"
    period = ("--datetime", "2018-05/2018-06")
    (first,) = json_lines(run("ingest", place, catalog, *period, "--json"))
    assert first["patch_size"] == 160
    model = ("--model", "galileo-nano", "--tokens")
    refused(run("embed", place, *model, env=weights), 1, "--level L1C|L2A")
    words = ("run", place, catalog, *period, *model)
    refused(run(*words, "--level", "L2A", env=weights), 1, "made for L1C, given L2A")
    options = ("--level", "L1C", "--patch-size", "40", "--quiet", "--json")
    json_lines(run(*words, *options, env=weights))
    (facts,) = json_lines(run("info", place, "--json"))
    assert facts["grid"].startswith("40 m patches")
    assert run("validate", place).returncode == 0
    other = run("ingest", place, catalog, *period, "--patch-size", "80")
    refused(other, 1, "has a grid with patch size 40")


def test_a_cluster_that_is_not_there_is_one_line(
    finished: Path, tmp_path: Path
) -> None:
    place = tmp_path / "own.td"
    shutil.copytree(finished, place)
    pytest.importorskip("ray")
    words = ("embed", place, "--model", "spectral", "--ray", "127.0.0.1:1")
    refused(run(*words), 1, "no Ray cluster answers at '127.0.0.1:1'")
