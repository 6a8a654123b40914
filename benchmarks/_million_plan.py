"""What happens where and when in the simulated archive of `_million.py` (pure).

Events come in clusters (Neyman and Scott, 1958) with radii of a heavy tail, on a plane in
metres east of the meridian that two UTM zones meet at and north of the equator.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from scipy.spatial import cKDTree

from terradrift.grid import Grid

SEED = 17
GRID = Grid(160, gsd=10.0)
ZONES = (32631, 32632)
MERIDIAN, SOUTH = 6.0, 49.6
"""Degrees: where the zones meet, and where the ground begins, about."""
ORBITS = 12
"""A tile is seen by one of so many orbits, which take turns."""
HARMONICS = 5
CHANGES_PER_PATCH = 1.2
GROUNDS = ("forest", "cropland", "grass and shrub", "built and bare")
PATHS = 3
"""Regimes of each ground."""
KINDS = (
    ("vegetation lost, burnt-like", -0.38, -0.49, 0.24),
    ("clear cut", -0.33, -0.30, 0.20),
    ("strong greening", 0.31, 0.40, -0.18),
    ("flooded", -0.42, 0.10, 0.55),
    ("built over", -0.28, -0.35, 0.12),
    ("opencast mining", -0.24, -0.45, 0.16),
    ("harvest moved", -0.20, -0.16, 0.13),
    ("drying out", -0.14, -0.22, -0.20),
    ("snow break", -0.22, -0.12, 0.05),
    ("reservoir drawn down", 0.10, -0.05, -0.48),
    ("new orchard", 0.16, 0.12, -0.07),
    ("roof or greenhouse", -0.10, -0.08, 0.22),
)
"""Label, and what NDVI, NBR and NDWI do."""
WEIGHTS = np.array([18, 16, 12, 4, 11, 2, 20, 6, 5, 1, 4, 1], float)
STAYING = ("persistent", "transient", "gradual", "seasonal")
STAYS = np.array([0.62, 0.2, 0.12, 0.06])


@dataclass(frozen=True)
class Tile:
    """The patches of one tile that its zone owns, n of them."""

    epsg: int
    row: np.ndarray
    col: np.ndarray
    plane: np.ndarray
    """(n, 2), metres of their centres on the plane."""
    name: str
    orbit: int


@dataclass(frozen=True)
class Happened:
    """Changes of one tile, patch by patch and in order of time; m of them."""

    patch: np.ndarray
    event: np.ndarray
    date: np.ndarray
    """The tile's date from which on the ground is another."""
    depth: np.ndarray
    """0 at an event's rim, 1 in its middle."""


