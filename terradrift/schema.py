"""The tables: Arrow schemas with names and versions. This is the contract of the rooms.

Each schema carries `terradrift:schema` = `name/version` in its metadata, and `check` holds
at the store's door. Instants are UTC; boxes and geometries WGS 84 degrees; a value that
cannot be given is null.
"""

import re

import pyarrow as pa

from terradrift.errors import SchemaError

INSTANT = pa.timestamp("us", tz="UTC")
BBOX = pa.struct(
    [pa.field(side, pa.float64()) for side in ("xmin", "ymin", "xmax", "ymax")]
)
ASSET = pa.struct(
    [
        pa.field("band", pa.string()),
        pa.field("href", pa.string()),
        pa.field("index", pa.int32()),
        pa.field("scale", pa.float64()),
        pa.field("offset", pa.float64()),
        pa.field("nodata", pa.float64()),
        pa.field("wavelength", pa.float64()),
    ]
)
"""One band of a scene: band number `index` (from 1) of the file at `href`.

reflectance = digital number * scale + offset. A mask is a row whose band is `mask:scl`,
`mask:qa_pixel` or `mask:named` (named: non-zero is not clear).
"""

_MINIBLOCK = {
    "lance-encoding:structural-encoding": "miniblock",
    "lance-encoding:compression": "none",
}
_FULL = {**_MINIBLOCK, "lance-encoding:structural-encoding": "fullzip"}
_CHUNK_BYTES = 8186
_WKB = {
    "ARROW:extension:name": "geoarrow.wkb",
    "ARROW:extension:metadata": '{"crs":"OGC:CRS84"}',
}


def vector(name: str, dimensions: int) -> pa.Field:
    """A float16 vector column in the encoding that Lance scans at several GB/s.

    That encoding takes two vectors in 8,186 bytes at least; longer ones have one of their own.
    """
    encoding = _MINIBLOCK if 2 * 2 * dimensions <= _CHUNK_BYTES else _FULL
    return pa.field(name, pa.list_(pa.float16(), dimensions), metadata=encoding)


def _named(name: str, fields: list[pa.Field], **metadata: str) -> pa.Schema:
    return pa.schema(fields, metadata={"terradrift:schema": name, **metadata})


def _text(*names: str) -> list[pa.Field]:
    return [pa.field(name, pa.string()) for name in names]


def _instants(*names: str) -> list[pa.Field]:
    return [pa.field(name, INSTANT) for name in names]


def _floats(*names: str) -> list[pa.Field]:
    return [pa.field(name, pa.float32()) for name in names]


def _place() -> list[pa.Field]:
    return [
        pa.field("longitude", pa.float64()),
        pa.field("latitude", pa.float64()),
        pa.field("bbox", BBOX),
        pa.field("geometry", pa.binary(), metadata=_WKB),
    ]


def scenes() -> pa.Schema:
    """One row per acquisition of one sensor."""
    return _named(
        "scenes/1",
        [
            *_text("scene_id"),
            *_instants("datetime"),
            *_text(
                "collection",
                "constellation",
                "platform",
                "processing_level",
                "processing_baseline",
            ),
            # Added to digital numbers before scaling, 0 or -1000; null: not Sentinel-2.
            *_floats("boa_offset"),
            *_text("boa_offset_source"),
            *_floats("cloud_percent", "gsd"),
            *_text("crs"),
            pa.field("bbox", BBOX),
            pa.field("geometry", pa.binary(), metadata=_WKB),
            pa.field("bands", pa.list_(pa.string())),
            pa.field("assets", pa.list_(ASSET)),
            *_text("stac_item", "run_id"),
        ],
    )


def patches() -> pa.Schema:
    """One row per place."""
    return _named(
        "patches/1",
        [
            *_text("patch_id", "tile", "crs"),
            pa.field("row", pa.int32()),
            pa.field("col", pa.int32()),
            *_place(),
        ],
    )


def embeddings(dimensions: int, **metadata: str) -> pa.Schema:
    """One row per observation under one model; `metadata` names the model."""
    return _named(
        "embeddings/1",
        [
            *_text("patch_id"),
            *_instants("datetime"),
            *_text("tile", "scene_id"),
            *_floats("clear_percent", "ndvi", "nbr", "ndwi"),
            vector("embedding", dimensions),
            *_text("run_id"),
        ],
        **metadata,
    )


