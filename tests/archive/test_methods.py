"""Methods of `detect --method`: settings by name, and what is refused."""

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from terradrift.archive.methods import dispatch as methods
from terradrift.archive.methods import setting_values
from terradrift.errors import UnknownPluginError


@dataclass(frozen=True)
class _Settings:
    count: int = 3
    share: float = 0.5
    robust: bool = True
    kind: Literal["mean", "max"] = "mean"
    limit: float | None = None
    sizes: tuple[int, ...] = (1,)
    weights: Path | None = None


def _read(*given: str) -> dict[str, object]:
    return setting_values.checked(setting_values.pairs(given), [_Settings], "thing")


def test_settings_are_read_as_the_types_of_their_fields() -> None:
    assert _read(
        "count=4",
        "share=1e-2",
        "robust=no",
        "kind=max",
        "limit=0.5",
        "sizes=2,3",
        "weights=a=b.npz",
    ) == {
        "count": 4,
        "share": 0.01,
        "robust": False,
        "kind": "max",
        "limit": 0.5,
        "sizes": (2, 3),
        "weights": Path("a=b.npz"),
    }
    assert _read("limit=none") == {"limit": None}
    given = {"count": 4, "share": 1, "limit": None, "sizes": [2]}
    assert setting_values.checked(given, [_Settings], "thing") == {
        "count": 4,
        "share": 1.0,
        "limit": None,
        "sizes": (2,),
    }


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("cuont=1", "no setting 'cuont'; did you mean count"),
        ("count=1.5", "count must be a whole number, got '1.5'"),
        ("share=lots", "share must be a number"),
        ("robust=2", "robust must be true or false"),
        ("kind=median", "kind must be mean or max"),
        ("limit=x", "limit must be a number or none"),
        ("sizes=1,b", "sizes must be a whole number or several with commas"),
        ("count", "expected a setting such as"),
    ],
)
def test_a_setting_that_cannot_be_read_is_named(given: str, said: str) -> None:
    with pytest.raises(ValueError, match=said):
        _read(given)


def test_a_setting_is_given_once() -> None:
    with pytest.raises(ValueError, match="count is given twice"):
        _read("count=1", "count=2")


def test_an_unknown_method_is_told_which_there_are() -> None:
    with pytest.raises(UnknownPluginError, match="no method named 'rx-tempral'"):
        methods.check("rx-tempral")


def test_options_of_methods_are_refused_without_one() -> None:
    with pytest.raises(ValueError, match="since and maps only go with a method"):
        methods.refuse_alone({"since": "2018", "maps": "x", "device": "auto"})
