"""`evaluate`: labels, and what the archive says of the same patches, to measures."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from terradrift.archive import judged
from terradrift.errors import ArchiveError, SourceError
from terradrift.evaluate.cover import Cover, Patches, cover
from terradrift.evaluate.fields import Reading
from terradrift.evaluate.ground import Ground
from terradrift.evaluate.labels import read_area, read_vector
from terradrift.evaluate.rasters import SUFFIXES, read_raster
from terradrift.evaluate.result import Evaluation
from terradrift.evaluate.summary import DAYS, evaluate
from terradrift.evaluate.truth import SLIVER, truth
from terradrift.store.tables import Store

CHANGE = "change"
"""Ranks by the strongest change of a patch, as `patch_changes` has it."""


def evaluate_archive(
    store: Store,
    model: str,
    labels: Path,
    *,
    score: str = CHANGE,
    date: str | None = None,
    date_field: str | None = None,
    class_field: str | None = None,
    values: str | Path | None = None,
    ignore_value: Sequence[float] = (),
    extent: str | Path | None = None,
    controls: str | Path | None = None,
    min_share: float = 0.5,
    any_touch: bool = False,
    block: int | None = None,
    days: Sequence[int] = DAYS,
) -> Evaluation:
    """Measure what an archive says of its patches against labels.

    Args:
        store: of the archive.
        model: whose changes or scores.
        labels: a vector file, a table (.csv, .parquet) or a raster (.tif, ...).
        score: what patches are ranked by: `change`, or a column of `scores`, of which the
            largest value of any date counts.
        date: the date of all labels, or a period that it lies in.
        date_field: column of dates, or two parted by a comma: first and last possible day.
        class_field: column of classes.
        values: rasters: a table of value, date, class.
        ignore_value: rasters: values that say that nothing is known.
        extent: vectors: ground that was looked at; what lies outside is unknown.
        controls: vectors: ground that is known not to have changed.
        min_share: share of a patch that must be labelled as changed.
        any_touch: any label makes a changed patch.
        block: side of the blocks of ground that are drawn for intervals, in metres.
        days: tolerances of onsets.

    Raises:
        SourceError: labels that cannot be read, or no changed patch among them.
        ArchiveError: nothing is detected under the model, or no patch is judged.
        ValueError: an option out of range.
    """
    if score != CHANGE and score not in judged.columns(store, model):
        choices = ", ".join((CHANGE, *judged.columns(store, model)))
        raise ValueError(f"score must be one of {choices}, got {score!r}")
    if not days or min(days) < 0:
        raise ValueError(f"days must be numbers from 0 on, got {list(days)}")
    patches, corners = judged.patches(store)
    first, last = judged.seen(store, model, patches)
    period = judged.period(first, last, store)
    reading = Reading(
        date=date,
        date_field=date_field,
        class_field=class_field,
        values=None if values is None else Path(values),
        ignore=tuple(ignore_value),
    )
    found = _cover(labels, reading, patches, period, extent=extent, controls=controls)
    true = truth(
        found.objects,
        found.changed,
        found.unknown,
        min_share=min_share,
        any_touch=any_touch,
    )
    if not true.changed.any():
        raise SourceError(
            f"{labels}: no patch of the archive is known to have changed: "
            f"{'; '.join(found.notes)}; labels that fill little of a patch take "
            "--any-touch or a smaller --min-share"
        )
    reported = None
    if score == CHANGE:
        said, reason = judged.changes(store, model, patches)
        reported = judged.reported(store, model, patches)
    else:
        said, reason = judged.largest(store, model, patches, score)
    if not np.isfinite(said.score).any():
        raise ArchiveError(
            f"no patch of {store.root} is judged ({_most(reason)}); where there are "
            "too few dates for changes, --score drift ranks by distance alone"
        )
    ground = Ground(
        cells=patches.cells,
        patch_size=patches.size,
        years=judged.years(first, last),
        reason=reason,
        clear=judged.clear(store, model, patches, true.changed & ~np.isnat(true.onset)),
        corners=corners,
    )
    return evaluate(
        true,
        said,
        ground,
        archive=store.root.name,
        method=f"changes of {model}" if score == CHANGE else f"{score} of {model}",
        score="the strongest change of a patch"
        if score == CHANGE
        else f"its largest {score} of any date",
        objects=found.objects,
        reported=reported,
        reports=reported is not None,
        min_share=SLIVER if any_touch else min_share,
        block=block,
        days=tuple(sorted(set(days))),
        notes=(_rule(min_share, any_touch=any_touch), *found.notes),
    )


def _rule(min_share: float, *, any_touch: bool) -> str:
    least = (
        "any label touches" if any_touch else f"labels fill at least {min_share:.0%} of"
    )
    return (
        f"a patch changed where {least} it, and did not where nothing of it may have; "
        "others are unknown and count nowhere"
    )


def _cover(
    path: Path,
    reading: Reading,
    patches: Patches,
    period: tuple[np.datetime64, np.datetime64],
    *,
    extent: str | Path | None,
    controls: str | Path | None,
) -> Cover:
    if path.suffix.lower() not in SUFFIXES:
        return cover(
            patches,
            read_vector(path, reading),
            extent=None if extent is None else read_area(Path(extent)),
            controls=None if controls is None else read_area(Path(controls)),
            period=period,
        )
    if extent is not None or controls is not None:
        raise ValueError(
            "a raster of labels says itself where nothing changed: 0; write that into it "
            "instead of passing --extent or --controls"
        )
    if not path.is_file():
        raise SourceError(f"expected labels, got no file {path}")
    return read_raster(path, reading, patches, period)


def _most(reason: NDArray[np.str_]) -> str:
    names, counts = np.unique(reason[reason != ""], return_counts=True)
    return str(names[counts.argmax()]) if len(names) else "no reason given"
