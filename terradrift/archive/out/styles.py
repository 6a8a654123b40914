"""How an exported layer looks in QGIS, from what the archive holds."""

import numpy as np
import pyarrow.compute as pc

from terradrift import schema
from terradrift.store.out import qgis
from terradrift.store.out.leaving import Leaving

_SCORES = {
    "changes": "score",
    "events": "max_score",
    "patches": "score",
    "scores": "z",
}
_CLASSES = 5


def of(leaving: Leaving) -> dict[str, str]:
    """Name -> QML: `score` in classes of as many rows each, and `kind` by colour."""
    found = {}
    columns = leaving.dataset.schema.names
    score = _SCORES.get(leaving.what)
    if score is not None and score in columns:
        edges = _edges(leaving, score)
        if len(edges) > 1:
            found["score"] = qgis.graduated(score, edges)
    if "kind" in columns:
        found["kind"] = qgis.categorised("kind", kinds(leaving))
    return found


def kinds(leaving: Leaving) -> list[tuple[int, str]]:
    """Each kind, by rank, with the analyst's name or the label."""
    table = f"kinds_{schema.suffix(leaving.model)}"
    if not leaving.store.exists(table):
        return []
    held = leaving.store.dataset(table)
    rows = held.to_table(["kind", "rank", "name", "label"], filter="role = 'kind'")
    return [
        (row["kind"], row["name"] or row["label"] or f"kind {row['kind']}")
        for row in rows.sort_by("rank").to_pylist()
    ]


def _edges(leaving: Leaving, column: str) -> list[float]:
    """Quantiles of the column, each once."""
    held = leaving.dataset.to_table([column], filter=leaving.chosen.where)[column]
    values = pc.drop_null(held).to_numpy()
    values = values[np.isfinite(values)]
    if not len(values):
        return []
    steps = np.quantile(values.astype(np.float64), np.linspace(0, 1, _CLASSES + 1))
    return [float(edge) for edge in np.unique(steps)]