def units() -> pa.Schema:
    """The ledger: one row per (scene, tile) that was embedded, with its rows."""
    return _named(
        "units/1",
        [*_text("scene_id", "tile"), pa.field("rows", pa.int32()), *_text("run_id")],
    )


def scores() -> pa.Schema:
    """One row per observation's scores; `reason` says why a score is null."""
    return _named(
        "scores/2",
        [
            *_text("patch_id"),
            *_instants("datetime"),
            *_text("tile"),
            *_floats("clear_percent"),
            pa.field("n_reference", pa.int32()),
            pa.field("n_controls", pa.int32()),
            *_text("reference"),
            *_floats("drift", "z", "p_value", "q_value", "lof", "cusum", "ewma"),
            *_text("reason", "run_id"),
        ],
    )


def changes(dimensions: int) -> pa.Schema:
    """One row per change: a patch that went from one state to another, and when.

    A patch may have several, numbered from 1 in order of time.
    """
    return _named(
        "changes/2",
        [
            *_text("change_id", "patch_id"),
            pa.field("number", pa.int32()),
            *_text("tile"),
            # The interval holds the onset at 95 %; ended is null where it lasts.
            *_instants("onset", "onset_early", "onset_late", "ended"),
            *_instants("date_before", "date_after"),
            *_floats("gap_days"),
            pa.field("n_reference", pa.int32()),
            pa.field("n_controls", pa.int32()),
            pa.field("controls", pa.list_(pa.string())),
            *_text("reference"),
            *_floats(
                "drift", "z", "p_value", "q_value", "false_alarms", "lof", "score"
            ),
            *_text("persistence"),
            *_floats("d_ndvi", "d_nbr", "d_ndwi"),
            *_text("event_id"),
            pa.field("kind", pa.int32()),
            *_floats("kind_probability", "rarity"),
            vector("before", dimensions),
            vector("after", dimensions),
            vector("delta", dimensions),
            *_place(),
            *_text("run_id"),
        ],
    )


def patch_changes() -> pa.Schema:
    """One row per patch: its strongest candidate, reported or not, and what was reported.

    `reason` says why the history of a patch cannot be judged; its score is null then.
    """
    return _named(
        "patch_changes/1",
        [
            *_text("patch_id", "tile"),
            pa.field("n_clear", pa.int32()),
            pa.field("n_changes", pa.int32()),
            *_instants("first_change", "last_change", "largest_change"),
            *_floats("score", "p_value", "false_alarms"),
            *_instants("onset"),
            *_text("persistence", "reason", "run_id"),
        ],
    )


def events() -> pa.Schema:
    """One row per group of changes that are connected in space and time."""
    return _named(
        "events/1",
        [
            *_text("event_id"),
            pa.field("rank", pa.int32()),
            *_instants("start", "peak", "end"),
            pa.field("n_patches", pa.int32()),
            pa.field("area_km2", pa.float64()),
            *_floats("max_score", "max_z", "min_p_value"),
            *_text("persistence"),
            pa.field("kind", pa.int32()),
            *_text("label"),
            *_floats("d_ndvi", "d_nbr", "d_ndwi"),
            *_place(),
            *_text("run_id"),
        ],
    )


def alerts() -> pa.Schema:
    """One row per alert of `watch`; `status` is open, ended or withdrawn."""
    return _named(
        "alerts/1",
        [
            *_text("alert_id", "patch_id", "tile"),
            *_instants("detected", "onset", "onset_early", "onset_late"),
            *_floats("delay_days", "z", "p_value", "cusum", "ewma", "false_alarms"),
            pa.field("n_dates", pa.int32()),
            pa.field("n_controls", pa.int32()),
            pa.field("controls", pa.list_(pa.string())),
            *_text("status"),
            *_instants("ended"),
            *_text("reason"),
            *_place(),
            *_text("run_id"),
        ],
    )


def anomalies() -> pa.Schema:
    """One row per observation as one method judges it; `reason` says why a score is null.

    What a method does not say is null.
    """
    return _named(
        "anomalies/1",
        [
            *_text("patch_id"),
            *_instants("datetime"),
            *_text("tile", "scene_id"),
            *_floats("clear_percent"),
            # The model is empty for a method on pixels.
            *_text("method", "model"),
            *_floats("score", "score_spatial", "z", "p_value", "cusum"),
            pa.field("persistent", pa.bool_()),
            pa.field("n_reference", pa.int32()),
            *_instants("reference_start", "reference_end"),
            *_text("reason", "run_id"),
        ],
    )


