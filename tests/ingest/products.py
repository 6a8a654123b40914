"""Items as the well-known catalogues write them, cut down to what matters here."""

from typing import Any

import pystac

Json = dict[str, Any]

POLYGON = {
    "type": "Polygon",
    "coordinates": [[[3.0, 50.4], [4.6, 50.4], [4.6, 51.4], [3.0, 51.4], [3.0, 50.4]]],
}
UTM31 = {
    "proj:transform": [10, 0, 499980, 0, -10, 5700000],
    "proj:shape": [10980, 10980],
}
UTM31_NONE: Json = {"proj__transform": None, "proj__shape": None}
COG = "image/tiff; application=geotiff; profile=cloud-optimized"


def item(
    assets: Json,
    scene_id: str = "scene",
    collection: str | None = None,
    **properties: Any,
) -> pystac.Item:
    """An item over Flanders of 2023 with these assets and properties (`_` for `:`)."""
    said = {"datetime": "2023-06-01T10:50:00Z", "proj:epsg": 32631, **UTM31}
    said |= {key.replace("__", ":"): value for key, value in properties.items()}
    return pystac.Item.from_dict(
        {
            "type": "Feature",
            "stac_version": "1.0.0",
            "id": scene_id,
            "geometry": POLYGON,
            "bbox": [3.0, 50.4, 4.6, 51.4],
            "properties": {k: v for k, v in said.items() if v is not None},
            "links": [],
            "assets": assets,
            "collection": collection,
        }
    )


def asset(
    href: str, *bands: Json, raster: list[Json] | None = None, **more: Any
) -> Json:
    """A remote COG with `eo:bands` and `raster:bands`."""
    made: Json = {"href": f"https://example.com/{href}", "type": COG, "roles": ["data"]}
    if bands:
        made["eo:bands"] = list(bands)
    if raster:
        made["raster:bands"] = raster
    return made | {key.replace("__", ":"): value for key, value in more.items()}


def earth_search(
    *, applied: bool | None, baseline: str | None, offset: float | None, **more: Any
) -> pystac.Item:
    """Earth Search v1, collection sentinel-2-l2a: assets keyed by common name."""
    raster: Json = {"nodata": 0, "data_type": "uint16", "scale": 0.0001}
    if offset is not None:
        raster["offset"] = offset
    assets = {
        "red": asset("B04.tif", {"name": "red", "common_name": "red"}, raster=[raster]),
        "red-jp2": {
            **asset("B04.jp2", {"name": "red", "common_name": "red"}, raster=[raster]),
            "type": "image/jp2",
        },
        "nir08": asset(
            "B8A.tif", {"name": "nir08", "common_name": "nir08"}, raster=[raster]
        ),
        "rededge1": asset(
            "B05.tif",
            {"name": "rededge1", "common_name": "rededge", "center_wavelength": 0.704},
            raster=[raster],
        ),
        "visual": asset(
            "TCI.tif",
            {"name": "red", "common_name": "red"},
            {"name": "green", "common_name": "green"},
            {"name": "blue", "common_name": "blue"},
            roles=["visual"],
        ),
        "aot": asset("AOT.tif", raster=[{"nodata": 0, "scale": 0.001, "offset": 0}]),
        "scl": asset("SCL.tif", raster=[{"nodata": 0, "data_type": "uint8"}]),
        "thumbnail": {
            "href": "https://example.com/preview.jpg",
            "type": "image/jpeg",
            "roles": ["thumbnail"],
        },
        "granule_metadata": {
            "href": "https://example.com/metadata.xml",
            "type": "application/xml",
            "roles": ["metadata"],
        },
    }
    return item(
        assets,
        "S2B_31UDS_20230601_0_L2A",
        more.pop("collection", "sentinel-2-l2a"),
        platform="sentinel-2b",
        constellation="sentinel-2",
        earthsearch__boa_offset_applied=applied,
        s2__processing_baseline=baseline,
        **more,
    )


