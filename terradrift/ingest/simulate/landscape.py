"""A mosaic of land cover: parcels, forests, a river, villages and roads (pure)."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from terradrift.ingest.simulate.noise import Field, curve, fractal, ramp, scatter
from terradrift.ingest.simulate.recipe import Recipe, stream

COVERS = (
    "crop",
    "grass",
    "deciduous",
    "conifer",
    "water",
    "asphalt",
    "tile",
    "concrete",
    "garden",
    "bare",
)
CROP, GRASS, DECIDUOUS, CONIFER, WATER, ASPHALT, TILE, CONCRETE, GARDEN, BARE = range(
    len(COVERS)
)

_FOREST_SHARE = 0.26
_BUILT_SHARE = 0.08
_GRASS_SHARE = 0.36
_LAKE_SHARE = 0.012
_BARE_SHARE = 0.006
_VARIANTS = 24
_OTHER_KEYS = -1_000_000

Labels = NDArray[np.int64]


@dataclass(frozen=True, slots=True, eq=False)
class Landscape:
    """What the ground is, on every pixel and for ever (until something is planted)."""

    labels: NDArray[np.int32]
    """(y, x), index of the parcel."""
    cover: NDArray[np.uint8]
    """(parcel,), index into `COVERS`."""
    vigour: Field
    """(y, x), mean 0, deviation 1: soil quality within and across fields."""
    grain: Field
    """(y, x), mean 0, deviation 1: crowns, roofs, furrows."""
    height: Field
    """(y, x), above the nearest water, 0 at the bank, about 1 on the hills."""
    slope_y: Field
    slope_x: Field
    """(y, x), steepness downwards and rightwards, deviation about 1."""

    def pixels(self, *covers: int) -> NDArray[np.bool_]:
        """(y, x), where the cover is one of those given."""
        out: NDArray[np.bool_] = np.isin(self.cover, covers)[self.labels]
        return out


def landscape(recipe: Recipe) -> Landscape:
    """The ground of a recipe; nothing in it depends on dates."""
    rng = stream(recipe, 0)
    size, px = recipe.size_px, recipe.metres
    relief = fractal(rng, size, px(2500), 3.6)
    river = _river(rng, recipe)
    height = _height(relief, river, recipe)
    fields = _layout(rng, recipe, width=px(150), depth=px(300), block=px(1100))
    stands = _layout(rng, recipe, width=px(260), depth=px(420), block=px(2400))
    wood = fractal(rng, size, px(1400), 3.2) + 0.5 * height
    wood += 0.8 * fractal(rng, size, px(6000), 3.6)
    village = fractal(rng, size, px(1700), 3.6) - 0.25 * wood
    meadow = fractal(rng, size, px(1500), 3.0) - 0.9 * ramp(-height, -0.25, 0.0)
    lake = fractal(rng, size, px(900), 4.4) - 0.9 * height
    pit = fractal(rng, size, px(700), 4.2)

    by_field = _parcel_mean(fields.labels, np.float32(0.55) * wood) + 0.45 * wood
    built = village > np.quantile(village, 1 - _BUILT_SHARE)
    forest = (by_field > np.quantile(by_field, 1 - _FOREST_SHARE)) & ~built
    field_meadow = _parcel_mean(fields.labels, meadow)
    grass = field_meadow < np.quantile(field_meadow, _GRASS_SHARE)
    conifer = _parcel_mean(stands.labels, fractal(rng, size, px(900), 2.6)) > 0.1

    cover = np.where(grass, GRASS, CROP).astype(np.uint8)
    keys = fields.labels
    keys = np.where(forest, stands.labels * 2 + conifer + 500_000, keys)
    cover[forest] = np.where(conifer, CONIFER, DECIDUOUS)[forest]
    hedge = fields.edge & ~forest & ~built
    keys, cover = _paint(keys, cover, hedge, DECIDUOUS, fields.variant)
    keys, cover = _paint(
        keys, cover, pit > np.quantile(pit, 1 - _BARE_SHARE), BARE, fields.variant
    )
    keys, cover = _village(rng, recipe, built, keys, cover)
    keys, cover = _paint(keys, cover, _roads(rng, recipe), ASPHALT, 0 * fields.variant)
    wet = (lake > np.quantile(lake, 1 - _LAKE_SHARE)) | (river < px(11))
    keys, cover = _paint(keys, cover, wet, WATER, 0 * fields.variant)

    _, first, labels = np.unique(keys, return_index=True, return_inverse=True)
    down, right = np.gradient(ndimage.gaussian_filter(relief, px(40), mode="wrap"))
    steepness = max(float(np.hypot(down, right).std()), 1e-9)
    return Landscape(
        labels=labels.reshape(size, size).astype(np.int32),
        cover=cover.ravel()[first],
        vigour=fractal(rng, size, px(350), 2.4),
        grain=fractal(rng, size, px(30), 1.4),
        height=height,
        slope_y=(down / steepness).astype(np.float32),
        slope_x=(right / steepness).astype(np.float32),
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Layout:
    labels: Labels
    """(y, x), 0 upwards."""
    edge: NDArray[np.bool_]
    """(y, x), hedges along some of the field boundaries."""
    variant: Labels
    """(y, x), a small number per field, for things that differ a little by place."""


def _layout(
    rng: np.random.Generator,
    recipe: Recipe,
    *,
    width: float,
    depth: float,
    block: float,
) -> _Layout:
    """Blocks with wavy borders, each cut into strips and strips into fields, its own way."""
    size = recipe.size_px
    salt = int(rng.integers(1 << 40))
    y, x = np.mgrid[:size, :size].astype(np.float32)
    bend = np.float32(0.22 * block)
    row = np.floor((y + bend * fractal(rng, size, block, 3.4)) / block).astype(np.int64)
    col = np.floor((x + bend * fractal(rng, size, block, 3.4)) / block).astype(np.int64)
    # One number per block, then looked up: blocks are few, pixels many.
    blocks = np.ogrid[row.min() : row.max() + 1, col.min() : col.max() + 1]
    at = (row - row.min(), col - col.min())
    angle = (scatter(*blocks, salt) * np.pi).astype(np.float32)[at]
    scale = (0.6 + 0.9 * scatter(*blocks, salt + 1)).astype(np.float32)[at]
    warp = fractal(rng, size, block / 2, 3.6) * (0.05 * width)
    u = (x * np.cos(angle) + y * np.sin(angle) + warp) / (width * scale)
    v = (y * np.cos(angle) - x * np.sin(angle) + warp) / depth
    strip = np.floor(u).astype(np.int64)
    length = 0.45 + 1.1 * scatter(strip, row, col, salt + 2)
    v = v / length + scatter(strip, row, col, salt + 3)
    piece = np.floor(v).astype(np.int64)
    lot = scatter(row, col, strip, piece, salt + 4)
    _, labels = np.unique(lot, return_inverse=True)
    lined = scatter(row, col, strip, salt + 5) < 0.22
    margin = recipe.metres(9) / (width * scale)
    return _Layout(
        labels=labels.reshape(size, size).astype(np.int64),
        edge=lined & (u - strip < margin),
        variant=(lot * _VARIANTS).astype(np.int64),
    )


def _parcel_mean(labels: Labels, values: Field) -> Field:
    flat = labels.ravel()
    count = np.bincount(flat)
    total = np.bincount(flat, weights=values.ravel())
    out: Field = (total / np.maximum(count, 1))[labels].astype(np.float32)
    return out


def _paint(
    keys: Labels,
    cover: NDArray[np.uint8],
    where: NDArray[np.bool_],
    code: int,
    variant: Labels,
) -> tuple[Labels, NDArray[np.uint8]]:
    """Give pixels a cover that is no field: all of one variant are one parcel."""
    keys = np.where(where, _OTHER_KEYS + code * _VARIANTS + variant, keys)
    return keys, np.where(where, np.uint8(code), cover)


def _village(
    rng: np.random.Generator,
    recipe: Recipe,
    built: NDArray[np.bool_],
    keys: Labels,
    cover: NDArray[np.uint8],
) -> tuple[Labels, NDArray[np.uint8]]:
    """Gardens, lots with roofs, a few big bright roofs, and streets between them."""
    px = recipe.metres
    lots = _layout(rng, recipe, width=px(34), depth=px(42), block=px(500))
    halls = _layout(rng, recipe, width=px(80), depth=px(110), block=px(500))
    kind = scatter(lots.labels, int(rng.integers(1 << 40)))
    hall = scatter(halls.labels, int(rng.integers(1 << 40))) < 0.07
    street = _layout(rng, recipe, width=px(95), depth=px(170), block=px(500))
    moved = street.labels != np.roll(street.labels, 1, axis=1)
    moved |= street.labels != np.roll(street.labels, 1, axis=0)
    for where, code in (
        (built, GARDEN),
        (built & (kind < 0.55), TILE),
        (built & (kind > 0.93), DECIDUOUS),
        (built & hall, CONCRETE),
        (built & moved, ASPHALT),
    ):
        keys, cover = _paint(keys, cover, where, code, lots.variant)
    return keys, cover


def _river(rng: np.random.Generator, recipe: Recipe) -> Field:
    """(y, x), distance to the middle of a meandering river in pixels."""
    size, px = recipe.size_px, recipe.metres
    bends = curve(rng, size, px(700)) * px(190) + curve(rng, size, px(2500)) * px(250)
    middle = size * float(rng.uniform(0.25, 0.75)) + bends
    y = np.arange(size)
    line = np.ones((size, size), bool)
    line[y, np.clip(np.round(middle).astype(int), 0, size - 1)] = False
    # A bend may move several columns per row: join the rows.
    step = np.diff(middle, append=middle[-1])
    for share in np.linspace(0, 1, 2 + int(np.abs(step).max())):
        line[y, np.clip(np.round(middle + share * step).astype(int), 0, size - 1)] = (
            False
        )
    distance: Field = ndimage.distance_transform_edt(line).astype(np.float32)
    return distance


def _height(relief: Field, river: Field, recipe: Recipe) -> Field:
    hills = (relief - relief.min()) / max(float(np.ptp(relief)), 1e-9)
    valley = np.minimum(river / np.float32(recipe.metres(900)), 1)
    out: Field = valley * (0.45 + 0.55 * hills)
    return out


def _roads(rng: np.random.Generator, recipe: Recipe) -> NDArray[np.bool_]:
    """(y, x), a few roads across the scene, about one and a half pixels wide."""
    size, px = recipe.size_px, recipe.metres
    out = np.zeros((size, size), bool)
    across = np.arange(size)
    count = max(2, round(size / px(3500)) * 2)
    for number in range(count):
        bends = curve(rng, size, px(1200)) * px(120)
        course = size * float(rng.uniform(0.1, 0.9)) + bends
        for offset in (0.0, 0.5):
            at = np.round(course + offset).astype(int)
            on = (at >= 0) & (at < size)
            if number % 2:
                out[across[on], at[on]] = True
            else:
                out[at[on], across[on]] = True
    return out
