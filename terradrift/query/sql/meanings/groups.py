"""What changes and patches are grouped into: kinds, taxonomy, regimes."""

from terradrift.query.sql.meanings import common
from terradrift.query.sql.meanings.form import Column, View

_KINDS_ONLY = "it is a branch or a part"

KINDS = View(
    "one cluster of changes: a kind, or a branch or part of the tree around kinds",
    ("kind",),
    {
        "kind": Column(
            "id",
            "its number; that of a kind lasts over fits, those of branches and parts do not",
            "cluster",
        ),
        "parent": Column(
            "id", "the cluster it is part of, a row of `kinds`", "cluster", "at the top"
        ),
        "role": Column(
            "text",
            "kind (what changes are of), branch (holds several kinds) or part (of one kind)",
            "cluster: the tree of HDBSCAN",
        ),
        "rank": Column("rank", "by rarity times magnitude", "cluster", _KINDS_ONLY),
        "size": Column(
            "count", "its changes; of a branch those of its kinds", "cluster"
        ),
        "n_events": Column("count", "events that these changes are of", "cluster"),
        "share": Column(
            "0..1",
            "of all changes, those of no kind included",
            "cluster",
            "there are no changes",
        ),
        "stability": Column(
            "0..1",
            "how long a change stays in it as density is asked for, as a share of the longest",
            "cluster: HDBSCAN (Campello, Moulavi & Sander 2013)",
        ),
        "rarity": Column(
            "0..1", "median rarity of its changes", "cluster", "no change of it has one"
        ),
        "magnitude": Column(
            "ratio",
            "median length of its deltas over the median of all changes",
            "cluster",
            "it has no changes",
        ),
        **common.median_differences("its changes"),
        "label": Column(
            "text", "what the three index differences say, and no more", "cluster"
        ),
        "name": Column(
            "text",
            "what an analyst calls it",
            "kinds --rename; a row of `labels`",
            "nobody named it",
        ),
        "description": Column(
            "text", "the label as a sentence, with the numbers", "cluster"
        ),
        "fate": Column(
            "text",
            "since the fit before: kept, split, merged, regrouped or born",
            "cluster",
            _KINDS_ONLY,
        ),
        "came_from": Column(
            "list",
            "numbers of the kinds of the fit before that it came from",
            "cluster",
            f"{_KINDS_ONLY}, or there was no fit before",
        ),
        "exemplars": Column(
            "list", "change_id of its surest members, best first", "cluster"
        ),
        "centroid": Column("embedding", "mean delta of its changes", "cluster"),
        "fit": Column(
            "number",
            "the fit that it is of, from 1; fits are kept and numbered",
            "cluster",
        ),
        "run_id": common.RUN_ID,
    },
)

TAXONOMY = View(
    "one regime: a ground, or a path that patches of a ground take through time",
    ("regime",),
    {
        "regime": Column("id", "its number, from 0, grounds first", "taxonomy"),
        "parent": Column(
            "id",
            "the ground that a path is of, a row of `taxonomy`",
            "taxonomy",
            "it is a ground",
        ),
        "level": Column("number", "1: ground, 2: path", "taxonomy"),
        "size": Column("count", "patches placed in it", "taxonomy"),
        "share": Column("0..1", "of all patches that were placed", "taxonomy"),
        "cohesion": Column(
            "silhouette",
            "mean silhouette of its members among its siblings",
            "taxonomy: Rousseeuw 1987",
            "it has no siblings",
        ),
        "label": Column(
            "text", "what NDVI, NBR and NDWI of its members do, and no more", "taxonomy"
        ),
        "description": Column(
            "text", "the label as a sentence, with the numbers", "taxonomy"
        ),
        "representatives": Column(
            "list",
            "patch_id of up to five patches most like it, nearest first",
            "taxonomy",
        ),
        "centroid": Column(
            "list",
            "its mean path in principal components, n_steps x dimensions numbers, step by step",
            "taxonomy",
        ),
        "n_steps": Column("count", "steps of the path", "taxonomy"),
        "dimensions": Column(
            "count", "principal components of a step, at most 32", "taxonomy"
        ),
        "steps": Column(
            "list",
            "middles of the steps (UTC); days of the year, in 1970, where years were taken "
            "together",
            "taxonomy",
        ),
        "run_id": common.RUN_ID,
    },
)

_UNPLACED = "the patch could not be placed; `reason` says why"

REGIMES = View(
    "one patch: its regime, how well it fits, and when it turned",
    ("patch_id",),
    {
        "patch_id": common.PATCH_ID,
        "tile": common.TILE,
        "regime": Column(
            "id",
            "its path, or its ground where that has one path",
            "taxonomy",
            _UNPLACED,
        ),
        "ground": Column(
            "id", "its ground, a row of `taxonomy`", "taxonomy", _UNPLACED
        ),
        "distance": Column(
            "score",
            "root mean square distance to the regime's path over known steps, in principal "
            "components",
            "taxonomy",
            _UNPLACED,
        ),
        "margin": Column(
            "silhouette",
            "how much nearer its regime is than the nearest other, as a share of the larger; "
            "below 0 where another is nearer",
            "taxonomy",
            f"{_UNPLACED}, or there is no other regime",
        ),
        "n_clear": Column("count", "clear observations", "taxonomy"),
        "max_deviation": Column(
            "score",
            "the largest `score` of its dates in `anomalies` of the method taxonomy",
            "taxonomy",
            "no date has a score",
        ),
        "deviation_z": Column(
            "robust sd",
            "the largest z of its dates there: distance to the other members' mean against "
            "their own",
            "taxonomy: MAD robust z",
            "no date has a z",
        ),
        "n_flips": Column(
            "count",
            "times that the ground it would be given by itself turned",
            "taxonomy",
            "years were taken together",
        ),
        "last_flip": Column(
            "UTC",
            "step from which the last ground holds",
            "taxonomy",
            "it never turned",
        ),
        "reason": Column(
            "text",
            "why it has no regime, or only a rough one",
            "taxonomy",
            "its path is known whole",
        ),
        "run_id": common.RUN_ID,
    },
)
