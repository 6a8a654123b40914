"""What `detect` says: scores, changes, patch_changes, events. See docs/detection.md."""

from terradrift.query.sql.meanings import common
from terradrift.query.sql.meanings.form import NEVER, Column, View

_UNCLEAR = "`reason` says why"

SCORES = View(
    "the scores of one observation beside its own earlier dates; the pool that says what is "
    "usual is of the whole archive",
    ("patch_id", "datetime"),
    {
        "patch_id": common.PATCH_ID,
        "datetime": Column("UTC", "when the patch was seen", "embeddings"),
        "tile": common.TILE,
        "clear_percent": common.CLEAR_PERCENT,
        "n_reference": Column(
            "count",
            "own past observations that `drift` is measured to, at most 12",
            "detect",
        ),
        "n_controls": Column(
            "count",
            "analogues clear on that date that `z` is measured to, at most 40",
            "detect: nearest histories of the pool (Abadie and others 2010)",
        ),
        "reference": Column(
            "text",
            "which own past: season or recent; +analogues where z is measured beside them, "
            "then +calm, +usual or +restless, the stratum of the p-value",
            "detect",
            "there is no reference",
        ),
        "drift": Column(
            "cosine",
            "how far from its own past, and further than its like moved: geometric mean of the "
            "cosine distance to the own reference, of that to what the scene lets expect, and of "
            "that to the analogues, those that can be told",
            "detect: robust chronochrome (Schaum & Stocker 1997), Weiszfeld 1937",
            "not clear enough, or no earlier observation",
        ),
        "z": Column(
            "robust sd",
            "how far above what is usual: distance to the analogues' median against their own "
            "such distances; without analogues drift against left-out scores of the reference",
            "detect: MAD robust z, placebo test",
            f"the history is too short; {_UNCLEAR}",
        ),
        "p_value": Column(
            "0..1",
            "how often an unchanged patch has so large a z: a rank among the pool's",
            "detect: rank within a stratum of restlessness and season",
            f"fewer than 20 patches to rank among; {_UNCLEAR}",
        ),
        "q_value": Column(
            "0..1",
            "share of false discoveries among all observations of the UTC day that are as "
            "unlikely",
            "Benjamini-Hochberg 1995 over the p-values of a day",
            "p_value is null",
        ),
        "lof": Column(
            "ratio",
            "local outlier factor against the last 60 clear observations of the patch, about 1 "
            "inside",
            "detect: Breunig and others 2000",
            "fewer than 8 clear observations before, or not clear enough",
        ),
        "cusum": Column(
            "robust sd",
            "evidence added up: max(0, previous + z - 1)",
            "detect: Page 1954",
            "z is null",
        ),
        "ewma": Column(
            "robust sd",
            "evidence of late: moving average of z, weight 0.2 for the newest",
            "detect: Roberts 1959",
            "z is null",
        ),
        "reason": Column(
            "text",
            "why drift, z or p_value is null: not clear enough, no earlier observation, history "
            "too short, too few patches to rank among",
            "detect",
            "none of the three is null",
        ),
        "run_id": common.RUN_ID,
    },
)

_PERSISTENCE = Column(
    "text",
    "persistent; transient (the old state came back); gradual (a ramp); seasonal (the yearly "
    "path moved in time)",
    "detect: docs/detection.md, step 7",
)
_P_OF_HISTORY = Column(
    "0..1",
    "chance that an unchanged patch has a candidate that scores as much in its whole history",
    "detect: placebo test on the pool's scores",
    "fewer than 20 patches of the pool can be judged",
)
_FALSE_ALARMS = Column(
    "per 1,000 km2 and year",
    "unchanged patches expected to be told as changed where all that score at least as much "
    "are taken",
    "detect: p_value x patches per area / years seen",
    "p_value is null, or the ids do not tell the size of a patch",
)
_SCORE = (
    "strength of a lasting step that its like did not make: root of the F statistic of a break, "
    "times that beside analogues to the power 0.6; noise has 2 to 5"
)


def _at_onset(name: str) -> Column:
    whole = SCORES.columns[name]
    null = NEVER if whole.null == NEVER else "it is null in `scores` on that date"
    return Column(whole.unit, f"on the onset: {whole.meaning}", whole.source, null)


