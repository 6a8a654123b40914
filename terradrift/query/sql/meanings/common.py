"""Columns that mean the same wherever they stand."""

from terradrift.query.sql.meanings.form import Column

PATCH_ID = Column(
    "id",
    "the patch: EPSG code of its grid, patch size, column and row, such as "
    "32631_40m_12534_140742",
    "the grid: the same ground always has the same id",
)
TILE = Column(
    "id",
    "the tile of the patch, 32 x 32 patches or fewer, by which tables are sorted",
    "the grid",
)
SCENE_ID = Column("id", "the scene that was seen", "STAC item id")
CLEAR_PERCENT = Column(
    "percent",
    "share of the patch's pixels that were clear",
    "embed: the scene's mask",
    "an imported table does not say it",
)
RUN_ID = Column(
    "id", "the run that wrote the row, a row of `runs`", "the verb that ran"
)

PLACE = {
    "longitude": Column(
        "degrees", "of a point inside the geometry; of a patch its middle", "the grid"
    ),
    "latitude": Column(
        "degrees", "of a point inside the geometry; of a patch its middle", "the grid"
    ),
    "bbox": Column(
        "degrees",
        "xmin, ymin, xmax and ymax of the geometry; a little beyond 180 where it crosses "
        "the antimeridian",
        "GeoParquet 1.1 covering",
    ),
    "geometry": Column(
        "degrees",
        "outline on the ground: GEOMETRY where DuckDB's spatial is there, else WKB",
        "the grid; GeoParquet 1.1",
    ),
}
"""Of a patch, or of what is made of patches."""

PLACE_OF_PATCH = {
    name: Column(
        each.unit, each.meaning, each.source, "the patch is not in the view `patches`"
    )
    for name, each in PLACE.items()
}
"""Joined to rows that name a patch."""


def _difference(name: str, bands: str) -> Column:
    return Column(
        "index difference",
        f"{name} after the change less {name} before, of medians; {name} is {bands}",
        "detect, from the indices of `embeddings`",
        "a band is missing, or no observation before or after has the index",
    )


NDVI = "(near infrared - red) / (near infrared + red)"
NBR = "(near infrared - short-wave infrared at 2.2 um) / (their sum)"
NDWI = "(green - near infrared) / (green + near infrared), McFeeters 1996"

DIFFERENCES = {
    "d_ndvi": _difference("NDVI", NDVI),
    "d_nbr": _difference("NBR", NBR),
    "d_ndwi": _difference("NDWI", NDWI),
}


def median_differences(of: str) -> dict[str, Column]:
    """The same, as medians over several changes."""
    return {
        name: Column(
            "index difference",
            f"median of `{name}` over {of}",
            "detect" if "event" in of else "cluster",
            "no change of them has the index",
        )
        for name in DIFFERENCES
    }
