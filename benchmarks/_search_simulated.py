"""Search on simulated archives: right kinds by mode, model and space."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from _search_archives import SPACES, chosen, judged, observations
from _search_archives import simulated as archive_of
from _search_planted import END, FALSE, Changes, planted
from _search_rank import (
    MODES,
    Asked,
    ask,
    ask_by_event,
    pooled,
    share_of_kinds,
    spread,
    unit,
)
from _search_tables import WHOLE, Table, by_kind, difference, plain, whole
from protocols import _interval

import terradrift as td
from terradrift.space import RAW, Space

CHECKED = 5
"""Queries of each archive, model, mode and space that the product must answer alike."""


@dataclass
class Of:
    """All that is known of one model."""

    changes: list[Changes] = field(default_factory=list)
    spaces: dict[str, list[Space | None]] = field(default_factory=dict)
    asked: dict[tuple[str, str], list[Asked]] = field(default_factory=dict)
    events: dict[tuple[str, str], list[Asked]] = field(default_factory=dict)
    opposite: dict[str, list[Asked]] = field(default_factory=dict)
    spreads: dict[str, list[tuple[tuple[float, ...], ...]]] = field(
        default_factory=dict
    )


def tables(
    out: Path, seeds: Iterable[int], models: Iterable[str]
) -> Iterator[tuple[str, Table]]:
    """Markers and tables over all seeds."""
    found = {model: Of() for model in models}
    for seed in seeds:
        archive, scenes = archive_of(out / "sim", seed)
        for model, of in found.items():
            judged(archive, model)
            _take(archive, model, planted(archive, model, scenes), of)
    yield "search-found", _found(found)
    yield "search-modes", _modes(found)
    yield "search-differences", _differences(found)
    yield "search-examples", _examples(found)
    yield "search-kinds", _kinds(found)
    yield "search-mixed", _mixed(found)
    yield "search-reverse", _reverse(found)
    yield "search-cosines", _cosines(found)


def _take(archive: td.Archive, model: str, changes: Changes, of: Of) -> None:
    of.changes.append(changes)
    seen = observations(archive, model)
    for name in SPACES:
        space = chosen(archive, model, name)
        of.spaces.setdefault(name, []).append(space)
        for mode in MODES:
            of.asked.setdefault((mode, name), []).append(ask(changes, mode, space))
            if (mode, name) in EXAMPLES:
                found = ask_by_event(changes, mode, space)
                of.events.setdefault((mode, name), []).append(found)
            same_order(archive, model, changes, mode, space)
        same_order(archive, model, changes, "reverse", space)
        of.opposite.setdefault(name, []).append(ask(changes, "reverse", space))
        of.spreads.setdefault(name, []).append(
            (
                spread(_directions(seen, space)),
                spread(unit("delta", changes, space)),
            )
        )
    chosen(archive, model, RAW)


def _directions(rows: np.ndarray, space: Space | None) -> np.ndarray:
    placed = (rows if space is None else space.place(rows)).astype(np.float64)
    return placed / np.maximum(np.linalg.norm(placed, axis=1, keepdims=True), 1e-12)


def same_order(
    archive: td.Archive, model: str, changes: Changes, mode: str, space: Space | None
) -> None:
    """Hold a few orders against what `similar` answers.

    Raises:
        SystemExit: they are not the same.
    """
    directions = unit("delta" if mode == "reverse" else mode, changes, space)
    sign = -1.0 if mode == "reverse" else 1.0
    asking = np.flatnonzero(changes.true)
    some = asking[:: max(1, len(asking) // CHECKED)][:CHECKED]
    for query in some:
        told = archive.similar(
            change=changes.ids[query],
            mode=mode,
            model=model,
            k=20,
            exclude="none",
            exact=True,
        ).to_arrow()
        mine = 1 - sign * (directions @ directions[query])
        at = {name: row for row, name in enumerate(changes.ids)}
        rows = [at[name] for name in told["change_id"].to_pylist()]
        theirs = told["distance"].to_numpy()
        nearest = np.sort(mine)[: len(rows)]
        if (
            np.abs(mine[rows] - theirs).max() > 1e-4
            or np.abs(nearest - theirs).max() > 1e-4
        ):
            raise SystemExit(f"{model}, {mode}: similar answers otherwise than arrays")


def _found(found: dict[str, Of]) -> Table:
    rows: Table = [
        (
            "model",
            "archives",
            "changes found",
            "part of something planted",
            "planted changes found",
            "of these ends",
            "by kind",
        )
    ]
    for model, of in found.items():
        true = sum(int(part.true.sum()) for part in of.changes)
        total = sum(map(len, of.changes))
        events = [
            part.kind[part.group == number][0]
            for part in of.changes
            for number in np.unique(part.group[part.true])
        ]
        names, counts = np.unique(np.array(events, str), return_counts=True)
        rows.append(
            (
                f"`{model}`",
                str(len(of.changes)),
                str(total),
                f"{true} ({true / total:.0%})",
                str(len(events)),
                str(sum(name.startswith(END) for name in events)),
                ", ".join(f"{name} {n}" for name, n in zip(names, counts, strict=True)),
            )
        )
    return rows


def _modes(found: dict[str, Of]) -> Table:
    rows: Table = [("model", "mode", "space", *WHOLE)]
    for model, of in found.items():
        for mode in MODES:
            for space in SPACES:
                # A step has no place, so centre is raw; before is a check alone.
                if space == RAW or (mode, space) in PAIRS:
                    row = whole(of.asked[mode, space])
                    rows.append((f"`{model}`", mode, space, *row))
    return rows


def _differences(found: dict[str, Of]) -> Table:
    head = [f"{mode}: {name}" for mode, name in PAIRS]
    rows: Table = [("model", *head)]
    for model, of in found.items():
        rows.append((f"`{model}`", *gains(of.asked)))
    return rows


def gains(asked: dict[tuple[str, str], list[Asked]]) -> Iterator[str]:
    """By how much mean AP is more in each of `PAIRS` than in raw."""
    for mode, name in PAIRS:
        yield _interval(difference(asked[mode, RAW], asked[mode, name], "AP"), 3)


PAIRS = (
    ("delta", "whiten"),
    ("before-after", "centre"),
    ("before-after", "whiten"),
    ("after", "centre"),
    ("after", "whiten"),
)


def _examples(found: dict[str, Of]) -> Table:
    rows: Table = [("model", "mode", "space", "example", *WHOLE)]
    for model, of in found.items():
        for mode, space in EXAMPLES:
            events = of.events[mode, space]
            single = map(only, of.asked[mode, space], events)
            for name, asked in (("change", list(single)), ("event", events)):
                row = whole(asked)
                rows.append((f"`{model}`", mode, space, name, *row))
    return rows


def only(asked: Asked, others: Asked) -> Asked:
    """What was asked with true changes that asked in `others` too."""
    kept = np.isin(asked.event, others.event)
    return Asked(asked.event[kept], asked.kind[kept], asked.values[kept])


EXAMPLES = (("delta", RAW), ("after", "centre"))


def _kinds_of(found: dict[str, Of]) -> list[str]:
    kinds = {
        kind
        for of in found.values()
        for part in of.changes
        for kind in part.kind[part.true]
    }
    return sorted(kinds, key=lambda kind: (kind.startswith(END), kind))


def _kinds(found: dict[str, Of]) -> Table:
    kinds = _kinds_of(found)
    rows: Table = [("model", "mode", *kinds)]
    for model, of in found.items():
        for mode in MODES:
            cells = by_kind(of.asked[mode, RAW], kinds)
            rows.append((f"`{model}`", mode, *cells))
    return rows


def _mixed(found: dict[str, Of]) -> Table:
    """What stands among the ten nearest by step, of the model with most changes found."""
    kinds = [*_kinds_of(found), FALSE]
    rows: Table = [("model", "asked with", *kinds)]
    for model, of in found.items():
        shares = share_of_kinds(of.changes, "delta", of.spaces[RAW])
        for own, told in shares.items():
            cells = (f"{told.get(kind, 0):.2f}" for kind in kinds)
            rows.append((f"`{model}`", own, *cells))
    return rows


def _reverse(found: dict[str, Of]) -> Table:
    """Of the kind of the example, which `reverse` should not bring."""
    rows: Table = [("model", "space", "P@5", "P@10", "chance")]
    for model, of in found.items():
        for space in (RAW, "whiten"):
            values, _ = pooled(of.opposite[space])
            told = (plain(values, name) for name in ("P@5", "P@10", "chance"))
            rows.append((f"`{model}`", space, *told))
    return rows


def _cosines(found: dict[str, Of]) -> Table:
    rows: Table = [("model", "of", *SPACES)]
    for model, of in found.items():
        for which, name in enumerate(("observations", "steps of changes")):
            cells = []
            for space in SPACES:
                spreads = [one[which] for one in of.spreads[space]]
                low, middle, high = np.mean(spreads, axis=0)
                cells.append(f"{middle:.2f} ({low:.2f} to {high:.2f})")
            rows.append((f"`{model}`", name, *cells))
    return rows
