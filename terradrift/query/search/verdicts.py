"""What analysts said that stands: the latest verdict of each on each target (pure)."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any

from terradrift.errors import QueryError

YES, NO, WITHDRAWN = "yes", "no", "withdrawn"
"""Verdicts in the table `labels`; names of kinds stand there under another one."""

Row = Mapping[str, Any]


def standing(rows: Iterable[Row]) -> list[Row]:
    """Rows of `labels` that count, the oldest first: yes and no, the latest of each person.

    A later verdict of the same target, name and person replaces an earlier one; one that
    withdraws leaves none.
    """
    latest: dict[tuple[str, str, str | None], Row] = {}
    for row in sorted(rows, key=lambda row: row["at"]):
        if row["verdict"] not in (YES, NO, WITHDRAWN):
            continue
        key = row["target_id"], row["name"], row["who"]
        latest.pop(key, None)
        latest[key] = row
    return [row for row in latest.values() if row["verdict"] != WITHDRAWN]


@dataclass(frozen=True, slots=True)
class Agreed:
    """Targets by what all who judged them say."""

    yes: tuple[str, ...]
    no: tuple[str, ...]
    disputed: tuple[str, ...]
    """Yes of some, no of others."""


def agreed(rows: Iterable[Row], name: str) -> Agreed:
    """What is said under `name`, of all rows of `labels`.

    Raises:
        QueryError: nothing is labelled so; names that look like it are given.
    """
    held = standing(rows)
    said: dict[str, set[str]] = {}
    for row in held:
        if row["name"] == name:
            said.setdefault(row["target_id"], set()).add(row["verdict"])
    if not said:
        raise QueryError(f"no labels named {name!r}; {_others(held, name)}")
    return Agreed(
        tuple(target for target, words in said.items() if words == {YES}),
        tuple(target for target, words in said.items() if words == {NO}),
        tuple(target for target, words in said.items() if len(words) > 1),
    )


def _others(held: list[Row], name: str) -> str:
    names = sorted({row["name"] for row in held})
    if not names:
        return "there are none yet: terradrift label ARCHIVE --name NAME --yes ID"
    if near := get_close_matches(name, names, n=3):
        return f"did you mean {' or '.join(near)}?"
    return f"there are labels named {', '.join(names)}"