CHANGES = View(
    "one change: a patch that left one state for another, and when",
    ("change_id",),
    {
        "change_id": Column(
            "id",
            "model, patch and onset: the same change has the same id in every run",
            "detect",
        ),
        "patch_id": common.PATCH_ID,
        "number": Column(
            "number", "1, 2, ... of the patch's changes in order of time", "detect"
        ),
        "tile": common.TILE,
        "onset": Column(
            "UTC",
            "the first clear observation of the new state; of a ramp, of its start",
            "detect",
        ),
        "onset_early": Column(
            "UTC",
            "the change came after this clear observation, at 95 %",
            "detect: likelihood ratio (Eo & Morley 2015)",
        ),
        "onset_late": Column(
            "UTC",
            "and up to this one, at 95 %",
            "detect: likelihood ratio (Eo & Morley 2015)",
        ),
        "ended": Column(
            "UTC",
            "the first clear observation with the old state back",
            "detect",
            "it did not come back",
        ),
        "date_before": Column(
            "UTC", "the last clear observation before the onset", "detect"
        ),
        "date_after": Column(
            "UTC", "the first clear observation with the change", "detect"
        ),
        "gap_days": Column("days", "from date_before to date_after", "detect"),
        "n_reference": _at_onset("n_reference"),
        "n_controls": _at_onset("n_controls"),
        "controls": Column(
            "list", "patch_id of up to ten nearest analogues, nearest first", "detect"
        ),
        "reference": _at_onset("reference"),
        "drift": _at_onset("drift"),
        "z": _at_onset("z"),
        "p_value": _P_OF_HISTORY,
        "q_value": Column(
            "0..1",
            "share of false discoveries among all judged patches that are as unlikely",
            "Benjamini-Hochberg 1995 over the p-values of all patches",
            "p_value is null",
        ),
        "false_alarms": _FALSE_ALARMS,
        "lof": Column(
            "ratio",
            "local outlier factor of the delta among all changes, about 1 inside a cluster",
            "detect: Breunig and others 2000, 20 neighbours, 16 components",
            "it is the only change",
        ),
        "score": Column("ratio", _SCORE, "detect: docs/detection.md, steps 2 and 3"),
        "persistence": _PERSISTENCE,
        **common.DIFFERENCES,
        "event_id": Column("id", "the event that it is part of", "detect"),
        "kind": Column(
            "id",
            "its kind, a row of `kinds`",
            "cluster",
            "of no kind, or cluster was not run",
        ),
        "kind_probability": Column(
            "0..1",
            "how firmly it is of its kind",
            "cluster: HDBSCAN membership; of --assign that of the nearest exemplar",
            "kind is null",
        ),
        "rarity": Column(
            "0..1",
            "share of changes that stand nearer to those of other events than this one",
            "detect: mean distance to the 10 nearest other events",
            "there is no other event",
        ),
        "before": Column(
            "embedding",
            "median vector of the state before, stored as float16",
            "detect",
        ),
        "after": Column(
            "embedding", "median vector of the state after, stored as float16", "detect"
        ),
        "delta": Column("embedding", "after less before, stored as float16", "detect"),
        **common.PLACE,
        "run_id": common.RUN_ID,
    },
)

_NONE_REPORTED = "the patch has no change in `changes`"
_UNJUDGED = f"the history cannot be judged; {_UNCLEAR}"

PATCH_CHANGES = View(
    "one patch: its strongest candidate, reported or not, and what was reported of it",
    ("patch_id",),
    {
        "patch_id": common.PATCH_ID,
        "tile": common.TILE,
        "n_clear": Column("count", "clear observations", "detect"),
        "n_changes": Column("count", "changes in `changes`", "detect"),
        "first_change": Column(
            "UTC", "onset of its first change", "detect", _NONE_REPORTED
        ),
        "last_change": Column(
            "UTC", "onset of its last change", "detect", _NONE_REPORTED
        ),
        "largest_change": Column(
            "UTC", "onset of its change of the highest score", "detect", _NONE_REPORTED
        ),
        "score": Column(
            "ratio", f"of the strongest candidate: {_SCORE}", "detect", _UNJUDGED
        ),
        "p_value": Column(
            _P_OF_HISTORY.unit,
            _P_OF_HISTORY.meaning,
            _P_OF_HISTORY.source,
            f"{_UNJUDGED}, or {_P_OF_HISTORY.null}",
        ),
        "false_alarms": _FALSE_ALARMS,
        "onset": Column(
            "UTC", "of the strongest candidate", "detect", "there is no candidate"
        ),
        "persistence": Column(
            "text",
            "of the strongest candidate; persistent or transient where it is not reported",
            "detect",
            "there is no candidate",
        ),
        "reason": Column(
            "text",
            "why the history cannot be judged: not clear enough, too few clear dates",
            "detect",
            "the history can be judged",
        ),
        "run_id": common.RUN_ID,
    },
)

EVENTS = View(
    "one group of changes that are connected in space and time",
    ("event_id",),
    {
        "event_id": Column(
            "id",
            "made of its strongest change: stays when weaker ones join or leave",
            "detect",
        ),
        "rank": Column(
            "rank",
            "by the root of the sum of squares of (r-th best score / r) over its patches",
            "detect",
        ),
        "start": Column("UTC", "the first onset", "detect"),
        "peak": Column("UTC", "the onset of the strongest change", "detect"),
        "end": Column("UTC", "the last date_after", "detect"),
        "n_patches": Column("count", "its patches, each once", "detect"),
        "area_km2": Column(
            "km2", "ground of its patches", "detect: n_patches x patch area"
        ),
        "max_score": Column("ratio", "highest score of its changes", "detect"),
        "max_z": Column(
            "robust sd", "highest z of its changes", "detect", "none has a z"
        ),
        "min_p_value": Column(
            "0..1", "lowest p_value of its changes", "detect", "none has a p-value"
        ),
        "persistence": Column(
            "text",
            "that of most of its changes; of the strongest where two tie",
            "detect",
        ),
        "kind": Column(
            "id",
            "the most frequent kind of its changes",
            "cluster",
            "most are of no kind, or cluster was not run",
        ),
        "label": Column(
            "text",
            "what the three index differences say, such as vegetation loss, and no more",
            "detect: thresholds of Key & Benson 2006, Sobrino & Raissouni 2000",
        ),
        **common.median_differences("the changes of the event"),
        **common.PLACE,
        "run_id": common.RUN_ID,
    },
)