def kinds() -> pa.Schema:
    """One row per cluster of change deltas: kinds, and by `parent` the tree around them.

    `role` is kind (what changes are of), branch (holds several) or part (of one kind). A
    kind keeps its number over fits for as long as it lives.
    """
    return _named(
        "kinds/2",
        [
            pa.field("kind", pa.int32()),
            pa.field("parent", pa.int32()),
            *_text("role"),
            # By rarity times magnitude, kinds only.
            pa.field("rank", pa.int32()),
            pa.field("size", pa.int32()),
            pa.field("n_events", pa.int32()),
            *_floats("share", "stability", "rarity", "magnitude"),
            *_floats("d_ndvi", "d_nbr", "d_ndwi"),
            *_text("label", "name", "description", "fate"),
            pa.field("came_from", pa.list_(pa.int32())),
            pa.field("exemplars", pa.list_(pa.string())),
            pa.field("centroid", pa.list_(pa.float32())),
            pa.field("fit", pa.int32()),
            *_text("run_id"),
        ],
    )


def taxonomy() -> pa.Schema:
    """One row per regime of ground or path; paths have a `parent`, ground has none.

    `centroid` is the mean path, step by step in `dimensions` components. `steps` are the
    middles of the steps; days of the year, in 1970, where years were taken together.
    """
    return _named(
        "taxonomy/1",
        [
            pa.field("regime", pa.int32()),
            pa.field("parent", pa.int32()),
            pa.field("level", pa.int32()),
            pa.field("size", pa.int32()),
            *_floats("share", "cohesion"),
            *_text("label", "description"),
            pa.field("representatives", pa.list_(pa.string())),
            pa.field("centroid", pa.list_(pa.float32())),
            pa.field("n_steps", pa.int32()),
            pa.field("dimensions", pa.int32()),
            pa.field("steps", pa.list_(INSTANT)),
            *_text("run_id"),
        ],
    )


def regimes() -> pa.Schema:
    """One row per patch: its regimes, how well it fits them, and how it left its path.

    `reason` says why it has no regime, or only a rough one.
    """
    return _named(
        "regimes/1",
        [
            *_text("patch_id", "tile"),
            pa.field("regime", pa.int32()),
            pa.field("ground", pa.int32()),
            *_floats("distance", "margin"),
            pa.field("n_clear", pa.int32()),
            *_floats("max_deviation", "deviation_z"),
            pa.field("n_flips", pa.int32()),
            *_instants("last_flip"),
            *_text("reason", "run_id"),
        ],
    )


def labels() -> pa.Schema:
    """One row per verdict of an analyst."""
    return _named(
        "labels/1",
        [*_text("label_id", "target_id", "verdict", "name", "who"), *_instants("at")],
    )


def runs() -> pa.Schema:
    """One row per run of one verb."""
    return _named(
        "runs/1",
        [
            *_text("run_id", "verb", "status", "parameters", "versions", "device"),
            *_instants("started", "ended"),
            pa.field("rows", pa.int64()),
            *_text("message"),
        ],
    )


def suffix(model: str) -> str:
    """The model's name as part of a table name: `clay-v1.5` gives `clay_v1_5`."""
    return re.sub(r"\W+", "_", model).strip("_").lower()


def name(schema: pa.Schema) -> str:
    """`name/version` that a schema claims, or an empty string."""
    return str((schema.metadata or {}).get(b"terradrift:schema", b"").decode())


def check(actual: pa.Schema, expected: pa.Schema, where: str = "table") -> None:
    """Raise `SchemaError` unless `actual` has exactly the expected columns, in any order.

    All problems stand in one message. Metadata is not compared, but for the name and
    version where `actual` claims one.
    """
    got = {field.name: _spelled(field.type) for field in actual}
    want = {field.name: _spelled(field.type) for field in expected}
    problems = [
        f"{column}: expected {type_}, got {got.get(column, 'no such column')}"
        for column, type_ in want.items()
        if got.get(column) != type_
    ]
    problems += [f"{column}: not part of the schema" for column in got.keys() - want]
    if name(actual) and name(actual) != name(expected):
        problems.insert(0, f"is {name(actual)}")
    if problems:
        raise SchemaError(
            f"{where} does not match {name(expected)}: " + "; ".join(sorted(problems))
        )


def _spelled(type_: pa.DataType) -> str:
    """The type in words; Parquet calls what is in a list element, Arrow item."""
    return str(type_).replace("list<element: ", "list<item: ")