def planetary_computer(baseline: str | None, **more: Any) -> pystac.Item:
    """Planetary Computer, sentinel-2-l2a: no `raster:bands` at all."""

    def band(name: str, common: str, size: int) -> Json:
        transform = [size, 0, 499980, 0, -size, 5700000]
        return asset(
            f"{name}.tif",
            {"name": name, "common_name": common},
            gsd=size,
            proj__transform=transform,
            proj__shape=[109800 // size, 109800 // size],
        )

    assets = {
        "AOT": band("AOT", "", 10) | {"eo:bands": None},
        "B02": band("B02", "blue", 10),
        "B05": band("B05", "rededge", 20),
        "B06": band("B06", "rededge", 20),
        "B07": band("B07", "rededge", 20),
        "B8A": band("B8A", "rededge", 20),
        "SCL": asset("SCL.tif", gsd=20),
        "visual": asset(
            "TCI.tif",
            {"name": "B04", "common_name": "red"},
            {"name": "B03", "common_name": "green"},
            {"name": "B02", "common_name": "blue"},
        ),
        "preview": asset("preview.tif", roles=["thumbnail"]),
    }
    return item(
        assets,
        "S2A_MSIL2A_20230601T105031_R051_T31UDS_20230601T163009",
        "sentinel-2-l2a",
        platform="Sentinel-2A",
        constellation="Sentinel 2",
        s2__processing_baseline=baseline,
        s2__product_type="S2MSI2A",
        **UTM31_NONE,
        **more,
    )


def copernicus(version: str = "05.11") -> pystac.Item:
    """Copernicus Data Space: STAC 1.1 `bands`, each band at several sizes."""

    def band(name: str, common: str, size: int) -> Json:
        return {
            "href": f"s3://eodata/{name}_{size}m.jp2",
            "type": "image/jp2",
            "roles": ["data", "reflectance"],
            "gsd": size,
            "bands": [{"name": name, "eo:common_name": common}],
            "data_type": "uint16",
            "nodata": 0,
            "raster:scale": 0.0001,
            "raster:offset": -0.1,
            "proj:code": "EPSG:32631",
            "proj:shape": [109800 // size, 109800 // size],
            "proj:transform": [size, 0, 499980, 0, -size, 5700000],
        }

    assets = {
        f"{name}_{size}m": band(name, common, size)
        for name, common, sizes in (
            ("B02", "blue", (60, 20, 10)),
            ("B05", "rededge071", (20, 60)),
            ("B8A", "nir08", (60, 20)),
        )
        for size in sizes
    }
    assets |= {
        f"SCL_{size}m": {
            "href": f"s3://eodata/SCL_{size}m.jp2",
            "type": "image/jp2",
            "roles": ["data"],
            "gsd": size,
            "nodata": 0,
        }
        for size in (60, 20)
    }
    assets["TCI_10m"] = {
        "href": "s3://eodata/TCI_10m.jp2",
        "type": "image/jp2",
        "roles": ["visual"],
        "bands": [{"name": "B04"}, {"name": "B03"}, {"name": "B02"}],
    }
    return item(
        assets,
        "S2B_MSIL2A_20230601T105629_N0511_R094_T31UDS_20241017T001234",
        "sentinel-2-l2a",
        platform="sentinel-2b",
        constellation="sentinel-2",
        processing__version=version,
        processing__level="L2",
        **UTM31_NONE,
    )


def landsat(*, stated: bool = True, **more: Any) -> pystac.Item:
    """Planetary Computer, landsat-c2-l2."""
    scale = [{"scale": 2.75e-05, "offset": -0.2, "nodata": 0, "data_type": "uint16"}]
    heat = [{"scale": 0.00341802, "offset": 149.0, "nodata": 0}]

    def band(number: int, common: str) -> Json:
        name = f"OLI_B{number}"
        return asset(
            f"LC08_SR_B{number}.TIF",
            {"name": name, "common_name": common},
            raster=scale if stated else None,
        )

    assets = {
        "red": band(4, "red"),
        "nir08": band(5, "nir08"),
        "swir16": band(6, "swir16"),
        "lwir11": asset(
            "LC08_ST_B10.TIF",
            {"name": "TIRS_B10", "common_name": "lwir11"},
            raster=heat if stated else None,
        ),
        "qa": asset("LC08_ST_QA.TIF", raster=[{"nodata": -9999, "scale": 0.01}]),
        "qa_pixel": asset("LC08_QA_PIXEL.TIF", roles=["cloud", "cloud-shadow"]),
        "qa_radsat": asset("LC08_QA_RADSAT.TIF", roles=["saturation"]),
        "atran": asset("LC08_ST_ATRAN.TIF", raster=[{"scale": 0.0001}]),
    }
    return item(
        assets,
        "LC08_L2SP_199025_20230601_02_T1",
        "landsat-c2-l2",
        platform="landsat-8",
        instruments=["oli", "tirs"],
        landsat__correction="L2SP",
        landsat__collection_number="02",
        **more,
    )