@dataclass(frozen=True)
class Plan:
    """Events and ground of an archive with some `changes` changes; the same every time."""

    changes: int
    dates: int
    """Of each tile; scenes are `ORBITS` times as many."""

    @cached_property
    def tiles(self) -> list[Tile]:
        count = max(2, round(self.changes / CHANGES_PER_PATCH / 1024))
        across = max(1, round(np.sqrt(count) / 2))
        up = max(1, round(count / across / 2))
        side = GRID.tile_size
        first = int(GRID_ORIGIN[ZONES[0]][1] // side)
        found = []
        for at, epsg in enumerate(ZONES):
            middle = int(GRID_ORIGIN[epsg][0] // side)
            columns = (
                range(middle - across, middle + 1)
                if at == 0
                else range(middle, middle + across + 1)
            )
            for row in range(first, first + up):
                for column in columns:
                    found += self._tile(epsg, row, column)
        return found

    def _tile(self, epsg: int, row: int, column: int) -> list[Tile]:
        side, east = GRID.tile_size, GRID_ORIGIN[epsg][0]
        box = column * side, row * side, (column + 1) * side, (row + 1) * side
        rows, cols = GRID.cells(epsg, *map(float, box))
        if not len(rows):
            return []
        plane = np.column_stack([cols, rows]) * GRID.patch_size + GRID.patch_size / 2
        name = str(GRID.tile_of(epsg, rows[:1], cols[:1])[0])
        orbit = (column + 3 * row) % ORBITS
        return [Tile(epsg, rows, cols, plane - [east, 0.0], name, orbit)]

    @cached_property
    def bounds(self) -> np.ndarray:
        """(2, 2), lowest and highest corner of the ground on the plane."""
        low = np.min([tile.plane.min(axis=0) for tile in self.tiles], axis=0)
        high = np.max([tile.plane.max(axis=0) for tile in self.tiles], axis=0)
        return np.stack([low, high])

    @cached_property
    def days(self) -> np.ndarray:
        """(ORBITS * dates,) instants of the scenes over six years, in order."""
        rng = np.random.default_rng(SEED)
        count = ORBITS * self.dates
        step = 6 * 365.25 / count
        day = np.arange(count) * step + rng.uniform(0.1, 0.4, count) * step
        minute = 645 + rng.integers(0, 25, count)
        start = np.datetime64("2018-01-05T00:00:00", "s")
        return (start + np.floor(day).astype("m8[D]") + minute.astype("m8[m]")).astype(
            "M8[us]"
        )

    def seen(self, tile: Tile) -> np.ndarray:
        """(dates,) numbers of the scenes that see the tile."""
        return np.arange(self.dates) * ORBITS + tile.orbit

    @cached_property
    def events(self) -> dict[str, np.ndarray]:
        """Centre, radii, turn, wobble, day, kind, strength, staying of each event.

        Radii are such that some of the tiles promise a few percent more than `changes`.
        """
        events = self._drawn
        mixed = np.random.default_rng(SEED).permutation(len(self.tiles))
        some = [self.tiles[at] for at in mixed[:150]]
        share = sum(len(tile.row) for tile in some) / sum(
            len(tile.row) for tile in self.tiles
        )
        for _ in range(3):
            found = sum(len(self._changes_of(tile, events).patch) for tile in some)
            wider = np.sqrt(1.06 * self.changes * share / max(found, 1))
            events = events | {"radius": events["radius"] * wider}
        return events

    @cached_property
    def _drawn(self) -> dict[str, np.ndarray]:
        rng = np.random.default_rng(SEED + 1)
        low, high = self.bounds
        count = max(40, round(self.changes / 26))
        hubs = rng.uniform(low, high, (max(3, count // 300), 2))
        spread = rng.lognormal(np.log(7000), 0.6, len(hubs))
        hub = rng.choice(len(hubs), count, p=_shares(rng, len(hubs)))
        centre = hubs[hub] + rng.normal(size=(count, 2)) * spread[hub, None]
        lonely = (rng.random(count) < 0.15) | ((centre < low) | (centre > high)).any(1)
        centre[lonely] = rng.uniform(low, high, (int(lonely.sum()), 2))
        radius = GRID.patch_size * np.minimum(0.75 * (1 + rng.pareto(1.45, count)), 28)
        kind = rng.choice(len(KINDS), count, p=WEIGHTS / WEIGHTS.sum())
        season = rng.normal(200 + 25 * np.cos(kind), 45, count)
        year = rng.choice(6, count, p=np.array([5, 8, 11, 9, 14, 12]) / 59)
        return {
            "centre": centre,
            "radius": radius,
            "flat": rng.uniform(0.5, 1.0, count),
            "turn": rng.uniform(0, np.pi, count),
            "wave": rng.normal(0, 0.22, (count, HARMONICS, 2))
            / np.arange(1, 6)[:, None],
            "day": np.datetime64("2018-01-01")
            + (year * 365.25 + np.clip(season, 5, 360)).astype("m8[D]"),
            "kind": kind,
            "strength": rng.gamma(1.6, 6.0, count) + 2,
            "stays": rng.choice(len(STAYING), count, p=STAYS),
        }

    @cached_property
    def _ground(self) -> tuple[cKDTree, np.ndarray]:
        rng = np.random.default_rng(SEED + 2)
        sites = rng.uniform(*self.bounds, (max(30, self.changes // 2000), 2))
        return cKDTree(sites), rng.integers(0, len(GROUNDS) * PATHS, len(sites))

    def regimes(self, tile: Tile) -> tuple[np.ndarray, np.ndarray]:
        """(n,) path of each patch, and (n,) how clearly it is of that one, 0..1."""
        tree, path = self._ground
        far, which = tree.query(tile.plane, k=2)
        return path[which[:, 0]], 1 - far[:, 0] / np.maximum(far[:, 1], 1e-9)

    def changes_of(self, tile: Tile) -> Happened:
        """What happens to the patches of a tile; of two changes on one date the deeper."""
        return self._changes_of(tile, self.events)

    def _changes_of(self, tile: Tile, events: dict[str, np.ndarray]) -> Happened:
        low, high = tile.plane.min(axis=0), tile.plane.max(axis=0)
        reach = 2.2 * events["radius"][:, None]
        centre = events["centre"]
        near = np.flatnonzero(
            ((centre > low - reach) & (centre < high + reach)).all(axis=1)
        )
        away = tile.plane - centre[near, None]
        angle = np.arctan2(away[..., 1], away[..., 0]) - events["turn"][near, None]
        far = np.hypot(away[..., 0], away[..., 1]) / events["radius"][near, None]
        flat = events["flat"][near, None]
        rim = flat / np.hypot(flat * np.cos(angle), np.sin(angle))
        wave = events["wave"][near]
        for order in range(HARMONICS):
            turn = (order + 1) * angle
            rim = rim * (
                1
                + wave[:, order, :1] * np.cos(turn)
                + wave[:, order, 1:] * np.sin(turn)
            ).clip(0.3, 1.9)
        inside = far / rim
        of, patch = np.nonzero(inside < 1)
        dates = self.days[self.seen(tile)]
        date = np.searchsorted(dates, events["day"][near[of]])
        depth = 1 - inside[of, patch]
        kept = np.flatnonzero((date >= 2) & (date < len(dates)))
        kept = kept[np.lexsort((-depth[kept], date[kept], patch[kept]))]
        pair = patch[kept] * len(dates) + date[kept]
        kept = kept[np.diff(pair, prepend=-1) != 0]
        return Happened(patch[kept], near[of[kept]], date[kept], depth[kept])


def _shares(rng: np.random.Generator, count: int) -> np.ndarray:
    weight = rng.pareto(1.2, count) + 0.2
    return np.asarray(weight / weight.sum())


def _origin() -> dict[int, tuple[float, float]]:
    """Metres of the plane's origin meridian in each zone, and of the ground's first row."""
    from pyproj import Transformer

    return {
        epsg: Transformer.from_crs(4326, epsg, always_xy=True).transform(
            MERIDIAN, SOUTH
        )
        for epsg in ZONES
    }


GRID_ORIGIN = _origin()
