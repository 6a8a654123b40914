"""What `seasonal.py` needs to tell snow, low sun and partial cloud apart, scene by scene."""

import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import rasterio

import terradrift as td
from terradrift.detect import gram
from terradrift.store.series import blocks

CONDITIONS = ("clear", "partial cloud", "low sun", "snow")
SNOW, CLEAR = 11, (2, 4, 5, 6, 7)
LOW_SUN = 25.0
"""Degrees above the horizon."""


def copied(folder: Path, to: Path, *, blind: bool) -> Path:
    """The scenes of a folder; `blind`: with masks that call snow vegetation."""
    shutil.copytree(folder, to, copy_function=shutil.copyfile)
    for path in sorted((to / "masks").glob("*.tif")) if blind else ():
        with rasterio.open(path) as file:
            profile, classes, names = file.profile, file.read(), file.descriptions
        if not (classes == SNOW).any():
            continue
        profile.update(driver="GTiff", copy_src_overviews=False)
        path.unlink()
        with rasterio.open(path, "w", **profile) as file:
            file.write(np.where(classes == SNOW, 4, classes).astype(classes.dtype))
            for number, name in enumerate(names, start=1):
                file.set_band_description(number, name or "SCL")
    return to / "catalog.json"


def conditions(folder: Path) -> pd.DataFrame:
    """Scene and what it was seen under, by its item and its mask.

    `snow` at 1 % of the scene, otherwise `low sun` below 25 degrees, otherwise `partial
    cloud` where less than 80 % is clear.
    """
    rows = []
    for path in sorted((folder / "items").glob("*.json")):
        item = json.loads(path.read_text())
        href = (path.parent / item["assets"]["scl"]["href"]).resolve()
        with rasterio.open(href) as file:
            classes = file.read(1)
        seen = max(int((classes > 0).sum()), 1)
        if (classes == SNOW).sum() >= 0.01 * seen:
            said = "snow"
        elif item["properties"]["view:sun_elevation"] < LOW_SUN:
            said = "low sun"
        elif np.isin(classes, CLEAR).sum() < 0.8 * seen:
            said = "partial cloud"
        else:
            said = "clear"
        rows.append((item["id"], said))
    return pd.DataFrame(rows, columns=["scene_id", "condition"])


def observations(archive: td.Archive, model: str, folder: Path) -> pd.DataFrame:
    """Every scored observation: condition, what `seasonal` and `detect` say, nearest past."""
    found = archive.sql(
        "SELECT a.patch_id, a.datetime, a.scene_id, a.score AS temporal, a.score_spatial "
        "AS spatial, a.p_value AS p, a.cusum, a.persistent, s.drift, s.p_value AS p_detect "
        "FROM anomalies a LEFT JOIN scores s USING (patch_id, datetime) "
        "WHERE a.method = 'seasonal' AND a.p_value IS NOT NULL"
    ).df()
    found["datetime"] = found["datetime"].dt.tz_convert(None).astype("datetime64[us]")
    found = found.merge(conditions(folder), on="scene_id", how="left")
    return found.merge(nearest(archive, model), on=["patch_id", "datetime"], how="left")


def nearest(archive: td.Archive, model: str) -> pd.DataFrame:
    """Cosine distance to the nearest of all earlier clear observations: nothing else."""
    rows = []
    for part in blocks(archive.store, model):
        clear = np.nan_to_num(part.clear_percent) >= 80
        cosines = gram.cosines(part.vectors, clear)
        earlier = np.tri(len(part.days), k=-1, dtype=bool) & clear[:, None, :]
        gap = 1 - np.where(earlier, cosines, -np.inf).max(axis=2)
        row, at = np.nonzero(clear & earlier.any(axis=2))
        rows.append(
            pd.DataFrame(
                {
                    "patch_id": part.patch_ids[row],
                    "datetime": part.times[row, at],
                    "nearest": gap[row, at],
                }
            )
        )
    return pd.concat(rows, ignore_index=True)
