"""What every column of every table means: data, by topic."""

from collections.abc import Mapping

from terradrift.query.sql.meanings import detection, ground, groups, others
from terradrift.query.sql.meanings.form import UNITS, Column, View

__all__ = ["TABLES", "UNITS", "Column", "View"]

TABLES: Mapping[str, View] = {
    "scenes": ground.SCENES,
    "patches": ground.PATCHES,
    "observations": ground.OBSERVATIONS,
    "embeddings": ground.EMBEDDINGS,
    "units": ground.UNITS_OF_WORK,
    "scores": detection.SCORES,
    "changes": detection.CHANGES,
    "patch_changes": detection.PATCH_CHANGES,
    "events": detection.EVENTS,
    "kinds": groups.KINDS,
    "taxonomy": groups.TAXONOMY,
    "regimes": groups.REGIMES,
    "anomalies": others.ANOMALIES,
    "alerts": others.ALERTS,
    "labels": others.LABELS,
    "runs": others.RUNS,
}
"""In the order in which they are told; without the place that views add to patches."""
