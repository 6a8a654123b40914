"""What is known of one change, or of a patch without one, in sentences (pure).

A sentence says what a number is and against what it was held; what is not known is said
with its reason rather than left out.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from terradrift.embed import indices
from terradrift.report import words

Row = Mapping[str, Any]

_LASTING = {
    "persistent": "It lasts: the old state was not seen again",
    "gradual": "It came gradually, over several dates, and lasts",
    "seasonal": (
        "It follows the yearly path of before some weeks earlier or later, so it is more "
        "likely another timing than another state"
    ),
}
_MOVED = 0.005
"""Below this an index is told as the same: two digits would be 0.00."""


@dataclass(frozen=True, slots=True)
class About:
    """What is told of a change beside its own row."""

    bands: tuple[str, ...]
    """Of the archive."""
    first: datetime | None
    """First observation of its patch that has a score."""
    last: datetime | None
    """Last one."""
    reason: str | None
    """Why the date of the onset has no z, or no p."""
    clustered: bool
    """Whether kinds were looked for."""
    kind: Row | None
    """The change's kind."""
    moved_too: Sequence[bool] = ()
    """Of each analogue that the change names: whether it is part of the same event."""


def change(row: Row, about: About) -> list[str]:
    """Sentences on a change: when, how sure, against what, how many false ones, what moved."""
    return [
        *_when(row),
        *_how_strong(row),
        *_how_sure(row),
        *_against(row, about),
        *_lasting(row, about),
        *_indices(row, about.bands),
        *_kind(row, about),
        _since(about),
    ]


def nulls(row: Row, about: About) -> dict[str, str]:
    """Each column of a change that is null, and why."""
    why = {
        "ended": "the old state was not seen again",
        "z": _reason(about),
        "drift": _reason(about),
        "reference": "no own past on the date of the onset",
        "p_value": "fewer than 20 patches have a score to rank it among",
        "q_value": "it has no p-value",
        "false_alarms": "it has no p-value",
        "lof": "too few changes to compare it with",
        "rarity": "too few changes to compare it with",
        "event_id": "it touches no other change",
        "kind": _no_kind(about),
        "kind_probability": _no_kind(about),
    }
    held = indices.available(about.bands)
    for name in ("ndvi", "nbr", "ndwi"):
        why[f"d_{name}"] = (
            "not known before or after"
            if name in held
            else f"the archive holds no {name}"
        )
    return {
        name: why.get(name, "not known") for name, value in row.items() if value is None
    }


def patch(row: Row | None, changes: int, judged: bool) -> list[str]:
    """Sentences on a patch, whose row of `patch_changes` is None where it has none."""
    if not judged:
        return ["No patch was judged yet: run terradrift detect."]
    if row is None:
        return ["This patch was not judged: it has no observation under this model."]
    clear = words.count(row["n_clear"] or 0, "clear date")
    if row["reason"]:
        return [f"Nothing can be told of this patch: {row['reason']} ({clear})."]
    said = [
        f"{words.count(changes, 'change is', 'changes are')} reported here."
        if changes
        else "No change is reported here."
    ]
    said.append(
        f"The strongest candidate of its {clear} is on {words.day(row['onset'])}, with the "
        f"score {words.number(row['score'], 1)}."
    )
    if row["p_value"] is not None:
        said.append(
            f"An unchanged patch has one as strong with the probability "
            f"{words.probability(row['p_value'])}; {words.rate(row['false_alarms'])} are "
            "expected to be."
        )
    return said


def _when(row: Row) -> list[str]:
    said = []
    before, after = row["date_before"], row["date_after"]
    if before and after:
        gap = words.number(row["gap_days"], 0)
        said.append(
            f"It began between {words.day(before)}, the last clear view of the old state, and "
            f"{words.day(after)}, the first of the new one ({gap} days apart)."
        )
    early, late = row["onset_early"], row["onset_late"]
    if early and late:
        said.append(
            f"With 95 % confidence it began after {words.day(early)}, and by "
            f"{words.day(late)} at the latest."
        )
    return said


def _how_strong(row: Row) -> list[str]:
    if row["score"] is None:
        return []
    return [
        (
            f"Score {words.number(row['score'], 1)}: its step over the scatter around it, and "
            "beside like patches. Noise reaches 2 to 5, more with more dates."
        )
    ]


