"""Rows of the simulated archive of what was seen: each patch on each date of its orbit."""

import numpy as np
import pyarrow as pa
from _million_drawn import DIMENSIONS, RUN, Drawn, same
from _million_plan import STAYING

from terradrift.archive import places


def observed(drawn: Drawn) -> dict[str, pa.Table]:
    """Embeddings, scores and units of a tile."""
    plan, tile, rng = drawn.plan, drawn.tile, drawn.rng
    ground, base, green = drawn.ground, drawn.base, drawn.green
    happened, seen = drawn.happened, plan.seen(tile)
    count, dates = len(base), len(seen)
    vectors = np.repeat(base[:, None], dates, axis=1)
    ndvi = np.repeat(green[:, None], dates, axis=1)
    z = rng.normal(0, 1, (count, dates))
    brief = plan.events["stays"][happened.event] == STAYING.index("transient")
    for date in range(dates):
        here = (happened.date == date) | ((happened.date < date) & ~brief)
        np.add.at(vectors[:, date], happened.patch[here], drawn.step[here])
        np.add.at(ndvi[:, date], happened.patch[here], drawn.spectral[here, 0])
        now = happened.date == date
        np.maximum.at(z[:, date], happened.patch[now], drawn.score[now] / 3)
    vectors += rng.normal(0, 0.05, vectors.shape)
    season = np.cos((_day_of_year(plan.days[seen]) - 200) / 365.25 * 2 * np.pi)
    ndvi = (ndvi + 0.08 * season + rng.normal(0, 0.02, ndvi.shape)).clip(-0.4, 0.95)
    clear = np.where(rng.random(z.shape) < 0.8, 100, rng.uniform(70, 100, z.shape))
    judged = np.tile(np.arange(dates) >= 2, count)
    patch = pa.array(np.repeat(np.arange(count), dates))
    date = pa.array(np.tile(np.arange(dates), count))
    both = {
        "patch_id": ground["patch_id"].take(patch),
        "datetime": places.instants(plan.days[seen]).take(date),
        "tile": ground["tile"].take(patch),
        "clear_percent": clear.ravel().astype(np.float32),
        "run_id": same(RUN, count * dates),
    }
    scene = pa.array([f"SIM_{one:04d}" for one in seen])
    p_value = 1 / (1 + np.exp(1.7 * z)).ravel()
    scored = {
        "drift": 0.1 + 0.03 * np.abs(z).ravel(),
        "z": z.ravel(),
        "p_value": p_value,
        "q_value": np.minimum(40 * p_value, 1),
        "lof": 1 + 0.05 * np.abs(z).ravel(),
        "cusum": np.maximum(z - 1, 0).cumsum(axis=1).ravel(),
        "ewma": (0.3 * z).ravel(),
    }
    past = np.tile(np.arange(dates), count)
    return {
        "embeddings": pa.table(
            {
                **both,
                "scene_id": scene.take(date),
                "ndvi": ndvi.ravel().astype(np.float32),
                "nbr": (0.8 * ndvi - 0.05).ravel().astype(np.float32),
                "ndwi": (0.1 - 0.9 * ndvi).ravel().astype(np.float32),
                "embedding": places.vectors(vectors.reshape(-1, DIMENSIONS)),
            }
        ),
        "scores": pa.table(
            {
                **both,
                "n_reference": past.astype(np.int32),
                "n_controls": np.where(judged, 40, 0).astype(np.int32),
                "reference": pa.array(["season+analogues+calm"]).take(
                    pa.array(np.zeros(len(judged), np.int64), mask=~judged)
                ),
                **{
                    name: places.nullable(np.where(judged, values, np.nan))
                    for name, values in scored.items()
                },
                "reason": pa.array(["fewer than 2 earlier dates"]).take(
                    pa.array(np.zeros(len(judged), np.int64), mask=judged)
                ),
            }
        ),
        "units": pa.table(
            {
                "scene_id": scene,
                "tile": same(tile.name, dates),
                "rows": np.full(dates, count, np.int32),
                "run_id": same(RUN, dates),
            }
        ),
    }


def _day_of_year(instants: np.ndarray) -> np.ndarray:
    day = instants.astype("M8[D]")
    return (day - day.astype("M8[Y]")).astype(np.int64)
