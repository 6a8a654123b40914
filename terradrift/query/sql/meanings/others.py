"""What other methods, watching and people say: anomalies, alerts, labels, runs."""

from terradrift.query.sql.meanings import common
from terradrift.query.sql.meanings.form import Column, View

_NO_SCORE = "`reason` says why"

ANOMALIES = View(
    "one observation as one method judges it",
    ("method", "model", "patch_id", "datetime"),
    {
        "patch_id": common.PATCH_ID,
        "datetime": Column("UTC", "when the patch was seen", "the scene's datetime"),
        "tile": common.TILE,
        "scene_id": Column(
            "id",
            "the scene that was seen",
            "STAC item id",
            "the method taxonomy does not keep it",
        ),
        "clear_percent": common.CLEAR_PERCENT,
        "method": Column(
            "text",
            "who says it, such as seasonal, local, inpaint, rx, taxonomy",
            "detect --method",
        ),
        "model": Column(
            "text", "whose vectors; empty of a method on pixels", "detect --method"
        ),
        "score": Column(
            "score",
            "how unusual by the method's own measure; larger is more",
            "the method: its page in docs",
            _NO_SCORE,
        ),
        "score_spatial": Column(
            "score",
            "the score less what the rest of the scene or window went through",
            "the method: its page in docs",
            "the score is null, fewer than 8 patches can be compared, or the method has none "
            "(taxonomy)",
        ),
        "z": Column(
            "robust sd",
            "how far above what is usual for the patch or its like",
            "the method: MAD robust z",
            "too few scores to compare with; `reason` says why",
        ),
        "p_value": Column(
            "0..1",
            "how rare: a rank among earlier scores, or among members of a regime",
            "the method: its page in docs",
            "too few to rank among; `reason` says why",
        ),
        "cusum": Column(
            "robust sd",
            "evidence added up over dates, from normal quantiles of p",
            "seasonal: Page 1954",
            "the method is not seasonal, or there is no p-value yet",
        ),
        "persistent": Column(
            "yes or no",
            "whether cusum is above 5",
            "seasonal",
            "cusum is null",
        ),
        "n_reference": Column(
            "count",
            "observations that it was compared with",
            "the method",
            "the method did not judge it",
        ),
        "reference_start": Column(
            "UTC", "the first of these", "the method", "there is none"
        ),
        "reference_end": Column(
            "UTC", "the last of these", "the method", "there is none"
        ),
        "reason": Column(
            "text",
            "why the score or the p-value is null",
            "the method",
            "both are given",
        ),
        "run_id": common.RUN_ID,
    },
)

ALERTS = View(
    "one alert of a patch that left its analogues, raised by what was known before",
    ("alert_id",),
    {
        "alert_id": Column(
            "id",
            "model, patch and the instant that raised it: the same in every run",
            "watch",
        ),
        "patch_id": common.PATCH_ID,
        "tile": common.TILE,
        "detected": Column("UTC", "the observation that raised it", "watch"),
        "onset": Column("UTC", "the first observation of the evidence", "watch"),
        "onset_early": Column(
            "UTC", "the last judged observation before the onset", "watch"
        ),
        "onset_late": Column("UTC", "the same as detected", "watch"),
        "delay_days": Column("days", "from onset to detected", "watch"),
        "z": Column(
            "robust sd",
            "on the day of detection: residual to the analogues against the pool's",
            "watch: MAD robust z, placebo test",
        ),
        "p_value": Column(
            "0..1",
            "on that day: share of the pool's residuals at least as long",
            "watch",
        ),
        "cusum": Column(
            "ratio",
            "length of the residuals added up as vectors",
            "watch: multivariate CUSUM (Crosier 1988)",
        ),
        "ewma": Column(
            "robust sd", "moving average of z, weight 0.2", "watch: Roberts 1959"
        ),
        "false_alarms": Column(
            "per 1,000 km2 and year",
            "alerts that unchanged ground raises at this cusum",
            "watch: exponential tail of placebo charts (Siegmund 1985)",
        ),
        "n_dates": Column("count", "dates of evidence, at least 2", "watch"),
        "n_controls": Column("count", "analogues that were clear", "watch"),
        "controls": Column("list", "patch_id of up to ten nearest analogues", "watch"),
        "status": Column(
            "text",
            "open; ended (at `ended`); closed (watching began anew); withdrawn (judged again, it "
            "did not show)",
            "watch",
        ),
        "ended": Column(
            "UTC",
            "when the evidence had fallen under half the threshold",
            "watch",
            "status is not ended",
        ),
        "reason": Column("text", "why it was raised, in words", "watch"),
        **common.PLACE,
        "run_id": common.RUN_ID,
    },
)

LABELS = View(
    "one thing that an analyst said",
    ("label_id",),
    {
        "label_id": Column("id", "the label", "label, kinds --rename"),
        "target_id": Column(
            "id",
            "what it is of: a change_id, an event_id, or kind/<model>/<number>",
            "label, kinds --rename",
        ),
        "verdict": Column(
            "text",
            "yes or no: whether it is an example of `name`; withdrawn: what was said no longer "
            "counts; name: a kind is called `name`",
            "label, kinds --rename",
        ),
        "name": Column(
            "text",
            "what it is an example of, or what a kind is called; empty takes a name away",
            "label, kinds --rename",
            "none was given",
        ),
        "who": Column(
            "text", "who said it", "label, kinds --rename", "nobody was named"
        ),
        "at": Column(
            "UTC",
            "when; of what one person said of a target under one name the last counts "
            '(written "at": a word of SQL)',
            "label, kinds --rename",
        ),
    },
)

RUNS = View(
    "one run of one verb",
    ("run_id",),
    {
        "run_id": Column(
            "id", "when it started, and the verb", "every verb that writes"
        ),
        "verb": Column(
            "text", "such as ingest, embed, detect", "every verb that writes"
        ),
        "status": Column("text", "done or failed", "every verb that writes"),
        "parameters": Column(
            "JSON", "what it was asked to do", "every verb that writes"
        ),
        "versions": Column(
            "JSON",
            "of Python, terradrift and what it stands on",
            "every verb that writes",
        ),
        "device": Column(
            "text", "what it computed on, such as cpu", "every verb that writes"
        ),
        "started": Column("UTC", "when it began", "every verb that writes"),
        "ended": Column("UTC", "when it ended", "every verb that writes"),
        "rows": Column(
            "count",
            "rows that it wrote or looked at, as the verb counts",
            "every verb that writes",
        ),
        "message": Column(
            "text",
            "what it said at the end, or why it failed",
            "every verb that writes",
        ),
    },
)
