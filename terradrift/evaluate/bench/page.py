"""A comparison of methods as a page of Markdown, and as text for a terminal."""

from collections.abc import Iterator, Sequence

import numpy as np

from terradrift.evaluate.bench import cells
from terradrift.evaluate.bench.result import ALPHAS, RECALL, Bench, Line
from terradrift.evaluate.result import Evaluation
from terradrift.evaluate.tables import Row, aligned, piped, wrapped

Table = tuple[str, Row, list[Row]]
"""Title, head, rows."""


def markdown(found: Bench) -> str:
    """One page."""
    lines = [f"# {found.archive}: detectors compared", "", intro(found)]
    for title, head, rows in tables(found):
        lines += ["", f"## {title}", "", piped(head, rows)]
    lines += ["", "## Notes", "", *(f"* {note}" for note in notes(found))]
    return "\n".join(lines) + "\n"


def text(found: Bench) -> str:
    """The same in aligned columns, at most 100 wide."""
    lines = [f"{found.archive}: detectors compared", *wrapped(intro(found))]
    for title, head, rows in tables(found):
        plain = [tuple(cell.strip("`") for cell in row) for row in rows]
        lines += ["", title, *aligned(head, plain, keys=2)]
    lines.append("")
    for note in notes(found):
        lines += wrapped(note, "* ")
    return "\n".join(lines)


def intro(found: Bench) -> str:
    """What was judged."""
    said = f"{found.patches:,} patches of {found.patch_size} m, {found.dates:,} dates"
    first = next((each.evaluation for each in found.lines if each.evaluation), None)
    if first is None:
        return f"{said}; nothing is known to have changed."
    known = first.patches
    said += (
        f"; {known.changed:,} changed, {known.unchanged:,} did not, {known.unknown:,} "
        f"unknown (floor of the AP {first.ranking.floor:.3f})"
    )
    return f"{said}; control: {found.control}." if found.control else f"{said}."


def tables(found: Bench) -> Iterator[Table]:
    """Those that the comparison fills."""
    judged = sorted(
        (each for each in found.lines if each.evaluation and each.judged > 0),
        key=lambda each: -np.nan_to_num(_precision(each), nan=-1),
    )
    if judged:
        yield _ranked(judged)
        if any(len(each.evaluation.classes) > 1 for each in judged if each.evaluation):
            yield _classes(judged)
        told = [each for each in judged if each.reported is not None]
        if told:
            yield _told(told)
    quiet = [each for each in found.lines if each.evaluation is None]
    # A detector that only ranks says nothing that could be wrong where nothing changed.
    if told := [each for each in quiet if each.reported is not None]:
        yield _quiet(told)
    elif quiet:
        yield _times(quiet)


def _ranked(lines: Sequence[Line]) -> Table:
    """Best average precision first, and chance in its place."""
    changed = _evaluation(lines[0]).patches.changed
    head = (
        "detector",
        "model",
        "AP (95 %)",
        "ROC-AUC (95 %)",
        f"precision at {changed}",
        "onset off, days",
        "false alarms here",
        "on the control",
        "CPU s",
    )
    keyed: list[tuple[float, Row]] = []
    for each in lines:
        own = _evaluation(each)
        half = next((at for at in own.at_recall if at.recall == RECALL), None)
        keyed.append(
            (
                _precision(each),
                (
                    _name(each),
                    each.model or cells.NONE,
                    cells.interval(own.ranking.average_precision),
                    cells.interval(own.ranking.roc_auc),
                    cells.number(own.ranking.precision_at[changed].value, 2),
                    cells.NONE
                    if each.dated is None
                    else f"{each.dated.days:.0f} ({each.dated.bias:+.0f})",
                    cells.NONE if half is None else cells.rate(half.false_alarms),
                    cells.NONE
                    if each.control is None
                    else cells.rate(each.control.rate),
                    cells.seconds(each.cpu_s),
                ),
            )
        )
    floor = _evaluation(lines[0]).ranking.floor
    chance = ("chance", cells.NONE, f"{floor:.3f}", "0.500", f"{floor:.2f}")
    keyed.append((floor, chance + (cells.NONE,) * (len(head) - len(chance))))
    keyed.sort(key=lambda row: -np.nan_to_num(row[0], nan=-1))
    return "Ranking", head, [row for _, row in keyed]


