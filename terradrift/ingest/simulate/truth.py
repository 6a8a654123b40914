"""What was planted, as GeoJSON in degrees and as a raster of change numbers."""

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from pyproj import Transformer
from rasterio.features import shapes
from shapely import MultiPolygon, get_parts, set_precision, union_all
from shapely import transform as move
from shapely.geometry import mapping, shape
from shapely.geometry.base import BaseGeometry

from terradrift.ingest.simulate.changes import AFFECTED, Change
from terradrift.ingest.simulate.landscape import COVERS, Landscape
from terradrift.ingest.simulate.recipe import Acquisition, Recipe
from terradrift.ingest.simulate.write import transform

SURE = 0.5
"""A pixel belongs to a change when at least this share of it changes."""


def features(
    recipe: Recipe,
    ground: Landscape,
    changes: Sequence[Change],
    scenes: Sequence[Acquisition],
) -> dict[str, Any]:
    """A GeoJSON FeatureCollection (EPSG:4326), one feature per change that a scene shows.

    `first_affected_acquisition` is the first scene in which the change has reached a
    tenth of its strength, `last_unaffected_acquisition` (null: none) the one before;
    clouds may hide either. `end` is null where the change stays.
    """
    out = []
    for change in changes:
        affected = [
            scene
            for scene in scenes
            if change.strength(scene.instant.date()) >= AFFECTED
        ]
        if not affected:
            continue
        before = [scene for scene in scenes if scene.instant < affected[0].instant]
        out.append(_feature(recipe, ground, change, affected[0], before[-1:]))
    return {"type": "FeatureCollection", "features": out}


def raster(
    recipe: Recipe, changes: Sequence[Change], numbers: set[int]
) -> NDArray[np.uint16]:
    """(1, y, x) number of the change of each pixel, 0 where nothing was planted."""
    out = np.zeros((1, recipe.size_px, recipe.size_px), np.uint16)
    for change in changes:
        if change.number in numbers:
            rows, cols = change.mask.shape
            window = out[
                0, change.top : change.top + rows, change.left : change.left + cols
            ]
            window[change.mask > SURE] = change.number
    return out


def _feature(
    recipe: Recipe,
    ground: Landscape,
    change: Change,
    first: Acquisition,
    before: Sequence[Acquisition],
) -> dict[str, Any]:
    rows, cols = change.mask.shape
    window = ground.labels[
        change.top : change.top + rows, change.left : change.left + cols
    ]
    sure = change.mask > SURE
    cover = np.bincount(ground.cover[window[sure]], minlength=len(COVERS)).argmax()
    return {
        "type": "Feature",
        "id": change.number,
        "properties": {
            "id": change.number,
            "kind": change.kind.name,
            "course": change.kind.course,
            "persistence": change.kind.persistence,
            "onset": change.onset.isoformat(),
            "end": change.end.isoformat() if change.end else None,
            "first_affected_acquisition": f"{first.instant:%Y-%m-%dT%H:%M:%SZ}",
            "last_unaffected_acquisition": (
                f"{before[0].instant:%Y-%m-%dT%H:%M:%SZ}" if before else None
            ),
            "land_cover": COVERS[int(cover)],
            "area_m2": round(float(sure.sum()) * recipe.gsd**2, 1),
        },
        "geometry": mapping(_outline(recipe, change, sure)),
    }


def _outline(recipe: Recipe, change: Change, sure: NDArray[np.bool_]) -> BaseGeometry:
    corner = transform(recipe) @ transform(recipe).translation(change.left, change.top)
    found = shapes(sure.astype(np.uint8), mask=sure, transform=corner)
    metric = union_all([shape(polygon) for polygon, _ in found])
    to_degrees = Transformer.from_crs(recipe.epsg, 4326, always_xy=True)
    degrees = set_precision(
        move(metric, lambda xy: np.column_stack(to_degrees.transform(*xy.T))), 1e-8
    )
    parts = [part for part in get_parts(degrees) if part.geom_type == "Polygon"]
    return parts[0] if len(parts) == 1 else MultiPolygon(parts)
