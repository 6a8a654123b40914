"""An evaluation as text for a terminal (at most 100 columns), and as a page of Markdown."""

from terradrift.evaluate import tables
from terradrift.evaluate.result import Evaluation
from terradrift.evaluate.sections import sections


def text(found: Evaluation) -> str:
    """The tables in aligned columns."""
    lines = [_title(found), *tables.wrapped(_intro(found))]
    for title, head, rows in sections(found):
        lines += ["", title, *tables.aligned(head, rows)]
    lines.append("")
    for note in found.notes:
        lines += tables.wrapped(note, "* ")
    return "\n".join(lines)


def markdown(found: Evaluation, figure: str | None = None) -> str:
    """The same as a page; `figure` is the picture's file name."""
    lines = [f"# {_title(found)}", "", _intro(found)]
    if figure is not None:
        lines += ["", f"![Precision, dating and map]({figure})"]
    for title, head, rows in sections(found, most=None):
        lines += ["", f"## {title}", "", tables.piped(head, rows)]
    lines += ["", "## Notes", "", *(f"* {note}" for note in found.notes)]
    return "\n".join(lines) + "\n"


def _title(found: Evaluation) -> str:
    return f"{found.archive}: {found.method}, ranked by {found.score}"


def _intro(found: Evaluation) -> str:
    patches, blocks = found.patches, found.blocks
    known = patches.changed + patches.unchanged
    words = (
        f"{known:,} of {patches.all:,} patches are known: {patches.changed:,} changed, "
        f"{patches.unchanged:,} did not. Judged: {patches.judged_changed:,} and "
        f"{patches.judged_unchanged:,} of them"
    )
    if patches.not_judged:
        why = "; ".join(
            f"{reason}: {count:,}" for reason, count in patches.not_judged.items()
        )
        words += f" (not judged: {why})"
    return (
        f"{words}. Intervals: {blocks.level:.0%}, over {blocks.count:,} blocks of ground "
        f"of {blocks.side_m:,} m or more, {blocks.with_changes:,} of them with changes."
    )
