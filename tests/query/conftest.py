"""A small archive whose content is known."""

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import shapely

from terradrift import schema
from terradrift.grid import Grid
from terradrift.query.sql import sandbox
from terradrift.query.sql.ask import connect
from terradrift.store.tables import Settings, Store

DIMENSIONS = 8
MODEL = "toy-v1.0"
SUFFIX = "toy_v1_0"
SIDE = 12
DAYS = np.array(["2018-01-10", "2018-04-10", "2018-07-10", "2018-10-10"], "M8[us]")
WEST, SOUTH, STEP = 3.0, 50.0, 0.01


def vectors(values: np.ndarray) -> pa.Array:
    flat = pa.array(np.asarray(values, np.float16).ravel())
    return pa.FixedSizeListArray.from_arrays(flat, values.shape[1])


def instants(values: np.ndarray) -> pa.Array:
    return pa.array(values.astype("M8[us]")).cast(schema.INSTANT)


def place(row: np.ndarray, col: np.ndarray) -> dict[str, pa.Array]:
    west, south = WEST + col * STEP, SOUTH + row * STEP
    east, north = west + STEP, south + STEP
    sides = dict(
        zip(("xmin", "ymin", "xmax", "ymax"), (west, south, east, north), strict=True)
    )
    return {
        "longitude": pa.array(west + STEP / 2),
        "latitude": pa.array(south + STEP / 2),
        "bbox": pa.StructArray.from_arrays(
            [pa.array(side) for side in sides.values()], fields=list(schema.BBOX)
        ),
        "geometry": pa.array(shapely.to_wkb(shapely.box(west, south, east, north))),
    }


def table(columns: dict[str, pa.Array], wanted: pa.Schema) -> pa.Table:
    """`columns` in the wanted schema; those not given are null."""
    rows = len(next(iter(columns.values())))
    return pa.table(
        [
            pa.array(columns[field.name]).cast(field.type)
            if field.name in columns
            else pa.nulls(rows, field.type)
            for field in wanted
        ],
        schema=wanted,
    )


def changes_table(
    count: int, seed: int = 0, values: np.ndarray | None = None
) -> pa.Table:
    rng = np.random.default_rng(seed)
    before, after = (
        rng.normal(size=(count, DIMENSIONS)).astype(np.float16) for _ in "ab"
    )
    delta = (after - before).astype(np.float16) if values is None else values
    index = np.arange(count)
    row, col = index // SIDE % SIDE, index % SIDE
    onset = DAYS[1] + (index % 200).astype("m8[D]")
    return table(
        {
            "change_id": pa.array([f"c{i:05d}" for i in index]),
            "patch_id": pa.array([f"p{i % (SIDE * SIDE):04d}" for i in index]),
            "tile": pa.array(np.where(row < SIDE // 2, "t0", "t1").astype(str)),
            "onset": instants(onset),
            "date_before": instants(onset - np.timedelta64(5, "D")),
            "date_after": instants(onset),
            "score": pa.array(rng.uniform(0, 10, count).astype(np.float32)),
            "drift": pa.array(rng.uniform(0, 2, count).astype(np.float32)),
            "persistence": pa.array(
                np.array(["persistent", "transient"])[index % 2].astype(str)
            ),
            "kind": pa.array((index % 5 - 1).astype(np.int32)),
            "before": vectors(before),
            "after": vectors(after),
            "delta": vectors(delta),
            **place(row, col),
        },
        schema.changes(delta.shape[1]),
    )


def patches_table() -> pa.Table:
    index = np.arange(SIDE * SIDE)
    row, col = index // SIDE, index % SIDE
    return table(
        {
            "patch_id": pa.array([f"p{i:04d}" for i in index]),
            "tile": pa.array(np.where(row < SIDE // 2, "t0", "t1").astype(str)),
            "crs": pa.array(["EPSG:32631"] * len(index)),
            "row": pa.array(row),
            "col": pa.array(col),
            **place(row, col),
        },
        schema.patches(),
    )


def scenes_table() -> pa.Table:
    return table(
        {
            "scene_id": pa.array([f"s{i}" for i in range(len(DAYS))]),
            "datetime": instants(DAYS),
            "collection": pa.array(["sentinel-2-l2a"] * len(DAYS)),
            "cloud_percent": pa.array([1.0, 20.0, 30.0, 40.0]),
        },
        schema.scenes(),
    )


def embeddings_table(seed: int = 1) -> pa.Table:
    rng = np.random.default_rng(seed)
    places = SIDE * SIDE
    patch, day = (
        axis.ravel()
        for axis in np.meshgrid(np.arange(places), np.arange(len(DAYS)), indexing="ij")
    )
    values = rng.normal(size=(len(patch), DIMENSIONS)).astype(np.float16)
    return table(
        {
            "patch_id": pa.array([f"p{i:04d}" for i in patch]),
            "datetime": instants(DAYS[day]),
            "tile": pa.array(
                np.where(patch // SIDE < SIDE // 2, "t0", "t1").astype(str)
            ),
            "scene_id": pa.array([f"s{i}" for i in day]),
            "clear_percent": pa.array(
                rng.uniform(50, 100, len(patch)).astype(np.float32)
            ),
            "embedding": vectors(values),
        },
        schema.embeddings(DIMENSIONS, model=MODEL, revision="1"),
    )


@pytest.fixture
def make(tmp_path: Path) -> Callable[..., Store]:
    """A new archive with the given tables (name to Arrow table)."""

    def build(**tables: pa.Table) -> Store:
        store = Store.create(tmp_path / "toy.td", Settings(Grid(160), model=MODEL))
        for name, rows in tables.items():
            store.append(name, rows)
        return store

    return build


@pytest.fixture(scope="session")
def changes() -> pa.Table:
    return changes_table(600)


@pytest.fixture(scope="session")
def embeddings() -> pa.Table:
    return embeddings_table()


@pytest.fixture(scope="session")
def store(
    tmp_path_factory: pytest.TempPathFactory, changes: pa.Table, embeddings: pa.Table
) -> Store:
    """An archive of one model with changes and observations; tests only read it."""
    made = Store.create(
        tmp_path_factory.mktemp("query") / "toy.td", Settings(Grid(160), model=MODEL)
    )
    made.append("scenes", scenes_table())
    made.append("patches", patches_table())
    made.append(f"embeddings_{SUFFIX}", embeddings)
    made.append(f"changes_{SUFFIX}", changes)
    return made


@pytest.fixture(scope="module", params=["spatial", "no spatial"])
def ask(
    request: pytest.FixtureRequest, store: Store
) -> Iterator[Callable[..., pa.Table]]:
    """Rows of a statement on a sealed connection of its own."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "no spatial":
            patch.setattr(sandbox, "spatial_file", lambda: None)
        connection = connect(store, threads=2)

    def rows(text: str, *values: object) -> pa.Table:
        sandbox.check(connection, text)
        return connection.execute(text, list(values)).to_arrow_table()

    yield rows
    connection.close()
