"""Which model is meant; no weights are needed to say."""

import json
from pathlib import Path

import pytest

from terradrift.archive.choosing import Choice, check, choose, held, parse, patch_size
from terradrift.embed.how import How
from terradrift.embed.models.galileo import NANO
from terradrift.errors import ModelMismatchError, UnknownPluginError, WeightsError
from terradrift.grid import Grid
from terradrift.store.tables import Settings, Store
from terradrift.store.units import Writer
from tests.store import made

GRID = Grid(40, 10.0)


@pytest.fixture(autouse=True)
def _no_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TERRADRIFT_MODELS", str(tmp_path / "models"))


def holding(path: Path, name: str, **how: object) -> Store:
    """An archive with vectors of a model, used in some way."""
    store = Store.create(path, Settings(grid=GRID))
    columns = made.columns(model=name, how=json.dumps(how))
    with Writer(store, name, columns) as writer:
        batch = made.unit(0, 0, named=columns)
        writer.add(made.tile_name(0), (made.scene_name(0),), batch)
    return store


def test_tokens_are_told_by_name_or_by_option() -> None:
    assert parse("galileo-nano") == ("galileo-nano", False)
    assert parse("galileo-nano-tokens") == ("galileo-nano", True)
    assert parse("galileo-nano", tokens=True) == ("galileo-nano", True)
    assert parse("galileo-nano-tokens", tokens=True) == ("galileo-nano", True)
    named, asked = (
        choose(None, "galileo-nano-tokens", {}),
        choose(None, "galileo-nano", {"tokens": True}),
    )
    assert named == asked == Choice("galileo-nano", How(tokens=True))
    assert named.stored == "galileo-nano-tokens"
    assert choose(None, "galileo-nano", {"tokens": None}).stored == "galileo-nano"


def test_an_archive_goes_on_as_it_was_embedded(tmp_path: Path) -> None:
    name = "galileo-nano-tokens"
    store = holding(tmp_path, name, tokens=True, overlap=8, dates=3)
    expected = How(tokens=True, overlap=8, dates=3)
    assert held(store, name) == expected
    assert choose(store, name, {}).how == expected
    assert choose(store, "galileo-nano", {"tokens": True}).how == expected
    assert choose(store, name, {"dates": 3, "overlap": None}).how == expected
    # The model's own sizes may be named.
    assert (
        choose(store, name, {"token_size": 4, "chip_size": NANO.chip_size}).how
        == expected
    )
    assert choose(store, name, {"allow_mismatch": True}).how.allow_mismatch
    # Pooled vectors are another table, of which nothing is held.
    assert choose(store, "galileo-nano", {}).how == How()


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"overlap": 0}, "made with --overlap 8, got --overlap 0; leave the option"),
        ({"dates": 1}, "made with --dates 3, got --dates 1"),
        (
            {"token_size": 2},
            "made with the model's own --token-size, got --token-size 2",
        ),
        (
            {"chip_size": 40},
            "made with the model's own --chip-size, got --chip-size 40",
        ),
    ],
)
def test_what_an_archive_holds_in_another_way_is_refused(
    tmp_path: Path, asked: dict[str, int], words: str
) -> None:
    store = holding(tmp_path, "galileo-nano-tokens", tokens=True, overlap=8, dates=3)
    with pytest.raises(ModelMismatchError, match=words):
        choose(store, "galileo-nano-tokens", asked)


def test_a_choice_that_there_is_not_is_no_choice() -> None:
    with pytest.raises(TypeError, match="colour"):
        choose(None, "galileo-nano", {"colour": 3})


@pytest.mark.parametrize(
    ("model", "how", "words"),
    [
        ("mosaiks", {"tokens": True}, "mosaiks knows no --tokens"),
        ("spectral", {"dates": 2}, "spectral knows no --dates 2"),
        ("spectral", {"chip_size": 8}, "spectral knows no --chip-size 8"),
        ("galileo-nano", {"dates": 25}, "takes 1 to 24 dates"),
        ("galileo-nano", {"tokens": True, "token_size": 9}, "gives tokens of"),
        ("galileo-nano", {"overlap": 4}, "about tokens"),
        ("ssl4eo-resnet50-moco", {}, "made for chips of 224 pixels"),
    ],
)
def test_what_does_not_fit_the_model_or_the_grid_is_refused(
    model: str, how: dict[str, int], words: str
) -> None:
    with pytest.raises(ValueError, match=words):
        check(choose(None, model, how), GRID, "cpu", "auto")


def test_bands_that_are_not_there_are_refused_before_weights_are_asked_for() -> None:
    choice = choose(None, "dinov2-s", {"tokens": True, "chip_size": 224})
    grid = Grid(560, 2.5)
    with pytest.raises(ValueError, match=r"dinov2-s-tokens needs bands .* lack blue"):
        check(choice, grid, "cpu", "auto", ("green", "red"))
    with pytest.raises(WeightsError):
        check(choice, grid, "cpu", "auto", ("red", "green", "blue", "nir"))


def test_the_order_of_refusals() -> None:
    tokens = {"tokens": True}
    with pytest.raises(UnknownPluginError, match="'galileo'"):
        check(choose(None, "galileo", tokens), GRID, "abacus", "auto")
    with pytest.raises(ValueError, match="abacus"):
        check(choose(None, "galileo-nano", tokens), GRID, "abacus", "auto")
    with pytest.raises(ValueError, match="precision must be auto, fp32, bf16"):
        check(choose(None, "galileo-nano", tokens), GRID, "cpu", "fp8")
    with pytest.raises(ValueError, match="float32 only, got --precision bf16"):
        check(choose(None, "mosaiks", {}), GRID, "cpu", "bf16")
    with pytest.raises(WeightsError, match="terradrift models fetch galileo-nano"):
        check(choose(None, "galileo-nano", tokens), GRID, "cpu", "auto")
    # Before the first scene the grid has no pixel size, and only the model is asked.
    with pytest.raises(WeightsError):
        check(choose(None, "galileo-nano", tokens), Grid(37), None, "auto")
    check(choose(None, "mosaiks", {}), GRID, "cpu", "fp32")


@pytest.mark.parametrize(
    ("model", "how", "gsd", "metres"),
    [
        ("mosaiks", {}, 10.0, None),
        ("galileo-nano", {}, 10.0, 10 * NANO.chip_size),
        ("galileo-nano", {"tokens": True}, 10.0, 40),
        ("galileo-nano-tokens", {"token_size": 2}, 10.0, 20),
        ("galileo-nano", {"tokens": True}, 20.0, 80),
        ("galileo-nano", {"tokens": True}, 30.0, 120),
        ("galileo-nano", {"tokens": True}, 9.97, 40),
        ("dinov2-s", {}, 2.5, 560),
        ("galileo-nano", {"chip_size": 24}, 10.0, 240),
    ],
)
def test_a_new_archive_gets_the_patches_that_suit_the_model(
    model: str, how: dict[str, int], gsd: float, metres: int | None
) -> None:
    assert patch_size(choose(None, model, how), gsd) == metres


def test_a_vector_of_no_whole_metres_asks_for_a_patch_size() -> None:
    with pytest.raises(ValueError, match=r"makes a vector of 9\.6 m.*--patch-size"):
        patch_size(choose(None, "galileo-nano-tokens", {}), 2.4)
