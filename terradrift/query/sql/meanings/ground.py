"""What was seen, where and when: scenes, patches, embeddings, observations, units."""

from terradrift.query.sql.meanings import common
from terradrift.query.sql.meanings.form import Column, View

_UNSTATED = "the item does not state it"

_SCENES = {
    "scene_id": Column("id", "the scene", "STAC item id"),
    "datetime": Column(
        "UTC",
        "when it was acquired",
        "STAC datetime; the middle of start_datetime and end_datetime without one",
    ),
    "collection": Column(
        "text", "the collection it is of", "STAC collection", _UNSTATED
    ),
    "constellation": Column(
        "text",
        "sentinel-2, landsat, or what the item says",
        "ingest, from STAC constellation and platform",
        _UNSTATED,
    ),
    "platform": Column("text", "the satellite", "STAC platform", _UNSTATED),
    "processing_level": Column(
        "text",
        "such as L1C or L2A",
        "STAC processing:level and names; else --level of ingest",
        "neither says it",
    ),
    "processing_baseline": Column(
        "text",
        "baseline of Sentinel-2's processor, such as 04.00",
        "STAC s2:processing_baseline, or the product's name",
        "not Sentinel-2, or not stated",
    ),
    "boa_offset": Column(
        "digital numbers",
        "added before scaling to reflectance, 0 or -1000",
        "ingest: see docs/harmonisation.md",
        "not Sentinel-2",
    ),
    "boa_offset_source": Column(
        "text",
        "what `boa_offset` rests on: what the item states, its baseline, or the user",
        "ingest: see docs/harmonisation.md",
        "not Sentinel-2",
    ),
    "cloud_percent": Column(
        "percent", "cloud cover of the whole scene", "STAC eo:cloud_cover", _UNSTATED
    ),
    "gsd": Column(
        "metres",
        "side of a pixel of the finest band",
        "ingest, from the raster; STAC gsd",
    ),
    "crs": Column("text", "CRS of the raster, such as EPSG:32631", "STAC proj:code"),
    "bbox": Column(
        "degrees",
        "xmin, ymin, xmax and ymax of the footprint; xmin above xmax across the antimeridian",
        "ingest, from the raster",
    ),
    "geometry": Column(
        "degrees",
        "outline of the raster: GEOMETRY where DuckDB's spatial is there, else WKB",
        "ingest, from the raster",
    ),
    "bands": Column(
        "list", "names of the spectral bands that are read", "STAC common names"
    ),
    "assets": Column(
        "list",
        "of each band and mask: band, href, index (from 1), nodata, wavelength (micrometres), "
        "scale and offset; reflectance is digital number * scale + offset",
        "STAC assets and raster:bands, harmonised by ingest",
    ),
    "stac_item": Column(
        "JSON",
        "the whole item, hrefs absolute",
        "STAC item",
        "an import brought no item",
    ),
    "run_id": common.RUN_ID,
}

SCENES = View("one acquisition of one sensor", ("scene_id",), _SCENES)

PATCHES = View(
    "one place: a square of the grid",
    ("patch_id",),
    {
        "patch_id": common.PATCH_ID,
        "tile": common.TILE,
        "crs": Column("text", "CRS of its grid, such as EPSG:32631", "the grid"),
        "row": Column(
            "number", "place in its grid, northward from the CRS origin", "the grid"
        ),
        "col": Column(
            "number", "place in its grid, eastward from the CRS origin", "the grid"
        ),
        **common.PLACE,
    },
)


def _index(name: str, how: str) -> Column:
    return Column(
        "index",
        f"{name} of the mean clear reflectance: {how}",
        "embed",
        "the scene lacks a band of it, or the table was imported without it",
    )


_EMBEDDINGS = {
    "patch_id": common.PATCH_ID,
    "datetime": Column(
        "UTC",
        "when the patch was seen; at most one observation per patch and UTC day, the "
        "clearest",
        "the scene's datetime",
    ),
    "tile": common.TILE,
    "scene_id": common.SCENE_ID,
    "clear_percent": common.CLEAR_PERCENT,
    "ndvi": _index("NDVI", common.NDVI),
    "nbr": _index("NBR", common.NBR),
    "ndwi": _index("NDWI", common.NDWI),
    "embedding": Column(
        "embedding",
        "the model's vector of the patch on that date, stored as float16",
        "embed: the model that the table is of",
    ),
    "run_id": common.RUN_ID,
}

EMBEDDINGS = View(
    "one patch in one scene, under one model", ("patch_id", "datetime"), _EMBEDDINGS
)

_OF_SCENE = (
    "collection",
    "constellation",
    "platform",
    "processing_level",
    "processing_baseline",
    "boa_offset",
    "cloud_percent",
)


def _joined(column: Column) -> Column:
    missing = "the scene is not in the view `scenes`"
    null = missing if column.null == "never" else f"{column.null}, or {missing}"
    return Column(column.unit, f"of the scene: {column.meaning}", column.source, null)


OBSERVATIONS = View(
    "one patch in one scene, under the archive's current model, with its scene and place",
    ("patch_id", "datetime"),
    {
        **_EMBEDDINGS,
        **{name: _joined(_SCENES[name]) for name in _OF_SCENE},
    },
)

UNITS_OF_WORK = View(
    "one unit of work that is done: a scene's patches in one tile, embedded",
    ("scene_id", "tile"),
    {
        "scene_id": common.SCENE_ID,
        "tile": Column("id", "the tile that was embedded", "the grid"),
        "rows": Column(
            "count", "embeddings that it gave, 0 where nothing was clear", "embed"
        ),
        "run_id": Column(
            common.RUN_ID.unit,
            common.RUN_ID.meaning,
            common.RUN_ID.source,
            "nothing was clear, so no row told it",
        ),
    },
)