def _classes(lines: Sequence[Line]) -> Table:
    """Every class of change against all that did not change."""
    classes = sorted(_evaluation(lines[0]).classes, key=lambda each: each.name)
    head = (
        "detector",
        "model",
        *(
            f"{c.name or 'no class'}: {c.changed} (floor {c.floor:.3f})"
            for c in classes
        ),
    )
    rows = []
    for each in lines:
        own = {one.name: one for one in _evaluation(each).classes}
        both = [
            f"{own[c.name].average_precision.value:.3f} / {own[c.name].roc_auc.value:.2f}"
            for c in classes
        ]
        rows.append((_name(each), each.model or cells.NONE, *both))
    return "AP / ROC-AUC by class of change", head, rows


def _told(lines: Sequence[Line]) -> Table:
    head = (
        "detector",
        "model",
        "precision (95 %)",
        "recall (95 %)",
        "unchanged patches reported",
        "false alarms (95 %)",
    )
    rows: list[Row] = []
    for each in lines:
        own, alarms = _evaluation(each).reported, each.reported
        if own is not None and alarms is not None:
            rows.append(
                (
                    _name(each),
                    each.model,
                    cells.interval(own.precision, 2),
                    cells.interval(own.recall, 2),
                    cells.share(alarms),
                    cells.rates(alarms.rate),
                )
            )
    return "At the method's own threshold", head, rows


def _quiet(lines: Sequence[Line]) -> Table:
    head = (
        "detector",
        "model",
        "judged",
        "patches reported",
        "false alarms (95 %)",
        *(f"observations with p <= {alpha:g}" for alpha in ALPHAS),
        *(f"patches with p <= {alpha:g}" for alpha in ALPHAS),
        "CPU s",
    )
    rows = []
    for each in lines:
        shares = [cells.NONE] * (2 * len(ALPHAS))
        if each.calibrated is not None:
            both = each.calibrated.observations + each.calibrated.patches
            shares = [cells.number(share, 3) for share in both]
        if each.reported is not None:
            rows.append(
                (
                    _name(each),
                    each.model,
                    f"{each.judged:.0%}",
                    cells.share(each.reported),
                    cells.rates(each.reported.rate),
                    *shares,
                    cells.seconds(each.cpu_s),
                )
            )
    return "Where nothing changed", head, rows


def _times(lines: Sequence[Line]) -> Table:
    rows: list[Row] = [
        (
            _name(each),
            each.model or cells.NONE,
            f"{each.judged:.0%}",
            cells.seconds(each.cpu_s),
        )
        for each in lines
    ]
    return "None has a threshold", ("detector", "model", "judged", "CPU s"), rows


def notes(found: Bench) -> Iterator[str]:
    """What a reader must know."""
    if any(each.evaluation for each in found.lines):
        yield (
            "AP: average precision of the ranking of patches. A detector of observations "
            "ranks a patch by its largest score of any date (-q90: the 0.9 quantile) and "
            "dates it by that; `changes` ranks by the strongest candidate, reported or not"
        )
        yield (
            f"onset off, false alarms: at the threshold that finds {RECALL:.0%} of the "
            "changed patches; median absolute (signed, above 0 late) days of those found; "
            "unchanged patches that pass, per 1,000 km2 and year"
        )
    yield (
        "false alarms at a method's own threshold: unchanged patches that are reported, per "
        "1,000 km2 and year, exact Poisson; detectors of observations have no threshold"
    )
    if silent := [
        each for each in found.lines if each.evaluation and not each.judged > 0
    ]:
        yield f"judged no patch, and left out: {_names(silent)}"
    quiet = [each for each in found.lines if each.evaluation is None]
    rank = [each for each in quiet if each.reported is None]
    if rank and len(rank) < len(quiet):
        yield f"only rank, and have no row where nothing changed: {_names(rank)}"
    yield "CPU s: processor time of judging all patches once, reading and embedding apart; `changes` and `scores-...` are one detection"
    if any(each.detector.startswith("anomalies-") for each in found.lines):
        yield "`anomalies-...`: what `terradrift detect --method` left in the archive, looked up by patch and date: its largest z (its largest score where it gives no z), or with `-lasting` the best split of its dates: median from there on less median before, times the root of min(1, dates after / 8); its run is not timed here"
    first = next((each.evaluation for each in found.lines if each.evaluation), None)
    if first is not None:
        yield from first.notes
    yield from found.notes


def _evaluation(each: Line) -> Evaluation:
    if each.evaluation is None:
        raise ValueError(f"{each.detector} was not evaluated")
    return each.evaluation


def _precision(each: Line) -> float:
    return _evaluation(each).ranking.average_precision.value


def _names(lines: Sequence[Line]) -> str:
    return ", ".join(dict.fromkeys(map(_name, lines)))


def _name(each: Line) -> str:
    return f"`{each.detector}`"
