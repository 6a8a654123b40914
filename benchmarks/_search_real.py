"""Search on a real series: one hamlet finds the other, and its undoing."""

from collections.abc import Iterable, Iterator
from pathlib import Path

import _search_undone as undone_series
import numpy as np
from _search_archives import SPACES, chosen, judged
from _search_archives import real as archive_of
from _search_planted import FALSE, Changes, labelled, rows, sampled
from _search_rank import ask, candidates, unit
from _search_simulated import same_order
from _search_tables import WHOLE, Table, whole
from numpy.typing import NDArray

import terradrift as td
from terradrift.space import RAW, Space

HAMLET = 40
"""Metres of a patch of the transplants."""
LOOSE = 100_000
"""False alarms per 1,000 km2 and year let through, so that there is much to be mistaken for."""
_ONSETS = {1: "2018-05-16", 2: "2018-08-17"}
_SEEN = {1: "2018-05-24", 2: "2018-08-17"}
"""First clear day on which each was seen."""
_NAMES = {1: "large", 2: "small"}
_EARLY, _LATE = 45, 120
SHOWN = ("delta", "before-after", "after")


def hamlets(
    out: Path, data: Path, models: Iterable[str]
) -> Iterator[tuple[str, Table]]:
    """Both inserted hamlets, asked with each; and the same series without them."""
    source = data / "s2-flanders-2018-transplant"
    archive = archive_of(out, source, HAMLET)
    plain = archive_of(out, data / "s2-flanders-2018", HAMLET)
    gone = undone_series.make(data / "s2-flanders-2018", source, out / "undone")
    other = archive_of(out, gone, HAMLET)
    hamlet: Table = [
        (
            "model",
            "mode",
            "space",
            *_OTHER,
        )
    ]
    entries: Table = [
        ("model", "mode", "example", "rank of the first of the other", "by chance")
    ]
    control: Table = [
        (
            "model",
            "asked with",
            "nearest of the other hamlet",
            "nearest false change",
            "nearest where nothing was inserted",
        )
    ]
    opposite: Table = [
        ("model", "space", "asked with", "mode", *_TOLD_OPPOSITE),
    ]
    for model in models:
        judged(archive, model, max_false_alarms=LOOSE)
        changes = _inserted(archive, model, source / "truth" / "change_id.tif")
        for name in SPACES:
            space = chosen(archive, model, name)
            for mode in SHOWN:
                if (mode, name) == ("delta", "centre"):
                    continue
                same_order(archive, model, changes, mode, space)
                hamlet.append((f"`{model}`", mode, name, *_other(changes, mode, space)))
        chosen(archive, model, RAW)
        entries += _entries(archive, model, changes)
        if (
            model != "mosaiks"
        ):  # fitted on each archive: its vectors compare in no other
            judged(plain, model, max_false_alarms=LOOSE)
            control += _control(plain, model, changes)
        judged(other, model, max_false_alarms=LOOSE)
        opposite += _opposite(other, model, source / "truth" / "change_id.tif")
    yield "search-hamlets", hamlet
    yield "search-entries", entries
    yield "search-control", control
    yield "search-opposite", opposite


def _inserted(archive: td.Archive, model: str, truth: Path) -> Changes:
    """Changes of patches that touch an inserted hamlet, at about its date."""
    frame = rows(archive, model)
    values = sampled(frame["patch_id"].to_numpy(object), truth, HAMLET)
    number = np.nan_to_num(values).max(axis=1).astype(int)
    onset = frame["onset"].dt.tz_convert(None).to_numpy().astype("datetime64[D]")
    group = np.full(len(frame), -1, np.int64)
    for change, day in _ONSETS.items():
        days = (onset - np.datetime64(day)).astype(int)
        group[(number == change) & (days >= -_EARLY) & (days <= _LATE)] = change
    return labelled(frame, group, np.where(group > 0, "hamlet", FALSE).astype(object))


def _other(changes: Changes, mode: str, space: Space | None) -> tuple[str, ...]:
    small, large = _orders(changes, 2, mode, space), _orders(changes, 1, mode, space)
    if not small or not large:
        return ("one hamlet was not found", *("-",) * 7)
    ranks = [_first(order) for order in large]
    return (
        f"{np.median([_first(order) for order in small]):g}",
        *(f"{np.mean([order[:k].mean() for order in small]):.2f}" for k in (5, 10, 13)),
        f"{np.mean([order.mean() for order in small]):.2f}",
        f"{np.median(ranks):g}",
        f"{np.mean([rank <= 5 for rank in ranks]):.2f}",
        f"{np.median([_by_chance(order) for order in large]):.0f}",
    )


