"""What a comparison of models gives: plain values, and the same as a record for JSON."""

from dataclasses import dataclass
from typing import Any

import numpy as np

from terradrift.evaluate.measures import Interval


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Grades:
    """How well scores of squares tell which share of them changed."""

    cells: int
    """Squares of which it is known."""
    blocks: int
    """Blocks of ground that intervals are drawn from."""
    changed: dict[float, int]
    """Share to the number of squares that reach it; of 0, that pass it."""
    roc_auc: dict[float, Interval]
    """Share to ROC-AUC of the squares that reach it against all others."""
    average_precision: Interval
    """At a share of 0.5."""
    floor: float
    """What chance gives for it."""
    spearman: float
    """Rank correlation of score and share."""
    best: tuple[float, float]
    """Precision and recall of squares that changed wholly, at the threshold of the highest
    F1; the threshold is chosen by the labels themselves."""
    silent: int
    """Squares without a score; they rank last."""

    def to_dict(self) -> dict[str, Any]:
        """As a record of plain values."""
        return {
            "cells": self.cells,
            "blocks": self.blocks,
            "changed": {f"{least:g}": n for least, n in self.changed.items()},
            "roc_auc": {f"{s:g}": _record(v) for s, v in self.roc_auc.items()},
            "average_precision": _record(self.average_precision),
            "floor": _number(self.floor),
            "spearman": _number(self.spearman),
            "best_precision": _number(self.best[0]),
            "best_recall": _number(self.best[1]),
            "silent": self.silent,
        }


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Line:
    """One measure of one model."""

    archive: str
    model: str
    measure: str
    patch_size: int
    """Metres."""
    common: Grades
    """On the common grid."""
    own: Grades
    """On the model's own patches."""

    def to_dict(self) -> dict[str, Any]:
        """As a record of plain values."""
        return {
            "archive": self.archive,
            "model": self.model,
            "measure": self.measure,
            "patch_size": self.patch_size,
            "common": self.common.to_dict(),
            "own": self.own.to_dict(),
        }


@dataclass(frozen=True, slots=True, eq=False, kw_only=True)
class Compared:
    """Models compared on the same ground."""

    labels: str
    """Name of the file."""
    cell: int
    """Side of a cell of the common grid, metres."""
    dates: str
    """What was compared: two days, or all dates."""
    notes: tuple[str, ...]
    lines: tuple[Line, ...]

    def to_dict(self) -> dict[str, Any]:
        """As a record of plain values."""
        return {
            "labels": self.labels,
            "cell": self.cell,
            "dates": self.dates,
            "notes": list(self.notes),
            "lines": [each.to_dict() for each in self.lines],
        }

    def __str__(self) -> str:
        from terradrift.evaluate.compare.page import text

        return text(self)


def _number(value: float) -> float | None:
    return float(value) if np.isfinite(value) else None


def _record(value: Interval) -> dict[str, float | None]:
    return {
        "value": _number(value.value),
        "low": _number(value.low),
        "high": _number(value.high),
    }