def _how_sure(row: Row) -> list[str]:
    if row["p_value"] is None:
        return [
            (
                "How often chance does as much is not known: fewer than 20 patches have a score to "
                "rank it among."
            )
        ]
    said = [
        (
            "An unchanged patch has a candidate as strong somewhere in its whole history with the "
            f"probability p {_equals(words.probability(row['p_value']))}."
        )
    ]
    if row["false_alarms"] is not None:
        said.append(
            f"Unchanged patches that score as much: {words.rate(row['false_alarms'])} are "
            "expected."
        )
    if row["q_value"] is not None:
        share = 100 * row["q_value"]
        shown = "less than 0.1" if share < 0.1 else f"about {words.number(share, 1)}"
        said.append(
            f"Of all patches whose strongest candidate is as unlikely, {shown} % are expected "
            "to be unchanged (q)."
        )
    return said


def _against(row: Row, about: About) -> list[str]:
    name, own, beside = row["reference"], row["n_reference"], row["n_controls"]
    if not name:
        return [
            "On the day of the onset there was no past of its own to hold it against."
        ]
    said = [
        (
            f"On the day of the onset it was held against {words.reference(name, own, beside)}; "
            "both were chosen by what was seen before that day."
        )
    ]
    if too := sum(about.moved_too):
        are = "is" if too == 1 else "are"
        said.append(
            f"{too} of the {words.count(len(about.moved_too), 'nearest analogue')} {are} part "
            "of the same event, so beside them that day looks less unusual than it was."
        )
    if row["z"] is not None:
        spread = (
            "how far such patches lay from their own likes"
            if beside
            else "how far its own past lay from itself"
        )
        side = "above" if row["z"] >= 0 else "below"
        said.append(
            f"That day alone it lay {words.number(abs(row['z']), 1)} robust standard "
            f"deviations {side} what is usual (z), by {spread}."
        )
    else:
        said.append(f"That day alone has no z: {_reason(about)}.")
    return said


def _since(about: About) -> str:
    span = (
        f", {words.span(about.first, about.last)},"
        if about.first and about.last
        else ""
    )
    return (
        f"Score, p and dates use the whole history of the patch{span} up to its last date; z "
        "and drift of a day use earlier days only."
    )


def _lasting(row: Row, about: About) -> list[str]:
    if row["persistence"] == "transient":
        until = f" on {words.day(row['ended'])}" if row["ended"] else ""
        return [f"It passed: the old state came back{until}."]
    said = _LASTING.get(row["persistence"] or "")
    if said is None:
        return ["Whether it lasts is not known."]
    until = f", up to {words.day(about.last)}" if about.last else ""
    return [f"{said}{until}."]


def _indices(row: Row, bands: Sequence[str]) -> list[str]:
    moved, unknown = [], []
    for name in ("ndvi", "nbr", "ndwi"):
        value = row[f"d_{name}"]
        if value is None:
            unknown.append(name.upper())
        elif abs(value) < _MOVED:
            moved.append(f"{name.upper()} stayed the same")
        else:
            verb = "rose" if value > 0 else "fell"
            moved.append(f"{name.upper()} {verb} by {words.number(abs(value))}")
    said = []
    if moved:
        said.append(
            f"{_listed(moved)} (median of the new state less that of the old one, in the same "
            "season where that was seen)."
        )
    if unknown:
        lacking = [
            name
            for name in unknown
            if name.lower() not in indices.available(tuple(bands))
        ]
        why = "the archive lacks their bands" if lacking else "not known on one side"
        said.append(f"{_listed(unknown)}: {why}.")
    return said


def _kind(row: Row, about: About) -> list[str]:
    if row["kind"] is None:
        return [f"It is of no kind: {_no_kind(about)}."]
    held = about.kind or {}
    name = held.get("name") or held.get("label") or "without a name"
    size = held.get("size")
    among = f", one of {size:,}" if size else ""
    sure = row["kind_probability"]
    sure_said = (
        f", with the membership {words.number(sure)} of 1" if sure is not None else ""
    )
    return [f"It is of kind {row['kind']}, {name}{among}{sure_said}."]


def _no_kind(about: About) -> str:
    if not about.clustered:
        return "kinds were not looked for yet (terradrift cluster)"
    return "too few changes are like it"


def _reason(about: About) -> str:
    return about.reason or "too few patches, or too short a past, to compare with"


def _equals(said: str) -> str:
    return said if said.startswith("<") else f"= {said}"


def _listed(parts: Iterable[str]) -> str:
    *most, last = parts
    return f"{', '.join(most)} and {last}" if most else last