_OTHER = (
    "small asks: rank of the first",
    "P@5",
    "P@10",
    "P@13",
    "chance",
    "large asks: median rank of the first",
    "among the first 5",
    "rank by chance",
)


def _orders(
    changes: Changes, number: int, mode: str, space: Space | None
) -> list[NDArray[np.bool_]]:
    """For each change of a hamlet, nearest first, which are of the other."""
    directions = unit(mode, changes, space)
    out = []
    for query in np.flatnonzero(changes.group == number):
        others = np.flatnonzero(candidates(changes, query))
        order = np.argsort(-(directions[others] @ directions[query]), kind="stable")
        good = changes.true[others[order]]
        if good.any():
            out.append(good)
    return out


def _first(good: NDArray[np.bool_]) -> int:
    return int(good.argmax()) + 1


def _by_chance(good: NDArray[np.bool_]) -> float:
    """Rank of the first right one expected of an order at random."""
    return (len(good) + 1) / (int(good.sum()) + 1)


def _entries(archive: td.Archive, model: str, changes: Changes) -> Table:
    """By event, and by patch and first clear day, as the product answers."""
    out: Table = []
    frame = rows(archive, model)
    for mode in ("delta", "after"):
        for number, day in _SEEN.items():
            own = frame.iloc[np.flatnonzero(changes.group == number)]
            if not len(own):
                continue
            best = own.loc[own["score"].idxmax()]
            examples = {
                "event": {"event": best["event_id"]},
                f"patch, {day}": {"patch": best["patch_id"], "date": day},
            }
            for name, example in examples.items():
                told = archive.similar(
                    **example, mode=mode, model=model, k=len(changes)
                ).to_arrow()
                group = dict(zip(changes.ids, changes.group, strict=True))
                found = np.array([group[one] for one in told["change_id"].to_pylist()])
                good = found[found != number] > 0
                first = _first(good) if good.any() else "none"
                out.append(
                    (
                        f"`{model}`",
                        mode,
                        f"{_NAMES[number]}: {name}",
                        f"{first} of {len(good)}",
                        f"{_by_chance(good):.0f}",
                    )
                )
    return out


def _control(plain: td.Archive, model: str, changes: Changes) -> Table:
    """How near a hamlet comes to the other, and to anything where none was inserted."""
    out: Table = []
    for number in _ONSETS:
        steps = changes.delta[changes.group == number]
        if not len(steps) or not len(changes.delta[changes.group == 3 - number]):
            continue
        own = _unit(steps)
        near = 1 - (own @ _unit(changes.delta[changes.group == 3 - number]).T).max(
            axis=1
        )
        false = 1 - (own @ _unit(changes.delta[~changes.true]).T).max(axis=1)
        elsewhere = [
            plain.similar(vector=step, model=model, k=1)
            .to_arrow()["distance"][0]
            .as_py()
            for step in steps
        ]
        cells = (f"{np.median(of):.2f}" for of in (near, false, elsewhere))
        out.append((f"`{model}`", _NAMES[number], *cells))
    return out


def _unit(vectors: NDArray[np.float32]) -> NDArray[np.float64]:
    wide = vectors.astype(np.float64)
    found: NDArray[np.float64] = wide / np.linalg.norm(wide, axis=1, keepdims=True)
    return found


_TOLD_OPPOSITE = ("P@1", "P@5", "R-precision", "chance", "mean AP", "AP by chance")


def _opposite(archive: td.Archive, model: str, truth: Path) -> Table:
    """Ask with what came for what went, and the other way round."""
    changes = _inserted(archive, model, truth)
    changes.kind[changes.group == 1] = "hamlet gone"
    wanted = {"hamlet": "hamlet gone", "hamlet gone": "hamlet"}
    out: Table = []
    for name in (RAW, "whiten"):
        space = chosen(archive, model, name)
        same_order(archive, model, changes, "reverse", space)
        for kind, opposite in wanted.items():
            for mode in ("reverse", "delta"):
                asked = ask(changes, mode, space, {kind: opposite})
                row = dict(zip(WHOLE, whole([asked]), strict=True))
                cells = (row[told].split(" (")[0] for told in _TOLD_OPPOSITE)
                asking = int((changes.kind == kind).sum())
                out.append((f"`{model}`", name, f"{kind} ({asking})", mode, *cells))
    chosen(archive, model, RAW)
    return out
