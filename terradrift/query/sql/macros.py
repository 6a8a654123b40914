"""Functions of SQL that are SQL themselves."""

MACROS = (
    """
    CREATE MACRO cosine_distance(a, b) AS
        list_cosine_distance(a::FLOAT[], b::FLOAT[])
    """,
    """
    CREATE MACRO in_bbox(box, west, south, east, north) AS
        struct_extract(box, 'ymin') <= north AND struct_extract(box, 'ymax') >= south
        AND CASE WHEN west <= east
            THEN struct_extract(box, 'xmin') <= east AND struct_extract(box, 'xmax') >= west
            ELSE struct_extract(box, 'xmin') <= east OR struct_extract(box, 'xmax') >= west
        END
    """,
    "CREATE MACRO month_of(instant) AS CAST(date_trunc('month', instant) AS DATE)",
    "CREATE MACRO year_month(instant) AS strftime(instant, '%Y-%m')",
)
"""
* `cosine_distance(a, b)`: 0 (same direction) to 2 (opposite) of two vectors.
* `in_bbox(bbox, west, south, east, north)`: whether a row's box touches one in degrees;
  west > east crosses the antimeridian.
* `month_of(instant)`: the first day of its month (UTC), a DATE.
* `year_month(instant)`: its month (UTC) as text such as 2018-05.
"""

SPATIAL_MACROS = (
    """
    CREATE MACRO within(place, geojson) AS
        ST_Intersects(place, ST_GeomFromGeoJSON(geojson))
    """,
)
"""* `within(geometry, geojson)`: whether a row's geometry touches a GeoJSON geometry (text)."""
