"""Event folders of real series: fires with one image before, and transplants with seven."""

import json
from datetime import date
from pathlib import Path

import numpy as np
import rasterio

CLEAR = (4, 5, 6, 7)
"""Classes of SCL that count as clear here: vegetation, bare, water, unclassified."""
_MOST_HIDDEN = 0.1
FIRE, OTHER = 4, 6


def fires(shared: Path, out: Path) -> Path:
    """Seven fires in California, each a pair: too short a history for a calibration."""
    source = shared / "data/s2-wildfires-california"
    for path in sorted((source / "images").glob("*_post.tif")):
        name = path.stem.removesuffix("_post")
        place = out / f"{FIRE}_{name}"
        place.mkdir(parents=True)
        days = {}
        for phase in ("pre", "post"):
            item = json.loads((source / f"items/{name}_{phase}.json").read_text())
            said = item["properties"]
            days[phase] = (said.get("datetime") or said["start_datetime"])[:10]
        for phase, role in (("pre", "normal"), ("post", "anomaly")):
            with rasterio.open(source / f"images/{name}_{phase}.tif") as file:
                _write(place / f"{role}_{days[phase]}.tif", file.read(), file)
        with rasterio.open(source / f"truth/{name}_burned.tif") as file:
            label = file.read() * np.uint8(FIRE + 1)
            _write(place / f"anomaly_{days['post']}_label.tif", label, file)
    return out


def transplants(shared: Path, out: Path, *, steps: int, images: int) -> Path:
    """Two inserted changes in a real series, and the same days without them as controls.

    After each change the first `images` clear days are an event each; its history are
    `steps` clear days before the change, spread evenly over the series so far, the last of
    them the latest. The first change is in part of the second one's history.
    """
    changed = shared / "data/s2-flanders-2018-transplant"
    plain = shared / "data/s2-flanders-2018"
    truth = json.loads((changed / "truth/changes.geojson").read_text())
    with rasterio.open(changed / "truth/change_id.tif") as file:
        number = file.read()
    days = _clear_days(changed)
    for feature in truth["features"]:
        said = feature["properties"]
        onset = date.fromisoformat(said["first_affected_acquisition"][:10])
        past = [day for day in days if day < onset]
        even = np.linspace(0, len(past) - 1, steps).round().astype(int)
        history = [past[at] for at in even]
        label = np.where(number == said["id"], OTHER + 1, 0).astype(np.uint8)
        for at, day in enumerate([day for day in days if day >= onset][:images]):
            site = f"change-{said['id']}-{at}"
            _site(changed, out / f"{OTHER}_{site}", history, day, label)
            _site(plain, out / f"0_{site}", history, day, None)
    return out


def _clear_days(source: Path) -> list[date]:
    out = []
    for path in sorted((source / "masks").glob("*_SCL.tif")):
        with rasterio.open(path) as file:
            hidden = ~np.isin(file.read(1), CLEAR)
        if hidden.mean() <= _MOST_HIDDEN:
            out.append(date.fromisoformat(path.name.split("_")[1][:8]))
    return sorted(set(out))


def _site(
    source: Path, place: Path, history: list[date], day: date, label: np.ndarray | None
) -> None:
    place.mkdir(parents=True)
    last = "normal" if label is None else "anomaly"
    for role, when in (*(("normal", each) for each in history), (last, day)):
        (path,) = sorted((source / "images").glob(f"S2_{when:%Y%m%d}T*.tif"))[:1]
        with rasterio.open(path) as file:
            pixels = file.read()
            with rasterio.open(source / f"masks/{path.stem}_SCL.tif") as mask:
                pixels *= np.isin(mask.read(1), CLEAR)
            _write(place / f"{role}_{when:%Y%m%d}.tif", pixels, file)
            if label is not None and when == day:
                _write(place / f"anomaly_{when:%Y%m%d}_label.tif", label, file)


def _write(path: Path, pixels: np.ndarray, like: rasterio.DatasetReader) -> None:
    with rasterio.open(
        path,
        "w",
        driver="GTiff",
        count=len(pixels),
        height=like.height,
        width=like.width,
        dtype=pixels.dtype,
        crs=like.crs,
        transform=like.transform,
        nodata=0 if len(pixels) > 1 else None,
    ) as file:
        file.write(pixels)
        if len(pixels) == like.count:
            file.descriptions = like.descriptions
